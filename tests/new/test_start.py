"""`twofold new`: a project that builds at once, or a hint why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from twofold.building import build_project
from twofold_build.pyproject import read_project

Twofold = Callable[..., CommandResult]


def test_the_project_is_whole_and_builds(twofold: Twofold, tmp_path: Path) -> None:
    ran = twofold("new", "my_package")
    assert ran.code == 0, ran.err
    root = tmp_path / "my_package"
    made = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert made == {
        ".gitignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src/my_package/__init__.py",
        "src/my_package/module1.py",
        "src/my_package/module2.py",
        "src/my_package/py.typed",
        "tests/test_my_package.py",
    }
    project = read_project(root)
    assert (project.name, project.version, project.license) == ("my_package", "1.0.0", "MIT")
    assert project.backend == "twofold_build"
    init = (root / "src/my_package/__init__.py").read_text("utf-8")
    assert "from .module1 import Class1, function1" in init
    assert "__all__" in init
    assert len(build_project(root).artifacts) == 3


@pytest.mark.parametrize("layout", [pytest.param("src", marks=pytest.mark.slow), "flat"])
def test_its_tests_pass_and_its_names_can_be_imported(
    layout: str, twofold: Twofold, tmp_path: Path
) -> None:
    assert twofold("new", "Some-Thing", "--layout", layout).code == 0
    root = tmp_path / "Some-Thing"
    pytest_ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert pytest_ran.returncode == 0, pytest_ran.stdout
    source = root / "src" if layout == "src" else root
    code = "import some_thing; print(some_thing.function1(), some_thing.Class2('you').greet())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2.0 Hello, you!\n"


def test_what_it_writes_passes_mypy_and_ruff(twofold: Twofold, tmp_path: Path) -> None:
    assert twofold("new", "my_package").code == 0
    package = tmp_path / "my_package" / "src" / "my_package"
    for command in (["mypy", "--strict"], ["ruff", "check", "--isolated"]):
        subprocess.run([sys.executable, "-m", *command, package], check=True, cwd=tmp_path)
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--check", package], check=True
    )


def test_dependencies_and_licence_are_as_requested(twofold: Twofold, tmp_path: Path) -> None:
    ran = twofold(
        "new", "x1", "--path", tmp_path / "deep" / "er", "--dep", "numpy", "--dep",
        "rich>=13; python_version >= '3.11'", "--license", "BSD-3-Clause",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    project = read_project(tmp_path / "deep" / "er")
    assert project.dependencies == ["numpy", "rich>=13; python_version >= '3.11'"]
    assert project.license == "BSD-3-Clause"
    licence = (tmp_path / "deep" / "er" / "LICENSE").read_text("utf-8")
    assert "the x1 authors" in licence
    assert "Neither the name" in licence
    assert "import numpy" in (tmp_path / "deep/er/src/x1/module1.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("spdx", "text"),
    [
        ("0BSD", "BSD Zero Clause"),
        ("Apache-2.0", "Version 2.0, January 2004"),
        ("BSD-2-Clause", "Redistributions in binary form"),
        ("CC0-1.0", "CC0"),
        ("GPL-2.0-only", "Version 2, June 1991"),
        ("GPL-3.0-or-later", "Version 3, 29 June 2007"),
        ("ISC", "ISC License"),
        ("LGPL-3.0-only", "GNU LESSER GENERAL PUBLIC LICENSE"),
        ("MIT", "MIT License"),
        ("MPL-2.0", "Mozilla Public License Version 2.0"),
        ("Unlicense", "free and unencumbered"),
        ("AGPL-3.0-or-later", "SPDX-License-Identifier: AGPL-3.0-or-later"),
        ("MIT OR Apache-2.0", "SPDX-License-Identifier: MIT OR Apache-2.0"),
    ],
)
def test_the_licence_file_holds_the_licence(spdx: str, text: str, tmp_path: Path) -> None:
    from twofold.new import NewProject, start_project

    start_project(NewProject("x1", tmp_path / "x1", license=spdx))
    licence = (tmp_path / "x1" / "LICENSE").read_text("utf-8")
    assert text in licence
    assert "{" not in licence


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "is a Python keyword"),
        ("json", "standard library"),
        ("test", "standard library"),
        ("my package", "did you mean 'my-package'"),
        ("Café", "did you mean 'Cafe'"),
        ("-my", "not a valid project name"),
        ("größe", "not a valid project name"),
        ("2fast", "begins with a digit"),
        ("con", "device on Windows"),
        ("tests", "conventional folder name"),
        ("", "not a valid project name"),
        ("../up", "not a valid project name"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_a_hint(
    name: str, message: str, twofold: Twofold, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    ran = twofold("new", "--path", tmp_path / "made", "--", name)
    assert ran.code == 1
    assert message in ran.err
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err
    assert sorted(tmp_path.iterdir()) == before


def test_all_mistakes_are_reported_together(twofold: Twofold) -> None:
    ran = twofold("new", "json", "--license", "MITT", "--dep", "numpy>>1", "--dep", "json")
    assert ran.code == 1
    assert ran.err.count("error:") == 4
    assert "did you mean 'MIT'?" in ran.err


def test_a_folder_that_is_not_empty_is_left_alone(twofold: Twofold, tmp_path: Path) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "mine.txt").write_text("mine")
    ran = twofold("new", "my_package")
    assert ran.code == 1
    assert "twofold init" in ran.err
    assert [path.name for path in (tmp_path / "my_package").iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("mine")
    assert twofold("new", "other", "--path", tmp_path / "file").code == 1


def test_an_empty_folder_is_taken_the_current_one_too(twofold: Twofold, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    ran = twofold("new", "my_package", "--path", ".", cwd=tmp_path / "here")
    assert ran.code == 0, ran.err
    assert (tmp_path / "here" / "pyproject.toml").is_file()


def test_json_lists_the_files(twofold: Twofold) -> None:
    ran = twofold("new", "my_package", "--json")
    output = ran.json
    assert isinstance(output, dict)
    assert output["project"] == "my_package"
    assert os.path.join("my_package", "pyproject.toml") in output["files"]  # noqa: PTH118


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600));"
        "from twofold.cli import main; sys.exit(main(['new', 'my_package']))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in tmp_path.iterdir() if "my_package" in path.name] == []
