"""Real sdists of PyPI, checked: docs/explanation/checked-projects.md says what comes out.

The page's table is the list of what is fetched and what is expected, so that it stays true.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.sdists import unpack_sdist
from twofold.check import check_project
from twofold.new.migrate import read_declared_project

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "checked-projects.md"
ROWS = re.findall(
    r"^\| (\S+) (\d\S*) \| (\d+) \| \d+ \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M
)


def test_the_table_holds_many_projects_and_few_have_errors() -> None:
    assert len(ROWS) >= 50
    assert sum(errors != "0" for _, _, errors, _ in ROWS) <= len(ROWS) // 4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "version", "errors", "codes"), ROWS, ids=[row[0] for row in ROWS])
def test_a_project_from_pypi_has_no_other_errors(
    name: str, version: str, errors: str, codes: str, tmp_path: Path
) -> None:
    project = unpack_sdist(f"{name}=={version}", tmp_path)
    found = check_project(project, read_declared=read_declared_project)
    wrong = [finding for finding in found if finding.is_error]
    assert len(wrong) == int(errors), wrong
    assert all(finding.code in codes for finding in wrong)
