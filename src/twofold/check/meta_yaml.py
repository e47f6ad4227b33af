"""TF303: a conda recipe beside the project that says something else, each difference by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from twofold.check.recipe_lines import RecipeLines, read_recipe
from twofold.check.rule_table import Violation
from twofold.names import to_conda_name
from twofold_build.names import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext

_RECIPE_PATHS = ("meta.yaml", "recipe/meta.yaml", "conda/meta.yaml", "conda.recipe/meta.yaml")
#: What a recipe names besides the project's own dependencies.
_CONDA_ONLY = ("python", "python_abi", "setuptools", "pip")


def recipe_differs(context: ProjectContext) -> Iterator[Violation]:
    """TF303"""
    for place in _RECIPE_PATHS:
        path = os.path.join(context.project.root, place)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield from _compare_recipe(context, place, read_recipe(file.read()))


def _compare_recipe(
    context: ProjectContext, place: str, recipe: RecipeLines
) -> Iterator[Violation]:
    project = context.project
    options = context.table("tool.twofold.conda")
    known = {
        normalize_name(k): v for k, v in _subtable(options, "names").items() if isinstance(v, str)
    }
    called = options.get("name") or to_conda_name(project.name, known)
    name, line = recipe.name
    if (
        name
        and normalize_name(name) != normalize_name(called)
        and normalize_name(name) != normalize_name(project.name)
    ):
        yield _difference(place, line, "the name", name, str(called))
    version, line = recipe.version
    if version and project.version and not _is_same_version(version, project.version):
        yield _difference(place, line, "the version", version, project.version)
    number, line = recipe.number
    wanted = options.get("build-number")
    if number.isdigit() and wanted is not None and int(number) != wanted:
        yield _difference(place, line, "the build number", number, str(wanted))
    yield from _compare_entry_points(context, place, recipe)
    if recipe.has_run:
        yield from _compare_requirements(context, place, recipe, known)


def _difference(place: str, line: int, what: str, recipe: str, project: str) -> Violation:
    return Violation(
        f"{what} is '{recipe}' here, and '{project}' in pyproject.toml",
        f"'twofold build' reads pyproject.toml: write '{project}' here too, or remove the recipe",
        f"{place}:{line}",
    )


def _is_same_version(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _compare_entry_points(
    context: ProjectContext, place: str, recipe: RecipeLines
) -> Iterator[Violation]:
    scripts = context.project.entry_points.get("console_scripts", {})
    for point, line in recipe.entry_points:
        name, _, target = (part.strip() for part in point.partition("="))
        if name not in scripts:
            yield Violation(
                f"the script '{name}' is here, and not in pyproject.toml",
                f'write [project.scripts] {name} = "{target}", or take it out here',
                f"{place}:{line}",
            )
        elif scripts[name].replace(" ", "") != target.replace(" ", ""):
            yield _difference(place, line, f"the script '{name}'", target, scripts[name])


def _compare_requirements(
    context: ProjectContext, place: str, recipe: RecipeLines, known: dict[str, str]
) -> Iterator[Violation]:
    left_out = {
        normalize_name(str(name))
        for name in context.table("tool.twofold.conda").get("leave-out", [])
    }
    declared: dict[str, tuple[str, str]] = {}
    for requirement in context.project.dependencies:
        found = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;@]*)", requirement)
        if found and ";" not in requirement and normalize_name(found.group(1)) not in left_out:
            called = to_conda_name(found.group(1), known).lower()
            declared[normalize_name(called)] = (found.group(2).strip(), requirement)
    added = {
        normalize_name(str(spec).split(" ")[0])
        for spec in context.table("tool.twofold.conda").get("depends", [])
    }
    there = {normalize_name(name): (spec, line) for name, (spec, line) in recipe.run.items()}
    for name, (spec, line) in there.items():
        if name in _CONDA_ONLY or name in added:
            if name == "python":
                yield from _compare_python(context, place, spec, line)
            continue
        if name not in declared:
            yield Violation(
                f"'{name}' is a run requirement here, and no dependency in pyproject.toml",
                f'add "{name}" to [project] dependencies, or take it out here',
                f"{place}:{line}",
            )
        elif _parse_clauses(spec) != _parse_clauses(declared[name][0]):
            yield _difference(
                place, line, "the dependency", f"{name} {spec}".strip(), declared[name][1]
            )
    for name, (_, requirement) in declared.items():
        if name not in there and recipe.is_whole:
            yield Violation(
                f"'{requirement}' is a dependency in pyproject.toml, and no run requirement here",
                "add it here too, or remove the recipe",
                context.location("dependencies", requirement),
            )


def _compare_python(
    context: ProjectContext, place: str, spec: str, line: int
) -> Iterator[Violation]:
    wanted = context.project.requires_python
    if spec and wanted and _parse_clauses(spec) != _parse_clauses(wanted):
        yield _difference(place, line, "the Python", spec, wanted)


def _parse_clauses(spec: str) -> frozenset[str]:
    """`>=1.24, <3` in any spelling; conda's `1.24.*` is PyPI's `==1.24.*`."""
    parts = (part.strip() for part in spec.replace(" ", "").split(","))
    return frozenset(
        f"=={part}" if part[0].isdigit() else re.sub(r"^=(?!=)(.*?)(?:\.\*)?$", r"==\1.*", part)
        for part in parts
        if part and part != "*"
    )


def _subtable(table: dict[str, object], key: str) -> dict[str, object]:
    value = table.get(key, {})
    return value if isinstance(value, dict) else {}
