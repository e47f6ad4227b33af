"""`twofold check` as people and programs use it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.samples import code
from tests.conftest import CommandResult
from twofold.check import check_project
from twofold.check.finding import apply_fixes

_DEPENDENCIES = "dependencies = []"


def test_findings_go_to_stdout_and_the_count_to_stderr(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("check", project(code("import telnetlib\nx = (1")))
    assert ran.code == 1
    line, hint, *rest = ran.out.splitlines()
    assert line == "src/pkg/__init__.py:2: error TF101 syntax error: '(' was never closed"
    assert hint.startswith("  hint: ")
    assert rest == []
    assert ran.err == "1 error, 0 warnings\n"


def test_warnings_alone_leave_the_exit_code_at_0(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("check", cwd=project({"src/pkg/a.orig": ""}))
    assert ran.code == 0
    assert "warning TF202" in ran.out
    assert ran.err == "0 errors, 1 warning\n"


def test_json_reports_code_place_and_hint_of_each_finding(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("check", "--json", project(toml={"3.9": "x"}))
    found = json.loads(ran.out)
    assert ran.code == 1
    assert (found["errors"], found["warnings"]) == (1, 0)
    assert found["findings"][0]["code"] == "TF006"
    assert found["findings"][0]["file"] == "pyproject.toml"
    assert found["findings"][0]["line"] == 12
    assert found["findings"][0]["fixable"] is False


def test_github_gets_annotations_with_file_and_line(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(code("x = 100%\n"))
    ran = twofold("check", "--github", cwd=root)
    assert ran.out.startswith("::error file=src/pkg/__init__.py,line=1,title=TF101::syntax error")
    ran = twofold("check", "--github", "project", cwd=root.parent)
    assert ran.out.startswith("::error file=project/src/pkg/__init__.py,line=1,title=TF101::")
    assert "%0A" in ran.out


def test_a_rule_can_be_left_out_for_once_or_for_good(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(code("import numpy"))
    assert twofold("check", root).code == 1
    assert twofold("check", root, "--ignore", "tf111,TF112").code == 0
    ran = twofold("check", root, "--ignore", "TF11")
    assert ran.code == 2
    assert "did you mean" in ran.err
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text() + '[tool.twofold.check]\nignore = ["TF111"]\n')
    assert twofold("check", root).code == 0


def test_wrong_paths_are_reported_without_a_traceback(
    project: Callable[..., Path], twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    assert twofold("check", tmp_path / "notes.txt").code == 1
    assert twofold("check", tmp_path / "empty").code == 1
    gone = twofold("check", tmp_path / "gone.whl")
    assert gone.code == 2
    assert "there is no " in gone.err and "'twofold build' makes them" in gone.err
    beside = twofold("check", project(), tmp_path / "notes.txt")
    assert beside.code == 0 and "passed over: " in beside.err and "notes.txt" in beside.err
    for words in (("notes.txt",), ("empty",), ("gone.whl",), ("empty", "notes.txt")):
        assert "Traceback" not in twofold("check", *words).err


def test_fix_repairs_what_is_certain_and_nothing_else(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(
        toml={
            _DEPENDENCIES: """\
# kept
dependancies = ["numpy>=1"]   # kept too
classifiers = [
    "Programming language ::  Python",
    "Natural Language :: Ukranian",
    "License :: OSI Approved :: MIT License",
    "Programming Language :: Pythonn",
]"""
        }
    )
    ran = twofold("check", root, "--fix", "--ignore", "TF112")
    text = (root / "pyproject.toml").read_text()
    assert text.endswith(
        """\
# kept
dependencies = ["numpy>=1"]   # kept too
classifiers = [
    "Programming Language :: Python",
    "Natural Language :: Ukrainian",
    "Programming Language :: Pythonn",
]
"""
    )
    assert ran.code == 1  # Pythonn may be a slip or not: it is for the author to say
    assert "fixed pyproject.toml" in ran.err
    assert ran.out.count("TF0") == 1


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_fix_keeps_the_mode_and_the_link_of_the_file(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(toml={_DEPENDENCIES: "dependancies = []"})
    (root / "pyproject.toml").rename(root / "real.toml")
    (root / "real.toml").chmod(0o640)
    (root / "pyproject.toml").symlink_to("real.toml")
    assert twofold("check", root, "--fix").code == 0
    assert (root / "pyproject.toml").is_symlink()
    assert "dependencies = []" in (root / "real.toml").read_text()
    assert (root / "real.toml").stat().st_mode & 0o777 == 0o640


def test_fix_leaves_a_right_project_as_it_is(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project()
    found = (root / "pyproject.toml").read_bytes()
    assert twofold("check", root, "--fix").code == 0
    assert (root / "pyproject.toml").read_bytes() == found


def test_an_item_of_a_list_on_one_line_is_taken_out_with_its_comma(
    project: Callable[..., Path],
) -> None:
    classifiers = 'classifiers = ["Typing :: Typed", "License :: OSI Approved :: MIT License"]'
    root = project(toml={_DEPENDENCIES: classifiers})
    assert len(apply_fixes(root, check_project(root))) == 1
    assert 'classifiers = ["Typing :: Typed"]' in (root / "pyproject.toml").read_text()
    assert check_project(root) == []


def test_line_ends_are_kept(project: Callable[..., Path]) -> None:
    root = project(toml={_DEPENDENCIES: 'keyword = ["a"]'})
    settings = root / "pyproject.toml"
    settings.write_bytes(settings.read_bytes().replace(b"\n", b"\r\n"))
    apply_fixes(root, check_project(root))
    assert b'keywords = ["a"]\r\n' in settings.read_bytes()
    assert settings.read_bytes().count(b"\n") == settings.read_bytes().count(b"\r\n")


def test_a_project_of_another_backend_is_judged_too(project: Callable[..., Path]) -> None:
    root = project(
        code("import numpy\nfrom ._version import version"),
        {'"twofold_build"': '"hatchling.build"', '["twofold-build"]': '["hatchling"]'},
    )
    found = {finding.code for finding in check_project(root)}
    assert found == {"TF111"}  # _version.py may be made when it is built
