"""Outputs of meta.yaml inherit from the top: expectations are what conda-build 26.7.1 renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recipe.summary import read_for_linux, summarize

HEAD = "package:\n  name: sample\n  version: 1.0.0\n"
TOP = """\
build:
  number: 3
  string: own_{{ PKG_BUILDNUM }}
  noarch: generic
  entry_points:
    - a = b:c
  run_exports:
    - x 1
requirements:
  host:
    - python
    - pip
  run:
    - python
test:
  imports:
    - top
  requires:
    - pytest
about:
  home: https://example.org
  license: MIT
  summary: the top
"""


def read(folder: Path, text: str) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    path = folder / "meta.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    recipe = read_for_linux(path)
    return {one["name"]: one for one in summarize(recipe)["outputs"]}, recipe.remarks


def test_an_output_of_the_recipes_name_is_the_top_with_its_own_keys_first(tmp_path: Path) -> None:
    outputs, remarks = read(
        tmp_path,
        TOP + "outputs:\n  - name: sample\n    version: 9\n    number: 7\n    noarch: python\n"
        "    build:\n      number: 4\n    requirements:\n      run:\n        - six\n"
        "    test:\n      imports:\n        - own\n    about:\n      summary: its own\n",
    )
    made = outputs["sample"]
    assert (made["version"], made["number"], made["string"]) == ("1.0.0", 4, "own_3")
    assert (made["noarch"], made["entry_points"]) == ("generic", ["a = b:c"])
    assert (made["host"], made["run"]) == (["python", "pip"], ["six"])
    assert (made["imports"], made["requires"]) == (["top"], ["pytest"])
    assert made["about"]["summary"] == ["its own"]
    assert made["about"]["license"] == ["MIT"]
    ignored = [line.partition(": conda-build ignores ")[2].split()[0] for line in remarks]
    assert ignored == ["'version'", "'number'", "'noarch'", "'test'"]
    assert remarks[3].startswith("meta.yaml:38: outputs/test: ")


def test_other_outputs_inherit_what_that_output_merged(tmp_path: Path) -> None:
    outputs, _ = read(
        tmp_path,
        TOP + "outputs:\n  - name: sub\n  - name: sample\n    build:\n      number: 4\n"
        "    about:\n      summary: its own\n",
    )
    made = outputs["sub"]
    assert (made["number"], made["string"]) == (4, "own_3")
    assert made["about"]["summary"] == ["its own"]
    # Each package has modules, commands and a platform of its own.
    absent = {"noarch", "entry_points", "run_exports", "imports", "host", "run"}
    assert absent.isdisjoint(made)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("build:", {"number": 3}),
        ("build: {string: x}\n    number: 5", {"number": 5, "string": "x"}),
        ("build: {number: 0}\n    number: 5", {"number": 0}),
        ("build: {}\n    noarch: python\n    entry_points: [d = e:f]", {"number": 3}),
        (
            "noarch: python\n    number: 6\n    string: y\n    run_exports: [z 2]",
            {
                "number": 6,
                "string": "y",
                "noarch": "python",
                "run_exports": {"weak": ["z 2"]},
            },
        ),
        ("about:\n    test:\n", {"number": 3, "string": "own_3", "about": None}),
        (
            "requirements: [sub, six]",
            {"number": 3, "string": "own_3", "host": ["six"], "run": ["six"]},
        ),
    ],
)
def test_a_section_of_another_output_replaces_the_tops(
    tmp_path: Path, output: str, expected: dict[str, Any]
) -> None:
    outputs, _ = read(tmp_path, TOP + f"outputs:\n  - name: sub\n    {output}\n")
    inherited = {"home": ["https://example.org"], "license": ["MIT"], "summary": ["the top"]}
    always = {"name": "sub", "version": "1.0.0", "way": "EMPTY", "about": inherited}
    wanted = {key: value for key, value in (always | expected).items() if value is not None}
    assert outputs["sub"] == wanted


@pytest.mark.parametrize(
    ("top", "names"),
    [
        ("requirements:\n  run:\n    - sub >=1\n", ["sub", "sample"]),
        ("requirements:\n  host:\n    - {{ pin_subpackage('sub') }}\n", ["sub", "sample"]),
        ("requirements:\n  host:\n    - sub\n", ["sub"]),
        ("requirements:\n  run:\n    - sub-other\n", ["sub"]),
        ("", ["sub"]),
    ],
)
def test_a_top_that_requires_an_output_is_a_package_too(
    tmp_path: Path, top: str, names: list[str]
) -> None:
    outputs, _ = read(tmp_path, top + "outputs:\n  - name: sub\n")
    assert list(outputs) == names
