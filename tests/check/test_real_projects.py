"""Real sdists of PyPI, checked: docs/explanation/checked-projects.md says what comes out.

The page's table is the list of what is fetched and what is expected, so that it stays true.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.clients.sdists import unpack_sdist
from twofold.check import Finding, check_project
from twofold.new.migrate import read_declared_project

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "checked-projects.md"
ROW = re.compile(r"^\| (\S+) (\d\S*) \| (\d+) \| \d+ \| .+ \|$", re.M)
ROWS = list(ROW.finditer(PAGE.read_text(encoding="utf-8")))


def test_the_table_holds_many_projects_and_few_have_errors() -> None:
    assert len(ROWS) >= 50
    assert sum(row[3] != "0" for row in ROWS) <= len(ROWS) // 10


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_project_from_pypi_has_the_findings_of_the_page(
    row: re.Match[str], tmp_path: Path
) -> None:
    project = unpack_sdist(f"{row[1]}=={row[2]}", tmp_path)
    found = check_project(project, read_declared=read_declared_project)
    assert format_row(row[1], row[2], found) == row[0], [str(f) for f in found if f.is_error]


def format_row(name: str, version: str, found: list[Finding]) -> str:
    errors = sum(finding.is_error for finding in found)
    counts = sorted(Counter(finding.code for finding in found).items())
    codes = ", ".join(code if count == 1 else f"{code}: {count}" for code, count in counts)
    return f"| {name} {version} | {errors} | {len(found) - errors} | {codes or '-'} |"
