"""Collect the files of about/license_file for info/licenses/."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.building.packaged import read_small_file
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.read.jinja_modules import BUILD_FOLDER
from twofold.recipe.read.meta_yaml import find_roots

_MAX_BRACES = 4


def collect_licenses(recipe: Recipe, output: Output, source: Path) -> dict[str, bytes]:
    """Collect the files, from the source or beside the recipe: path below info/ -> content.

    Of meta.yaml what begins with a dot is called LICENSE0.txt and so on, as conda-build names it:
    `../LICENSE` would leave the folder. Raises ProjectErrors with a line for each missing file.
    """
    found = {}
    problems = []
    numbers = count()
    for line in output.license_files:
        where = line.where(recipe.path.name)
        named = _find_licenses(recipe, line, source)
        if not named:
            message = f"the licence file '{line.text}' does not exist"
            hint = "name a file below the source or beside the recipe"
            problems.append(Problem(message, hint, where))
        for name, path in named.items():
            is_renamed = line.text.startswith(".") and not recipe.is_v1
            own = f"LICENSE{next(numbers)}" if is_renamed else name
            if not path.is_dir():
                found[f"licenses/{own}" + ".txt" * is_renamed] = read_small_file(path, where)
                continue
            for inner, file in _list_files(path):
                place = f"licenses/{own}/{inner}" if own != "." else f"licenses/{inner}"
                found[place] = read_small_file(file, where)
    if problems:
        raise ProjectErrors(problems)
    return found


def _list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder, without links that lead out of it."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.resolve().is_relative_to(folder):
            yield file.relative_to(folder).as_posix(), file


def _find_licenses(recipe: Recipe, line: Line, source: Path) -> dict[str, Path]:
    """Find the files and folders that a line names: their names -> where they are.

    Names and patterns are those of the source; where it has none, of the recipe's folder.
    """
    below = BUILD_FOLDER.match(line.text)
    roots = [recipe.folder] if below else [source, recipe.folder]
    name = os.path.normpath(line.text[below.end() :] if below else line.text).replace("\\", "/")
    for root in (root.resolve() for root in roots):
        found = {name: root / name}
        if recipe.is_v1 and set(name) & set("*?[{"):
            found = _find_pattern(root, name)  # meta.yaml has none
        inside = {name: path.resolve() for name, path in found.items() if path.exists()}
        inside = {name: path for name, path in inside.items() if path.is_relative_to(root)}
        if inside:
            return inside
    if not recipe.is_v1:
        # conda-build finds `../LICENSE` from the recipe's folder too.
        above = (recipe.folder / name).resolve()
        if above.exists() and any(above.is_relative_to(root) for root in find_roots(recipe.path)):
            return {name: above}
    return {}


def _find_pattern(root: Path, pattern: str) -> dict[str, Path]:
    """Find files by a pattern of recipe v1, whose `*` goes through folders, as in rattler-build."""
    patterns = _expand_braces(pattern)
    patterns += [re.sub(r"(^|/)\*\*/", r"\1", one) for one in patterns]
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        names = [name.as_posix(), *(folder.as_posix() for folder in name.parents[:-1])]
        if path.is_file() and any(fnmatchcase(one, form) for one in names for form in patterns):
            found[name.as_posix()] = path
    return found


def _expand_braces(pattern: str) -> list[str]:
    """Write `*.{md,txt}` as two patterns; of more than four braces none is expanded."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None or pattern.count("{") > _MAX_BRACES:
        return [pattern]
    ends = pattern[: found.start()], pattern[found.end() :]
    return [one for choice in found[1].split(",") for one in _expand_braces(choice.join(ends))]
