"""How the tests build: real projects, real wheels, and a look into what came out."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conda_package_streaming.package_streaming import stream_conda_component

from twofold.artifact import Artifact
from twofold.building import build_project
from twofold.building.options import BuildRequest
from twofold.recipe import RecipeRequest, build_recipe
from twofold.recipe.request import Platform

RECIPES = Path(__file__).parent / "recipes"
LINUX = Platform("linux-64", "3.12")

PROJECT = """\
[build-system]
requires = ["twofold-build"]
build-backend = "twofold_build"

[project]
name = "{name}"
version = "{version}"
description = "a sample"
requires-python = ">=3.9"
dependencies = [{dependencies}]
license = "MIT"
license-files = ["LICENSE"]

[project.scripts]
sample-tool = "{module}:main"
"""


def build_wheel(source: Path, out: Path) -> Path:
    """As `twofold build` does it: our own backend in process, another one in isolation."""
    made = build_project(source, BuildRequest(("wheel",), out))
    return Path(made.artifacts[0].path)


def make_project(
    folder: Path, name: str = "sample", version: str = "1.0.0", dependencies: str = '"attrs>=20"'
) -> Path:
    """A project with one package of its name, beside which a recipe can lie."""
    module = name.replace("-", "_")
    package = folder / module
    package.mkdir(parents=True)
    text = PROJECT.format(name=name, version=version, module=module, dependencies=dependencies)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    (folder / "LICENSE").write_text("MIT, shortened\n", encoding="utf-8")
    (package / "__init__.py").write_text(
        "def main() -> None:\n    print('sample')\n", encoding="utf-8"
    )
    return folder


@dataclass
class Build:
    """A finished `build_recipe` and its messages."""

    artifacts: list[Artifact]
    messages: list[str]


@dataclass
class Builder:
    """`build_recipe` that records messages; keywords change `request`."""

    messages: list[str] = field(default_factory=list)
    platform: Platform = LINUX

    def __call__(self, folder: Path, text: str | None = None, **varied: Any) -> Build:
        if text is not None:
            (folder / "meta.yaml").write_text(text, encoding="utf-8")
        request = RecipeRequest(
            build_wheel,
            channels=(),
            platform=self.platform,
            environment=os.environ,
            report=self.messages.append,
        )
        return Build(build_recipe(folder, replace(request, **varied)), self.messages)


def copy_recipe(folder: Path, case: str) -> Path:
    """A copy of one of tests/recipe/recipes/."""
    return Path(shutil.copytree(RECIPES / case, folder / case))


def read_members(path: Path) -> dict[str, bytes]:
    """Every file of a conda package, info/ included, read by conda-package-streaming."""
    found: dict[str, bytes] = {}
    for component in ("pkg", "info"):
        with path.open("rb") as file:
            for archive, member in stream_conda_component(path, file, component):
                opened = archive.extractfile(member)
                if opened is not None:
                    found[member.name] = opened.read()
    return found


def read_info(path: Path, name: str = "index") -> Any:
    return json.loads(read_members(path)[f"info/{name}.json"])
