"""Real sdists of PyPI, migrated: docs/explanation/adopted-projects.md has the results.

The page's table is the list of what is fetched and what is expected, so that it stays true. Two
rows run always, the rest with --slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.sdists import unpack_sdist

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "adopted-projects.md"
ROW = re.compile(
    r"^\| (?P<name>\S+) (?P<version>\d\S*) \| (?P<backend>[^|]+) \| (?P<counts>.+) \|$",
    re.MULTILINE,
)
ALWAYS = ("idna",)


@dataclass(frozen=True)
class Row:
    name: str
    version: str
    counts: str


ROWS = [
    Row(m["name"], m["version"], m["counts"])
    for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))
]


def test_the_table_holds_at_least_fifteen_projects_of_different_backends() -> None:
    text = PAGE.read_text(encoding="utf-8")
    backends = {m["backend"].split(",")[0] for m in ROW.finditer(text)}
    assert len(ROWS) >= 15
    assert {"setuptools", "flit_core", "hatchling", "poetry-core", "pdm-backend"} <= backends


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.name, marks=[] if row.name in ALWAYS else [pytest.mark.slow])
        for row in ROWS
    ],
)
def test_a_project_from_pypi_is_migrated(
    row: Row, tmp_path: Path, twofold: Callable[..., object]
) -> None:
    project = unpack_sdist(f"{row.name}=={row.version}", tmp_path)
    ran = twofold("init", project, "--verify", "--json")
    if row.counts == "- | - | -":
        assert ran.code == 1 and "would refuse this project" in ran.err
        return
    assert ran.code == 0, ran.err
    output = ran.json
    real = [one for one in output["differences"] if not one["same"]]
    form = [one for one in output["differences"] if one["same"]]
    assert f"{len(real)} | {len(form)} | {len(output['lost'])}" == row.counts, (
        [f"{one['kind']}: {one['old'][:80]} -> {one['new'][:80]}" for one in real],
        [one["what"] for one in output["lost"]],
    )
