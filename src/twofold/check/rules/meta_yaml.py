"""TF303: a conda recipe beside the project that says something else, each difference by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from twofold.check.rule_table import Violation
from twofold.names import to_conda_name
from twofold_build.names import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext

_RECIPE_PATHS = ("meta.yaml", "recipe/meta.yaml", "conda/meta.yaml", "conda.recipe/meta.yaml")
#: What a recipe names besides the project's own dependencies.
_CONDA_ONLY = ("python", "python_abi", "setuptools", "pip")


def compare_recipes(context: ProjectContext) -> Iterator[Violation]:
    """TF303: every recipe beside the project, compared with pyproject.toml."""
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
    is_number = number.isascii() and number.isdigit() and len(number) < 20
    if is_number and wanted is not None and int(number) != wanted:
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


class RecipeLines(NamedTuple):
    """Each value with its line; a line of 0 means that it is not written in plain sight.

    `run` maps lower-case names to (version spec, line). `is_whole` says that no selector or
    template hides a requirement.
    """

    name: tuple[str, int] = ("", 0)
    version: tuple[str, int] = ("", 0)
    number: tuple[str, int] = ("", 0)
    entry_points: tuple[tuple[str, int], ...] = ()
    run: dict[str, tuple[str, int]] = {}  # noqa: RUF012 (never changed)
    has_run: bool = False
    is_whole: bool = True


def read_recipe(text: str) -> RecipeLines:
    """Never raises: a recipe of another shape simply says less."""
    form = r"""\{%-?\s*+set\s++(\w++)\s*+=\s*+["']?([^"'%{]*+)["']?\s*+-?%\}"""
    variables = {
        name: value.strip().removesuffix(" -").rstrip() for name, value in re.findall(form, text)
    }
    values: dict[str, tuple[str, int]] = {}
    run: dict[str, tuple[str, int]] = {}
    points: list[tuple[str, int]] = []
    path: list[tuple[int, str]] = []
    has_run, whole = False, True
    for number, raw in enumerate(text.splitlines(), 1):
        line = _fill_in(raw, variables)
        plain = re.sub(r"(?:^|\s)#.*", "", line).rstrip()
        if not plain.strip() or plain.lstrip().startswith("{%"):
            continue
        indent = len(plain) - len(plain.lstrip())
        key = re.match(r"\s*([\w-]+)\s*:(?:\s+(.*))?$", plain)
        item = re.match(r"\s*-\s+(.*)$", plain)
        while path and (path[-1][0] > indent or (path[-1][0] == indent and not item)):
            path.pop()
        where = ".".join(name for _, name in path)
        if item:
            value = item.group(1).strip().strip("\"'")
            hidden = "{{" in value or re.search(r"#\s*\[[^\]#]+\]", line) is not None
            if where == "requirements.run":
                has_run, whole = True, whole and not hidden
                name, _, _spec = value.partition(" ")
                name = re.match(r"[\w.-]*", name).group().lower()  # type: ignore[union-attr]
                if not hidden and name:
                    run[name] = (value[len(name) :].strip(), number)
            elif where == "build.entry_points" and not hidden:
                points.append((value, number))
        elif key:
            path.append((indent, key.group(1)))
            value = (key.group(2) or "").strip().strip("\"'")
            dotted = ".".join(name for _, name in path)
            if value and "{{" not in value:
                values.setdefault(dotted, (value, number))
            if dotted == "requirements.run":
                has_run = True
    return RecipeLines(
        values.get("package.name", ("", 0)),
        values.get("package.version", ("", 0)),
        values.get("build.number", ("", 0)),
        tuple(points),
        run,
        has_run,
        whole,
    )


def _fill_in(line: str, variables: dict[str, str]) -> str:
    """`{{ name|lower }}` with what `{% set %}` gave it."""

    def fill(found: re.Match[str]) -> str:
        value = variables.get(found.group(1), found.group())
        return value.lower() if "lower" in (found.group(2) or "") else value

    return re.sub(r"\{\{\s*+(\w++)\s*+(\|\s*+lower)?\s*+\}\}", fill, line)
