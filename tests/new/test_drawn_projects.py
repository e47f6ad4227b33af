"""Sdists of PyPI drawn by chance: docs/explanation/drawn-projects.md says what comes out.

The page's table is made by scripts/try-projects.py, and is what it must print again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "drawn-projects.md"
ROWS = re.findall(r"^\| (\S+) (\d\S*) \| .* \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_table_holds_many_projects_of_different_backends() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines() if " | " in line]
    assert len(ROWS) >= 40
    assert len({row[1] for row in rows} - {"Backend", "---"}) >= 6


@pytest.mark.slow
@pytest.mark.parametrize(("name", "version"), ROWS, ids=[row[0] for row in ROWS])
def test_a_drawn_project_is_built_and_adopted_as_the_page_has_it(name: str, version: str) -> None:
    command = [sys.executable, ROOT / "scripts" / "try-projects.py", f"{name}=={version}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() in PAGE.read_text(encoding="utf-8").splitlines()
