"""What runs before every build: only errors, the same rules, and a memory of what was clean."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.samples import PROJECTS, code
from tests.conftest import CommandResult
from twofold.check import check_project, find_build_errors
from twofold.check.before_build import StartedCheck
from twofold.check.facts.processes import Call
from twofold.check.rule_table import BY_CODE
from twofold_build.archive import to_content
from twofold_build.pyproject import read_project


def before(root: Path) -> list[str]:
    return [finding.code for finding in find_build_errors(root, read_project(root))]


ERRORS = sorted(c for c in PROJECTS if c > "TF012" and BY_CODE[c].severity == "error")


@pytest.mark.parametrize("case", ERRORS)
def test_every_error_of_a_project_stops_its_build(case: str, project: Callable[..., Path]) -> None:
    files, toml = PROJECTS[case][0]
    assert case in before(project(files, toml))


def test_warnings_stop_nothing(project: Callable[..., Path]) -> None:
    root = project({"meta.yaml": "package:\n  version: 2\n", "src/pkg/a.orig": ""})
    assert {finding.severity for finding in check_project(root)} == {"warning"}
    assert before(root) == []


def test_what_is_ignored_stops_nothing(project: Callable[..., Path]) -> None:
    root = project(
        code("import numpy"),
        {"[project]": '[tool.twofold.check]\nignore = ["TF111"]\n[project]'},
    )
    assert before(root) == []


def test_a_clean_project_is_remembered_by_its_content(
    project: Callable[..., Path], own_cache: Path
) -> None:
    root = project(code("x = 1"))
    assert before(root) == []
    verdicts = list((own_cache / "check" / "clean").iterdir())
    assert len(verdicts) == 1
    copy = project(code("x = 1"), name="a-copy-elsewhere")
    assert before(copy) == []
    assert list((own_cache / "check" / "clean").iterdir()) == verdicts


def test_what_is_known_of_a_module_serves_every_checkout(
    project: Callable[..., Path], own_cache: Path
) -> None:
    def read_known() -> dict[str, object]:
        (file,) = (own_cache / "check" / "facts").iterdir()
        return dict(json.loads(file.read_bytes()))

    root = project(code("x = 1"))
    assert before(root) == []
    first = read_known()
    other = project({"src/pkg/__init__.py": "y = 2\n", "src/pkg/more.py": ""}, name="other")
    assert before(other) == []
    both = read_known()
    assert first.items() <= both.items()
    assert len(both) > len(first)
    assert before(root) == []
    assert read_known() == both


def test_an_edit_is_seen_even_when_size_and_time_stay(project: Callable[..., Path]) -> None:
    import os

    root = project(code("x = 1 \n"))
    module = root / "src/pkg/__init__.py"
    outcome = module.stat()
    assert before(root) == []
    module.write_text("x = (1\n")
    os.utime(module, ns=(outcome.st_atime_ns, outcome.st_mtime_ns))
    assert module.stat().st_size == outcome.st_size
    assert before(root) == ["TF101"]
    module.write_text("x = 1 \n")
    assert before(root) == []


def test_errors_are_found_again_at_each_run(project: Callable[..., Path]) -> None:
    root = project(code("x = (1"))
    assert before(root) == before(root) == ["TF101"]


def test_a_change_of_the_settings_is_seen(project: Callable[..., Path]) -> None:
    root = project(code("match 1:\n    case 1: ...\n"), {'">=3.9"': '">=3.10"'})
    assert before(root) == []
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text().replace(">=3.10", ">=3.9"))
    assert before(root) == ["TF108"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_cache_is_made_anew(
    damage: bytes, project: Callable[..., Path], own_cache: Path
) -> None:
    root = project(code("x = (1"))
    assert before(root) == ["TF101"]
    for path in (own_cache / "check" / "facts").iterdir():
        path.write_bytes(damage)
    assert before(root) == ["TF101"]


def test_a_cache_that_cannot_be_written_is_done_without(
    project: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    monkeypatch.setenv("TWOFOLD_CACHE_DIR", str(file / "below"))
    assert before(project(code("x = 1"))) == []
    assert before(project(code("x = (1"), name="other")) == ["TF101"]


def test_contents_that_were_read_already_are_not_read_again(project: Callable[..., Path]) -> None:
    root = project(code("x = 1"))
    known = {"src/pkg/__init__.py": to_content(b"x = (1")}
    found = find_build_errors(root, read_project(root), None, known)
    assert [finding.code for finding in found] == ["TF101"]


def test_many_new_modules_are_read_by_several_processes(
    project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twofold.check.facts.store.PARALLEL_BYTES", 1000)
    monkeypatch.setattr("twofold.check.facts.reader.find_reader", lambda: None)
    many = {f"src/pkg/m{number}.py": f"x = {number}\n" * 30 for number in range(40)}
    root = project({**many, "src/pkg/m7.py": "x = (1"})
    assert [f.where for f in find_build_errors(root, read_project(root))] == ["src/pkg/m7.py:1"]


def test_a_large_build_without_the_reader_says_what_it_lacks(
    project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twofold.check.facts.store.MISSED_BYTES", 100)
    monkeypatch.setattr("twofold.check.facts.reader.find_reader", lambda: None)
    loaded = read_project(project(code("x = 1\n" * 50)))
    assert StartedCheck(loaded, None, {}).wants_reader
    assert find_build_errors(loaded.root, loaded) == []
    assert not StartedCheck(loaded, None, {}).wants_reader  # it is known


def test_errors_are_the_same_with_and_without_the_reader(
    project: Callable[..., Path], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"src/pkg/m{number}.py": f"x = {number}\n" * 30 for number in range(40)}
    wrong = {
        "src/pkg/m7.py": "x = (1\nfrom . import nothing\n",
        "src/pkg/m8.py": "def f():\n    from a import *\n",
        "src/pkg/m9.py": f"token = '{'ghp_' + 'Ab1Cd2Ef3Gh4' * 3}'\n",
        "src/pkg/m10.py": "from .m11 import y\n",
        "src/pkg/m12.py": "try:\n    pass\nexcept* ValueError:\n    for x in y:\n        pass\n",
    }
    root = project({**many, **wrong})
    monkeypatch.setattr("twofold.check.facts.reader.READER_BYTES", 0)
    found = find_build_errors(root, read_project(root))
    assert [(f.where, f.code) for f in found] == [
        ("src/pkg/m10.py:1", "TF105"),
        ("src/pkg/m12.py:1", "TF108"),
        ("src/pkg/m7.py:1", "TF101"),
        ("src/pkg/m8.py:2", "TF101"),
        ("src/pkg/m9.py:1", "TF201"),
    ]
    shutil.rmtree(own_cache)
    monkeypatch.setattr("twofold.check.facts.reader.find_reader", lambda: None)
    assert find_build_errors(root, read_project(root)) == found


_UNGUARDED = """
import os, sys
print("runs")
from pathlib import Path
from twofold.check import check_project
from twofold.check.facts import processes, store
store.PARALLEL_BYTES = 1000
processes.count_processors = lambda: 2
print(processes.Call(os.getpid).result() != os.getpid())
print([f.where for f in check_project(Path(sys.argv[1])) if f.is_error])
"""


@pytest.mark.parametrize("python", ["/no/such/python3", "/bin/false", ""])
def test_what_no_other_python_can_do_is_done_here(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    assert Call(os.getpid).result() == os.getpid()


def test_a_script_that_checks_a_project_needs_no_guard(
    project: Callable[..., Path], tmp_path: Path
) -> None:
    """The processes that read modules run nothing of it, nor what is in the working folder."""
    many = {f"src/pkg/m{number}.py": f"x = {number}\n" * 30 for number in range(4)}
    root = project({**many, "src/pkg/m3.py": "x = (1"})
    script = tmp_path / "script" / "script.py"
    script.parent.mkdir()
    script.write_text(_UNGUARDED)
    (tmp_path / "pickle.py").write_text("raise SystemExit('from the working folder')")
    words = [sys.executable, str(script), str(root)]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout == "runs\nTrue\n['src/pkg/m3.py:1']\n", ran.stderr


def test_the_build_of_a_project_with_an_error_writes_nothing(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(code("def f(:"))
    ran = twofold("build", root)
    assert ran.code == 1
    assert "src/pkg/__init__.py:1" in ran.err
    assert not list(root.glob("dist/*.whl")) + list(root.glob("dist/*.gz"))


_FOR_ONES_OWN = {
    "TF022": {"dependencies = []": 'dependencies = ["numpy @ https://example.org/numpy.whl"]'},
    "TF023": {'"1.0.0"': '"1.0.0+cu118"'},
    "TF031": {"dependencies = []": 'classifiers = ["License :: OSI Approved :: MIT License"]'},
}


_BUILDS = [(case, "twofold_build") for case in _FOR_ONES_OWN]
_BUILDS += [("TF022", "flit_core.buildapi"), ("TF023", "flit_core.buildapi")]


@pytest.mark.parametrize(("case", "backend"), _BUILDS)
def test_what_is_right_for_a_registry_of_ones_own_is_built(
    case: str, backend: str, project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    toml = dict(_FOR_ONES_OWN[case])
    if backend != "twofold_build":
        toml |= {'"twofold_build"': f'"{backend}"', '["twofold-build"]': '["flit_core"]'}
    root = project(code('"""A package."""\nimport numpy' if case == "TF022" else '"""A."""'), toml)
    ran = twofold("build", root, "--only", "sdist,wheel")
    assert ran.code == 0, ran.err
    assert len(list((root / "dist").glob("*.*"))) >= 2
    if BY_CODE[case].severity == "error":
        assert f"({case})" in ran.err and "warning: " in ran.err
        assert twofold("check", root).code == 1
