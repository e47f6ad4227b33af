"""`twofold deps`: imports against declarations, with names in both worlds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from twofold.errors import BadFile
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


def test_computed_dependencies_are_remarked_on_and_none_is_called_missing(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    setup = "from setuptools import setup\nsetup(name='x', install_requires=compute())\n"
    root = write_project(tmp_path, {"setup.py": setup, "x.py": "import requests\n"})
    ran = twofold("deps", root, "--check")
    assert ran.code == 0, ran.err
    assert (
        "setup.py:2 computes its dependencies: they are not known here; 'twofold build' writes"
        in ran.err
    )
    assert "not declared" not in ran.err


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


HEAD = "[project]\nname = 'my_package'\nversion = '1'\n"
SETUPTOOLS = "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
CODE = "import numpy\n"


@pytest.mark.parametrize(
    "files",
    [
        {
            "pyproject.toml": f"{SETUPTOOLS}{HEAD}dynamic = ['dependencies']\n"
            "[tool.setuptools.dynamic]\ndependencies = {file = ['requirements.txt']}\n",
            "requirements.txt": "numpy>=1\n",
        },
        {
            "pyproject.toml": f"{SETUPTOOLS}{HEAD}dynamic = ['dependencies']\n",
            "setup.py": "from setuptools import setup\nsetup(install_requires=['numpy'])\n",
        },
        {
            "pyproject.toml": f"{SETUPTOOLS}{HEAD}dynamic = ['optional-dependencies']\n"
            "[tool.setuptools.dynamic.optional-dependencies]\nmore = {file = 'more.txt'}\n",
            "more.txt": "numpy\n",
        },
        {
            "pyproject.toml": f"{HEAD}dynamic = ['dependencies']\n"
            "[tool.poetry.dependencies]\npython = '^3.11'\nnumpy = '^2'\n",
        },
        {
            "pyproject.toml": "[build-system]\nbuild-backend = 'flit_core.buildapi'\n"
            "[tool.flit.metadata]\nmodule = 'my_package'\nrequires = ['numpy']\n",
        },
    ],
    ids=["file", "setup.py", "extras", "poetry", "flit"],
)
def test_dynamic_dependencies_are_declared(tmp_path: Path, files: dict[str, str]) -> None:
    found = find_in(write_project(tmp_path, {**files, "my_package.py": CODE}))
    assert found["numpy"].status is Status.USED


def test_dependencies_of_a_metadata_hook_are_remarked_on(tmp_path: Path) -> None:
    text = f"{HEAD}dynamic = ['dependencies']\n[tool.hatch.metadata.hooks.custom]\n"
    _, computed = read_declared(write_project(tmp_path, {"pyproject.toml": text}))
    assert [*computed.items()] == [("dependencies", "pyproject.toml [project]")]


@pytest.mark.parametrize(
    "text",
    [
        "[tool.pdm.dev-dependencies]\ntest = ['pytest', '-e file:///x']\n",
        "[tool.uv]\ndev-dependencies = ['pytest>=8']\n",
        "[tool.poetry.group.test.dependencies]\npytest = '^8'\n",
        "[tool.poetry.dev-dependencies]\npytest = '^8'\n",
        "[tool.hatch.envs.test]\ndependencies = ['pytest']\n",
        "[tool.hatch.envs.test]\nextra-dependencies = ['pytest']\n",
        "[dependency-groups]\ntest = ['pytest', {include-group = 'other'}]\nother = []\n",
    ],
)
@pytest.mark.parametrize("backend", ["hatchling.build", "twofold_build"])
def test_the_groups_of_other_tools_are_declared(tmp_path: Path, text: str, backend: str) -> None:
    system = f"[build-system]\nbuild-backend = '{backend}'\n"
    files = {"my_package.py": "", "tests/test_it.py": "import pytest\n"}
    root = write_project(tmp_path, {**files, "pyproject.toml": f"{system}{HEAD}{text}"})
    assert find_in(root)["pytest"].status is Status.USED


def test_the_environments_of_hatchs_own_file_are_groups(tmp_path: Path) -> None:
    files = {"my_package.py": "", "tests/test_it.py": "import pytest\n", "pyproject.toml": HEAD}
    hatch = "[envs.test]\ndependencies = ['pytest']\n"
    root = write_project(tmp_path, {**files, "hatch.toml": hatch})
    assert find_in(root)["pytest"].status is Status.USED


LITERAL = """\
import importlib
from importlib import import_module as load

