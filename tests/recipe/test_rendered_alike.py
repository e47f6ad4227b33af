"""Recipes of unusual forms, written for this project, with what conda-build 26.7.1 renders of them.

rendered_by_conda_build.json has each recipe and the packages that `conda_build.api.render` returned
for linux-64 and Python 3.12.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.summary import read_for_linux
from twofold.recipe.model import Line, Output, Recipe

CASES = json.loads(Path(__file__, "../rendered_by_conda_build.json").resolve().read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_recipe_is_read_as_conda_build_renders_it(tmp_path: Path, case: dict[str, Any]) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(case["recipe"], encoding="utf-8", newline="")
    for name, content in case["files"].items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    recipe = read_for_linux(path)
    made = {one.name: describe(recipe, one) for one in recipe.outputs if not one.build.skip}
    assert made == {name: squeeze(package) for name, package in case["packages"].items()}


def describe(recipe: Recipe, output: Output) -> dict[str, Any]:
    def texts(lines: Sequence[Line]) -> list[str]:
        return [recipe.calls.restore_source(line.text) for line in lines]

    build, needs, tests = output.build, output.requirements, output.tests
    return squeeze(
        {
            "version": output.version,
            "number": build.number,
            "noarch": build.noarch,
            "string": build.string,
            "script": texts(build.script),
            "entry_points": texts(build.entry_points),
            "build": texts(needs.build),
            "host": texts(needs.host),
            "run": texts(needs.run),
            "constrained": texts(needs.constrained),
            "imports": texts(tests.imports),
            "commands": texts(tests.commands),
            "requires": texts(tests.requires),
            "about": {key: " ".join(texts(lines)) for key, lines in output.about.items()},
        }
    )


def squeeze(package: dict[str, Any]) -> dict[str, Any]:
    """Make equal what means the same, and drop what is empty."""
    made: dict[str, Any] = {}
    for key, value in package.items():
        if key in SPECS:
            made[key] = [pack(text, is_installed=key != "constrained") for text in value]
        elif isinstance(value, list):
            made[key] = [" ".join(text.split()) for text in value]
        elif isinstance(value, dict):
            made[key] = {name: write_path(" ".join(text.split())) for name, text in value.items()}
        else:
            made[key] = value
    return {key: value for key, value in made.items() if value not in ("", [], {})}


SPECS = ("build", "host", "run", "constrained", "requires")


def pack(spec: str, *, is_installed: bool) -> str:
    """Write a requirement as conda-build packs it: it renders blanks, capitals and `name 1.2`."""
    spec = re.sub(
        r"\s*,\s*", ",", re.sub(r"^([\w.-]+)\s*(?=[<>=!~])", r"\1 ", spec.strip().lower())
    )
    bare = re.fullmatch(r"([\w.-]+)\s+([\w.]+)", spec)
    return f"{bare[1]} {bare[2]}.*" if bare and is_installed else " ".join(spec.split())


def write_path(text: str) -> str:
    """Write a licence in the source without the folder's name, which is tried first anyway."""
    return text.replace("$SRC_DIR/", "")
