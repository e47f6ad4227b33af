"""Render a recipe without building: what it reads as, and the packages it would make.

The `--render-only` of rattler-build and `conda render`: nothing is fetched, built or run (but for a
setup.py that computes what the recipe asks for, see `ReadContext.metadata_of`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError
from twofold.recipe.building.build_method import BuildMethod, OutputBuild, choose_methods
from twofold.recipe.building.recipe_folder import plan_recipe, require_recipe
from twofold.recipe.building.variations import Variation, hash_values
from twofold.recipe.building.with_rattler import render_unchanged
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.read.v1_expressions import UnsupportedRecipe
from twofold.recipe.request import RecipeRequest


def render_recipe(folder: Path, request: RecipeRequest) -> list[dict[str, Any]]:
    """Return each package that the recipe in a folder would become, as plain values.

    `file` is None where the name is known only after a build: a project may hold compiled code,
    and rattler-build hashes what it was built with. Raises TwofoldError as a build would.
    """
    path = require_recipe(folder)
    with tempfile.TemporaryDirectory(prefix="twofold-render-") as kept:
        try:
            steps = plan_recipe(path, request, Path(kept))
        except UnsupportedRecipe:
            return render_unchanged(path, request)
        methods = choose_methods(steps[0].recipe, request.allow_network)
        if steps[0].recipe.is_v1 and methods and methods[0].method is BuildMethod.HOST:
            return render_unchanged(path, request)
        return [
            _describe(step.recipe, one, variation)
            for step in steps
            if step.built
            for methods in [choose_methods(step.recipe, request.allow_network)]
            for place, variation in step.built.items()
            for one in methods
            if one.output is step.recipe.outputs[place]
        ]


def _describe(recipe: Recipe, one: OutputBuild, variation: Variation) -> dict[str, Any]:
    output = one.output
    build, needs, tests = output.build, output.requirements, output.tests
    made = {
        "package": {"name": output.name, "version": output.version},
        "file": _find_file(recipe, one, variation),
        "target_platform": recipe.platform.subdir,
        "method": one.method.name.lower(),
        "variant": dict(variation.values),
        "source": [
            {source.kind: source.location.text, **source.hashes, "folder": source.folder}
            for source in recipe.sources
        ],
        "build": {
            "number": build.number,
            "string": recipe.calls.restore_source(build.string),
            "noarch": build.noarch,
            "script": _list(recipe, build.script),
            "entry_points": _list(recipe, build.entry_points),
            "run_exports": {k: _list(recipe, v) for k, v in build.run_exports.items()},
        },
        "requirements": {
            "build": _list(recipe, needs.build),
            "host": _list(recipe, needs.host),
            "run": _list(recipe, needs.run),
            "run_constrained": _list(recipe, needs.constrained),
        },
        "test": {
            "imports": _list(recipe, tests.imports),
            "commands": _list(recipe, tests.commands),
            "requires": _list(recipe, tests.requires),
        },
        "about": {key: " ".join(_list(recipe, lines)) for key, lines in output.about.items()},
    }
    kept: dict[str, Any] = _drop_empty(made)
    return {**kept, "file": made["file"]}


def _list(recipe: Recipe, lines: Sequence[Line]) -> list[str]:
    return [recipe.calls.restore_source(line.text) for line in lines]


def _drop_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _drop_empty(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in ("", [], {})}
    if isinstance(value, list):
        return [_drop_empty(part) for part in value]
    return value


def _find_file(recipe: Recipe, one: OutputBuild, variation: Variation) -> str | None:
    output = one.output
    is_known = one.method is BuildMethod.EMPTY or (
        one.method is BuildMethod.INSTALL and output.build.noarch == "python"
    )
    if not is_known:
        return None
    label = variation.make_label("py" if one.method is BuildMethod.INSTALL else "")
    own = recipe.calls.replace(output.build.string, lambda _: hash_values(variation.hashed))
    build = own or f"{label}_{output.build.number}".lstrip("_")
    subdir = "noarch" if _is_noarch(recipe, output) else recipe.platform.subdir
    return f"{subdir}/{output.name}-{output.version}-{build}.conda"


def _is_noarch(recipe: Recipe, output: Output) -> bool:
    return bool(output.build.noarch) or not recipe.is_specific


def sort_recipes(rendered: Mapping[Path, Sequence[Mapping[str, Any]]]) -> list[Path]:
    """Sort folders with recipes: what a recipe requires of another one's is built before it.

    `rendered` has each folder's packages. Raises TwofoldError for recipes that require each other
    in a circle.
    """
    made: dict[Path, set[str]] = {}
    required: dict[Path, set[str]] = {}
    for folder, packages in rendered.items():
        made[folder] = {package["package"]["name"] for package in packages}
        required[folder] = {name for package in packages for name in _find_required(package)}
    waiting = list(rendered)
    done: list[Path] = []
    while waiting:
        open_names = {name for folder in waiting for name in made[folder]}
        ready = [one for one in waiting if not required[one] & (open_names - made[one])]
        if not ready:
            circle = ", ".join(str(folder) for folder in waiting)
            raise TwofoldError(
                f"these recipes require each other in a circle: {circle}",
                "build one of them alone first, or leave a requirement out",
            )
        done.append(ready[0])
        waiting.remove(ready[0])
    return done


def _find_required(package: Mapping[str, Any]) -> list[str]:
    sections = package.get("requirements", {})
    specs = [spec for key in ("build", "host", "run") for spec in sections.get(key, [])]
    specs += package.get("test", {}).get("requires", [])
    words = [spec.split() for spec in specs if isinstance(spec, str)]
    return [parts[0].rpartition("::")[2] for parts in words if parts]