yaml = importlib.import_module("yaml")

def later():
    return importlib.import_module("orjson.sub"), importlib.import_module(".own", __name__)

try:
    fast = importlib.import_module(name="simdjson")
except ImportError:
    fast = None

name = importlib.import_module(yaml.name)
"""


def test_import_module_with_a_literal_is_an_import(tmp_path: Path) -> None:
    found = find_in(write_project(tmp_path, {"pyproject.toml": HEAD, "my_package.py": LITERAL}))
    assert {name: one.status.value for name, one in found.items()} == {
        "PyYAML": "missing",
        "orjson": "optional",
        "simdjson": "optional",
    }
    assert found["PyYAML"].places == ("my_package.py:4",)


OTHER_CALLS = """\
import importlib as il, importlib.util
from importlib import (import_module
    as load)

if il.import_module("yaml"):
    orjson = load("orjson")
__import__("simdjson.inner").x()

@load("attr").s
def later(a=builtins.__import__(name="docutils")):
    for one in importlib.import_module("rich").all():
        with builtins.__import__("markdown"):
            pass

__import__("own", globals(), locals(), [], 1)
__import__("own", level=1)
other.import_module("own")
"""


def test_calls_under_other_names_are_imports(tmp_path: Path) -> None:
    code = OTHER_CALLS
    found = find_in(write_project(tmp_path, {"pyproject.toml": HEAD, "my_package.py": code}))
    names = {"PyYAML", "attrs", "docutils", "orjson", "simdjson"}
    assert {one.name for one in found.values() if one.status.value == "missing"} == names
    assert found.keys() - names == {"Markdown", "rich"}


def test_names_that_only_type_checkers_have_are_no_dependencies(tmp_path: Path) -> None:
    code = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from _typeshed import StrPath\n    from _pytest.config import Config\n"
    )
    found = find_in(write_project(tmp_path, {"pyproject.toml": HEAD, "my_package.py": code}))
    assert {name: one.status.value for name, one in found.items()} == {"pytest": "optional"}


def test_a_dependency_is_ignored_by_name_or_on_the_line_of_its_import(
    tmp_path: Path, twofold: Callable[..., object]
) -> None:
    code = "import yaml\nimport nobody_has_this  # twofold: ignore\nimport other\n"
    text = (
        f"{HEAD}dependencies = ['plug-in']\n[tool.twofold.deps]\nignore = ['pyyaml', 'Plug_In']\n"
    )
    root = write_project(tmp_path, {"pyproject.toml": text, "my_package.py": code})
    ran = twofold("deps", root, "--json", "--check")
    assert ran.code == 1
    assert {row["name"]: row["status"] for row in ran.json["dependencies"]} == {
        "other": "missing", "PyYAML": "ignored", "plug-in": "ignored", "nobody_has_this": "ignored",
    }  # fmt: skip
    (root / "my_package.py").write_text(code.replace("import other\n", ""), encoding="utf-8")
    assert twofold("deps", root, "--check").code == 0


@pytest.mark.parametrize("table", ["ignored = []", "ignore = 'x'"])
def test_a_mistake_in_the_settings_of_deps_is_reported(
    tmp_path: Path, twofold: Callable[..., object], table: str
) -> None:
    text = f"{HEAD}[tool.twofold.deps]\n{table}\n"
    ran = twofold("deps", write_project(tmp_path, {"pyproject.toml": text, "my_package.py": ""}))
    assert ran.code == 1 and "tool.twofold.deps" in ran.err


NOTEBOOK = """{
 "cells": [
  {"cell_type": "markdown", "source": ["import nothing"]},
  {"cell_type": "code", "source": ["%matplotlib inline\\n", "!pip install x\\n",
    "import yaml\\n", "files = !ls\\n", "yaml.load?"]},
  {"cell_type": "code", "source": ["%%bash\\n", "import -window root"]},
  {"cell_type": "code", "source": "%%time\\nfrom my_package import f\\nimport numpy\\nx = 5 % 3"},
  {"cell_type": "code", "source": ["this fails"]}
 ],
 "metadata": {"language_info": {"name": "python"}}, "nbformat": 4
}
"""


def test_notebooks_are_read_as_tests_are(tmp_path: Path) -> None:
    files = {
        "my_package.py": "def f(): ...\n",
        "examples/a.ipynb": NOTEBOOK,
        "examples/.ipynb_checkpoints/b.ipynb": NOTEBOOK.replace("numpy", "scipy"),
        "examples/c.ipynb": NOTEBOOK.replace('"name": "python"', '"name": "R"'),
    }
    groups = "[dependency-groups]\ndev = ['numpy']\n"
    found = find_in(write_project(tmp_path, {**files, "pyproject.toml": HEAD + groups}))
    assert {name: one.status.value for name, one in found.items()} == {
        "numpy": "used",
        "PyYAML": "missing",
    }
    assert found["PyYAML"].is_test and found["PyYAML"].places == ("examples/a.ipynb:5",)


@pytest.mark.parametrize("text", ["{", "[" * 9999])
def test_a_notebook_that_is_no_json_is_reported(text: str, tmp_path: Path) -> None:
    files = {"my_package.py": "", "pyproject.toml": HEAD, "a.ipynb": text}
    with pytest.raises(BadFile, match="cannot be read"):
        find_in(write_project(tmp_path, files))


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("demo/__init__.py", ""),
        ("demo.py", ""),
        ("src/demo/__init__.py", ""),
        ("src/tools/__init__.py", "modules = ['tools']"),
        ("code/demo/__init__.py", "source = 'code'"),
        ("code/demo/__init__.py", "source = ['other', 'code']"),
        ("code/impl/__init__.py", "wheel = {paths = {'code/impl' = 'demo'}}"),
    ],
)
def test_the_projects_own_modules_are_read_wherever_they_are(
    path: str, settings: str, tmp_path: Path
) -> None:
    text = f"[project]\nname = 'demo'\nversion = '1'\n[tool.twofold]\n{settings}\n"
    files = {"pyproject.toml": text, path: "import yaml\n", "other/x.txt": ""}
    assert list(find_in(write_project(tmp_path, files))) == ["PyYAML"]


_PROJECT = '[project]\nname = "tools"\nversion = "1"\ndependencies = ["click"]\n'
_CALL = (
    'from setuptools import setup\nsetup(name="tools", version="1", install_requires=["click"], '
)
PLACED = {
    "poetry": (
        "pyproject.toml",
        '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry]\nname = "tools"\n'
        'version = "1"\npackages = [{include = "tools", from = "code"}]\n'
        '[tool.poetry.dependencies]\nclick = "*"\n',
    ),
    "hatch": (
        "pyproject.toml",
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'{_PROJECT}[tool.hatch.build.targets.wheel]\npackages = ["code/tools"]\n',
    ),
    "setuptools": (
        "pyproject.toml",
        f'{_PROJECT}[tool.setuptools]\npackages = ["tools"]\n'
        'package-dir = {tools = "code/tools"}\n',
    ),
    "setup.py": ("setup.py", f'{_CALL}packages=["tools"], package_dir={{"": "code"}})\n'),
}


@pytest.mark.parametrize("tool", PLACED)
def test_modules_are_read_where_another_backend_places_them(tool: str, tmp_path: Path) -> None:
    file, text = PLACED[tool]
    code = "import click\nfrom tools import inner\n"
    files = {file: text, "code/tools/__init__.py": code, "code/tools/inner.py": ""}
    root = write_project(tmp_path, {**files, "tests/test_it.py": "import tools.inner\n"})
    declared, _ = read_declared(root)
    found = read_dependencies(root, declared, InstalledDistributions(), {})
    assert [(one.name, one.status) for one in found] == [("click", Status.USED)]
