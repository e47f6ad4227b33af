"""`twofold deps`: imports against declarations, with names in both worlds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from twofold.new.deps import Dependency, Status, read_declared, read_dependencies
from twofold.source_analysis import InstalledDistributions

PYPROJECT = """\
[project]
name = "my_package"
version = "1.0.0"
dependencies = [
    "numpy>=1.24",
    "opencv-python-headless",
    "requests",
    "ruamel.yaml",
]

[project.optional-dependencies]
plot = ["matplotlib"]

[dependency-groups]
test = ["pytest"]

[tool.twofold.conda.names]
requests = "requests-here"
"""
MODULE = """\
import os
import numpy as np
import cv2
from ruamel.yaml import YAML
from sklearn import svm
from . import module2
import my_package.module2
try:
    import orjson
except ImportError:
    orjson = None

def plot():
    import matplotlib.pyplot
"""


def write_project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(
        tmp_path / "root",
        {
            "pyproject.toml": PYPROJECT,
            "src/my_package/__init__.py": "",
            "src/my_package/module1.py": MODULE,
            "src/my_package/module2.py": "import module_of_nobody\n",
            "tests/test_it.py": "import pytest, hypothesis\nimport helper\nimport my_package\n",
            "tests/helper.py": "",
            "docs/conf.py": "import sphinx\n",
        },
    )


def find_in(root: Path) -> dict[str, Dependency]:
    declared, _ = read_declared(root)
    found = read_dependencies(root, declared, InstalledDistributions(), {})
    return {one.name: one for one in found}


def test_each_dependency_has_its_status(root: Path) -> None:
    found = find_in(root)
    assert {name: one.status.value for name, one in found.items()} == {
        "numpy": "used",
        "opencv-python-headless": "used",
        "ruamel.yaml": "used",
        "matplotlib": "used",
        "pytest": "used",
        "requests": "unused",
        "scikit-learn": "missing",
        "module_of_nobody": "missing",
        "hypothesis": "missing",
        "orjson": "optional",
    }
    assert found["hypothesis"].is_test and not found["scikit-learn"].is_test


def test_each_name_is_listed_for_pypi_and_conda_with_its_location(root: Path) -> None:
    found = find_in(root)
    assert found["opencv-python-headless"].imports == ("cv2",)
    assert found["scikit-learn"].places == ("src/my_package/module1.py:5",)
    assert found["ruamel.yaml"].conda == "ruamel.yaml"
    assert found["matplotlib"].declared[0].group == "plot"


def test_missing_ones_come_first(root: Path) -> None:
    statuses = [one.status for one in find_in(root).values()]
    assert statuses == sorted(statuses, key=list(Status).index)


def test_what_the_code_needs_must_be_more_than_a_group_of_the_developers(tmp_path: Path) -> None:
    module = "import matplotlib, pytest\n"
    found = find_in(write_project(tmp_path, {"pyproject.toml": PYPROJECT, "my_package.py": module}))
    assert found["pytest"].status is Status.MISSING
    assert found["matplotlib"].status is Status.USED


def test_projects_among_the_tests_are_not_read(tmp_path: Path) -> None:
    sample = {"tests/sample/pyproject.toml": "", "tests/sample/x.py": "import nothing_here\n"}
    found = find_in(
        write_project(tmp_path, {**sample, "my_package.py": "", "pyproject.toml": PYPROJECT})
    )
    assert "nothing_here" not in found


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "from setuptools import setup\nsetup(install_requires=['numpy'])\n"},
        {"setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires =\n  numpy\n"},
        {"pyproject.toml": "[tool.poetry]\nname='x'\n[tool.poetry.dependencies]\nnumpy='^1'\n"},
        {"requirements.txt": "numpy==1.26  # pinned\n"},
        {"environment.yml": "dependencies:\n- python=3.11\n- numpy=1.26\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_older_files_declare_too(tmp_path: Path, files: dict[str, str]) -> None:
    root = write_project(tmp_path, {**files, "x.py": "import numpy, yaml\n"})
    found = find_in(root)
    assert found["numpy"].status is Status.USED
    assert found["PyYAML"].status is Status.MISSING
    assert found["PyYAML"].conda == "pyyaml"


def test_computed_dependencies_are_remarked_on(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='x', install_requires=compute())\n"
    _, remarks = read_declared(write_project(tmp_path, {"setup.py": setup}))
    assert remarks == ["setup.py:2 computes its dependencies: they are not known here"]


def test_the_command_prints_a_table_and_json(root: Path, twofold: Callable[..., object]) -> None:
    empty = root / "environment"
    empty.mkdir()
    ran = twofold("deps", root, "--env", empty)
    assert ran.code == 0 and ran.out.splitlines()[0].split() == [
        "status", "PyPI", "conda", "declared", "imported",
    ]  # fmt: skip
    assert "missing   scikit-learn" in ran.out and "requests-here" in ran.out
    assert "requests is declared and imported nowhere" in ran.err
    ran = twofold("deps", root, "--env", empty, "--json", "--check")
    assert ran.code == 1
    rows = {row["name"]: row for row in ran.json["dependencies"]}
    assert rows["numpy"]["declared"] == [{"requirement": "numpy>=1.24", "group": ""}]
    assert rows["scikit-learn"]["conda"] == "scikit-learn"


def test_bad_input_is_reported(tmp_path: Path, twofold: Callable[..., object]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n", encoding="utf-8")
    ran = twofold("deps", tmp_path)
    assert ran.code == 1 and "not valid TOML" in ran.err and "Traceback" not in ran.err
    (tmp_path / "pyproject.toml").write_text("project = 1\ntool.poetry.name = []\n", "utf-8")
    ran = twofold("deps", tmp_path)
    assert ran.code == 1 and ran.err.count("error:") == 2 and "project must be a table" in ran.err
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "m.py").write_text("def f(:\n", encoding="utf-8")
    ran = twofold("deps", tmp_path)
    assert ran.code == 1 and "m.py:1" in ran.err and "Traceback" not in ran.err
    ran = twofold("deps", tmp_path / "nowhere")
    assert ran.code == 1 and "Traceback" not in ran.err
