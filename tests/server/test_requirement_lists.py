"""Lists of requirements as other tools write them, for `twofold admin offer --from`."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.errors import BadFile
from twofold.names.popular import load_popular_names
from twofold.server.proxy.requirement_lists import drop_markers, read_requirements

UV_LOCK = """
version = 1
[[package]]
name = "mine"
version = "0.1"
source = { editable = "." }
[[package]]
name = "Spam_Eggs"
version = "1.2"
source = { registry = "https://index.example/simple" }
[[package]]
name = "forked"
version = "2"
source = { git = "https://git.example/forked?rev=1" }
[[package]]
name = "ham"
version = "1"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'win32'"]
[[package]]
name = "ham"
version = "2"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.12' and sys_platform != 'win32'"]
"""

PIXI_LOCK = """
version: 6
packages:
- conda: https://channel.example/noarch/zlib-1.3-0.conda
- pypi: https://files.example/Spam_Eggs-1.2-py3-none-any.whl
  name: Spam_Eggs
  version: '1.2'
- pypi: ./
  name: mine
"""

ENVIRONMENT = """
name: x
channels: [conda-forge]
dependencies:
- python=3.12
- _openmp_mutex
- conda-forge::spam>=1.0,<2
- ham=1.2
- eggs==1.2.3
- bacon=1.2.3=py312_0
- pytables
- pip:
  - lazy[x]>=2 ; python_version >= "3.9"
  - ./local
"""

PYPROJECT = """
[project]
name = "mine"
dependencies = ["spam>=1", "ham[fast]; python_version < '3.12'", "x @ https://host.example/x.whl"]
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "uv.lock",
            UV_LOCK,
            [
                "spam-eggs==1.2",
                'ham==1; python_full_version < "3.12" or sys_platform == "win32"',
                'ham==2; python_full_version >= "3.12" and sys_platform != "win32"',
            ],
        ),
        ("pixi.lock", PIXI_LOCK, ["spam-eggs==1.2"]),
        (
            "environment.yml",
            ENVIRONMENT,
            [
                "spam<2,>=1.0",
                "ham==1.2.*",
                "eggs==1.2.3",
                "bacon==1.2.3",
                "tables",
                'lazy[x]>=2; python_version >= "3.9"',
            ],
        ),
        ("pyproject.toml", PYPROJECT, ["spam>=1", 'ham[fast]; python_version < "3.12"']),
        (
            "requirements.txt",
            "# c\n-r requirements.txt\n-rmore/x.txt\n--pre\n"
            "spam>=1 \\\n  --hash=sha256:0\nspam>=1\n./here\nham # c\n",
            ["bacon", "eggs", "spam>=1", "ham"],
        ),
        ("dev-requirements.in", "\ufeffspam\n", ["spam"]),
    ],
)
def test_every_form_names_the_projects_of_an_index(
    tmp_path: Path, name: str, text: str, expected: list[str]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.txt").write_text("bacon\n--requirement y.txt\n")
    (tmp_path / "more" / "y.txt").write_text("eggs\n-r ../requirements.txt\n")
    assert read_requirements(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "package = 3"),
        ("uv.lock", "[["),
        ("pixi.lock", "- a\n- b\n"),
        ("environment.yaml", "a: [\n"),
        ("requirements.txt", "spam eggs ham\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadFile, match="cannot be read"):
        read_requirements(tmp_path / name)


def test_a_list_for_every_target_names_each_project_once() -> None:
    lines = ['a==1; python_version < "3.12"', 'a==2; python_version >= "3.12"', "b[x]>1", "b[y]>1"]
    assert drop_markers(lines) == ["a", "b[x,y]>1"]


def test_the_well_known_projects_are_normalized_and_listed_once() -> None:
    names = load_popular_names()
    assert len(names) >= 100 and len(set(names)) == len(names)
    assert all(name == name.lower() and "_" not in name for name in names)
