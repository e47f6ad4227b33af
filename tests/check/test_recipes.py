"""A conda recipe beside the project: each difference is reported by name, with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.samples import code
from twofold.check import check_project
from twofold.check.rules.meta_yaml import read_recipe

DEPENDENCIES = {"dependencies = []": 'dependencies = ["numpy>=1.24", "PyYAML"]'}
SOURCE = code("import numpy, yaml\ndef main(): ...")

RECIPE = """\
{% set name = "pkg" %}
{% set version = "1.0.0" %}

package:
  name: {{ name|lower }}
  version: {{ version }}

source:
  path: .

build:
  number: 0
  entry_points:
    - run = pkg:main
  script: pip install .

requirements:
  host:
    - python
    - pip
  run:
    - python >=3.9
    - numpy >=1.24
    - pyyaml
"""
SCRIPT = {
    "dependencies = []": DEPENDENCIES["dependencies = []"] + '\n[project.scripts]\nrun = "pkg:main"'
}


def messages(project: Callable[..., Path], recipe: str, toml: dict[str, str] = SCRIPT) -> list[str]:
    root = project({**SOURCE, "meta.yaml": recipe}, toml)
    found = [finding for finding in check_project(root) if finding.code == "TF303"]
    return [f"{finding.where}: {finding.message}" for finding in found]


def test_a_recipe_that_agrees_is_not_mentioned(project: Callable[..., Path]) -> None:
    assert messages(project, RECIPE) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "pkg"', 'name = "other"', "meta.yaml:5: the name is 'other' here, and 'pkg'"),
        ('"1.0.0"', '"0.9"', "meta.yaml:6: the version is '0.9' here, and '1.0.0'"),
        (
            ">=1.24",
            ">=1.20",
            "meta.yaml:23: the dependency is 'numpy >=1.20' here, and 'numpy>=1.24'",
        ),
        (
            "    - pyyaml\n",
            "",
            "pyproject.toml:13: [project] dependencies: 'PyYAML' is a dependency",
        ),
        ("- pyyaml", "- pyyaml\n    - scipy", "meta.yaml:25: 'scipy' is a run requirement here"),
        (">=3.9", ">=3.8", "meta.yaml:22: the Python is '>=3.8' here, and '>=3.9'"),
        ("run = pkg:main", "run = pkg:go", "meta.yaml:14: the script 'run' is 'pkg:go' here"),
        ("run = pkg:main", "go = pkg:main", "meta.yaml:14: the script 'go' is here, and not in"),
    ],
)
def test_a_difference_is_reported_with_its_line(
    old: str, new: str, message: str, project: Callable[..., Path]
) -> None:
    found = messages(project, RECIPE.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(message)


def test_the_build_number_is_compared_where_the_settings_give_one(
    project: Callable[..., Path],
) -> None:
    settings = SCRIPT | {"[project]": "[tool.twofold.conda]\nbuild-number = 2\n[project]"}
    assert messages(project, RECIPE, settings) == [
        "meta.yaml:12: the build number is '0' here, and '2' in pyproject.toml"
    ]


def test_the_teaching_recipe_without_run_versions_is_compared(project: Callable[..., Path]) -> None:
    recipe = "package:\n  name: pkg\n  version: 1.0.0\n\nrequirements:\n  run:\n    - numpy\n"
    assert messages(project, recipe, DEPENDENCIES) == [
        "meta.yaml:7: the dependency is 'numpy' here, and 'numpy>=1.24' in pyproject.toml",
        "pyproject.toml:13: [project] dependencies: 'PyYAML' is a dependency in pyproject.toml, "
        "and no run requirement here",
    ]


def test_what_a_selector_hides_is_not_judged(project: Callable[..., Path]) -> None:
    recipe = RECIPE.replace("    - pyyaml\n", "    - pywin32  # [win]\n")
    assert messages(project, recipe) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "- a\n- b",
        "{% if x %}",
        "a: [b, c]\nrequirements: {run: [x]}",
        "\x00\t:",
        "run:\n" * 50,
    ],
)
def test_a_recipe_of_another_shape_says_less_and_never_fails(text: str) -> None:
    assert read_recipe(text).run == {}
