"""TF303: a conda recipe beside the project that says something else, each difference by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from twofold.check.recipe_lines import RecipeLines, read_recipe
from twofold.check.rules import Told
from twofold.names import conda_name
from twofold_build.names import normalised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import Context

_PLACES = ("meta.yaml", "recipe/meta.yaml", "conda/meta.yaml", "conda.recipe/meta.yaml")
#: What a recipe names besides the project's own dependencies.
_OF_CONDA = ("python", "python_abi", "setuptools", "pip")


def recipe_differs(context: Context) -> Iterator[Told]:
    """TF303"""
    for place in _PLACES:
        path = os.path.join(context.project.root, place)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield from _compare(context, place, read_recipe(file.read()))


def _compare(context: Context, place: str, recipe: RecipeLines) -> Iterator[Told]:
    project = context.project
    options = context.table("tool.twofold.conda")
    known = {normalised(k): v for k, v in _table(options, "names").items() if isinstance(v, str)}
    called = options.get("name") or conda_name(project.name, known)
    name, line = recipe.name
    if (
        name
        and normalised(name) != normalised(called)
        and normalised(name) != normalised(project.name)
    ):
        yield _told(place, line, "the name", name, str(called))
    version, line = recipe.version
    if version and project.version and not _same_version(version, project.version):
        yield _told(place, line, "the version", version, project.version)
    number, line = recipe.number
    wanted = options.get("build-number")
    if number.isdigit() and wanted is not None and int(number) != wanted:
        yield _told(place, line, "the build number", number, str(wanted))
    yield from _entry_points(context, place, recipe)
    if recipe.has_run:
        yield from _requirements(context, place, recipe, known)


def _told(place: str, line: int, what: str, recipe: str, project: str) -> Told:
    return Told(
        f"{what} is '{recipe}' here, and '{project}' in pyproject.toml",
        f"'twofold build' reads pyproject.toml: write '{project}' here too, or remove the recipe",
        f"{place}:{line}",
    )


def _same_version(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _entry_points(context: Context, place: str, recipe: RecipeLines) -> Iterator[Told]:
    scripts = context.project.entry_points.get("console_scripts", {})
    for point, line in recipe.entry_points:
        name, _, target = (part.strip() for part in point.partition("="))
        if name not in scripts:
            yield Told(
                f"the script '{name}' is here, and not in pyproject.toml",
                f'write [project.scripts] {name} = "{target}", or take it out here',
                f"{place}:{line}",
            )
        elif scripts[name].replace(" ", "") != target.replace(" ", ""):
            yield _told(place, line, f"the script '{name}'", target, scripts[name])


def _requirements(
    context: Context, place: str, recipe: RecipeLines, known: dict[str, str]
) -> Iterator[Told]:
    left_out = {
        normalised(str(name)) for name in context.table("tool.twofold.conda").get("leave-out", [])
    }
    declared: dict[str, tuple[str, str]] = {}
    for requirement in context.project.dependencies:
        found = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;@]*)", requirement)
        if found and ";" not in requirement and normalised(found.group(1)) not in left_out:
            called = conda_name(found.group(1), known).lower()
            declared[normalised(called)] = (found.group(2).strip(), requirement)
    added = {
        normalised(str(spec).split(" ")[0])
        for spec in context.table("tool.twofold.conda").get("depends", [])
    }
    there = {normalised(name): (spec, line) for name, (spec, line) in recipe.run.items()}
    for name, (spec, line) in there.items():
        if name in _OF_CONDA or name in added:
            if name == "python":
                yield from _python(context, place, spec, line)
            continue
        if name not in declared:
            yield Told(
                f"'{name}' is a run requirement here, and no dependency in pyproject.toml",
                f'add "{name}" to [project] dependencies, or take it out here',
                f"{place}:{line}",
            )
        elif _clauses(spec) != _clauses(declared[name][0]):
            yield _told(place, line, "the dependency", f"{name} {spec}".strip(), declared[name][1])
    for name, (_, requirement) in declared.items():
        if name not in there and recipe.is_whole:
            yield Told(
                f"'{requirement}' is a dependency in pyproject.toml, and no run requirement here",
                "add it here too, or remove the recipe",
                context.at("dependencies", requirement),
            )


def _python(context: Context, place: str, spec: str, line: int) -> Iterator[Told]:
    wanted = context.project.requires_python
    if spec and wanted and _clauses(spec) != _clauses(wanted):
        yield _told(place, line, "the Python", spec, wanted)


def _clauses(spec: str) -> frozenset[str]:
    """`>=1.24, <3` in any spelling; conda's `1.24.*` is PyPI's `==1.24.*`."""
    parts = (part.strip() for part in spec.replace(" ", "").split(","))
    return frozenset(
        f"=={part}" if part[0].isdigit() else re.sub(r"^=(?!=)(.*?)(?:\.\*)?$", r"==\1.*", part)
        for part in parts
        if part and part != "*"
    )


def _table(table: dict[str, object], key: str) -> dict[str, object]:
    value = table.get(key, {})
    return value if isinstance(value, dict) else {}
