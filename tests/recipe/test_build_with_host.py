"""A recipe's source that needs the recipe's host is built with what pip can bring of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, build_wheel, make_project
from tests.recipe.summary import read_for_linux
from twofold.errors import SubprocessFailed
from twofold.recipe.building.host_requirements import list_host_requirements

META = """\
package:
  name: sample
  version: 1.0.0
build:
  noarch: python
  script: {{ PYTHON }} -m pip install . --no-deps --no-build-isolation
requirements:
  host:
    - python >=3.9
    - pip
    - django >=4.2,<5
    - pytorch
    - ruamel.yaml 0.18.*
    - libfoo 1.2
    - conda-forge::setuptools_scm
  run:
    - python
"""


def test_the_host_is_named_as_pip_names_it_and_strangers_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(META, encoding="utf-8")
    (output,) = read_for_linux(path).outputs
    assert list_host_requirements(output) == [
        "django>=4.2,<5",
        "torch",
        "ruamel-yaml==0.18.*",
        "setuptools-scm",
    ]


def test_a_source_that_cannot_be_built_alone_is_built_with_the_host(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    given: list[list[str]] = []

    def fail(_source: Path, _out: Path) -> Path:
        raise SubprocessFailed("no module named django")

    def build_with(source: Path, out: Path, requires: Sequence[str]) -> Path:
        given.append(list(requires))
        return build_wheel(source, out)

    build = Builder()
    made = build(root, META, build_wheel=fail, build_wheel_with=build_with)
    assert [artifact.name for artifact in made.artifacts] == ["sample"]
    assert given[0][0] == "django>=4.2,<5"
    assert any("building again with the recipe's host" in message for message in made.messages)
    with pytest.raises(SubprocessFailed, match="no module"):
        build(root, META.replace("    - django >=4.2,<5\n", ""), build_wheel=fail)
