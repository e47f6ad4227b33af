"""`twofold build --recipe-dir`: many folders with recipes, each built after those it requires."""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from twofold.artifact import Artifact
    from twofold.building.options import BuildRequest, BuildResult
    from twofold.cli.recipe_options import RecipeOptions
    from twofold.errors import Problem, TwofoldError
    from twofold.recipe.request import RecipeRequest

#: Folders that hold what was built, or another tool's files.
_PASSED_OVER = frozenset({"conda-bld", "dist", "node_modules"})
#: `recipes/NAME`, `feedstocks/NAME-feedstock/recipe`, and one folder more.
_DEPTH = 3


def find_recipe_folders(root: Path, depth: int = _DEPTH) -> list[Path]:
    """Find the folders with a recipe below a folder, sorted; none is inside another one."""
    return list(_walk(root, depth))


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    from twofold.recipe import find_recipe

    if depth == 0:
        return
    for one in sorted(folder.iterdir()):
        if one.name.startswith(".") or one.name in _PASSED_OVER or not one.is_dir():
            continue
        if find_recipe(one):
            yield one
        elif not one.is_symlink():
            yield from _walk(one, depth - 1)


def check_recipes_below(folder: Path) -> None:
    """Raise TwofoldError for a folder that is no project but has recipes below it."""
    from twofold.errors import TwofoldError
    from twofold.recipe.read.meta_yaml import is_project

    if not folder.is_dir() or is_project(folder):
        return
    found = find_recipe_folders(folder, 2)
    if found:
        hint = f"run 'twofold build {found[0]}'"
        if len(found) > 1:
            hint = f"build all {len(found)} with --recipe-dir, or {hint}"
        raise TwofoldError(f"there is no project and no recipe in {folder}, but below it", hint)


def build_recipes(path: str, request: BuildRequest, options: RecipeOptions) -> BuildResult:
    """Build the conda packages of every recipe in the folders of `path`, into one channel.

    All recipes are read before the first is built. Raises TwofoldError, with every mistake of all.
    """
    import time

    from twofold.building import write_manifest
    from twofold.building.options import BuildResult, BuiltFile
    from twofold.cli.recipe import build_for_targets
    from twofold.errors import ProjectErrors, TwofoldError

    started = time.perf_counter()
    out = Path(request.out if request.out is not None else path)
    requests, _ = _read_recipes(path, request, options)
    (out / "conda-bld" / "noarch").mkdir(parents=True, exist_ok=True)
    result = BuildResult("", "", "the recipes")
    makers: dict[Path, Path] = {}
    for folder, own in requests.items():
        request.report(f"building {folder.relative_to(path)}")
        try:
            artifacts = build_for_targets(folder, own)
        except TwofoldError as error:
            raise ProjectErrors(_name_folder(folder, error)) from error
        for artifact in artifacts:
            _check_maker(makers, folder, artifact)
            result.artifacts.append(
                BuiltFile(artifact.kind.value, str(artifact.path), artifact.sha256, artifact.size)
            )
            result.name, result.version = artifact.name, artifact.version
    write_manifest(str(out), result.artifacts, {})
    result.seconds = time.perf_counter() - started
    return result


def _check_maker(makers: dict[Path, Path], folder: Path, artifact: Artifact) -> None:
    """Raise TwofoldError if another recipe made this file: it would be lost without a word."""
    from twofold.errors import TwofoldError

    first = makers.setdefault(artifact.path, folder)
    if first != folder:
        raise TwofoldError(
            f"two recipes make {artifact.filename}: the one in {first} is overwritten",
            "give one of them another name, version or build number",
            str(folder),
        )


def render_recipes(
    path: str, request: BuildRequest, options: RecipeOptions
) -> list[dict[str, Any]]:
    """Render every recipe in the folders of `path`, in the order they would be built."""
    requests, packages = _read_recipes(path, request, options)
    return [package for folder in requests for package in packages[folder]]


def _read_recipes(
    path: str, request: BuildRequest, options: RecipeOptions
) -> tuple[dict[Path, list[RecipeRequest]], dict[Path, list[dict[str, Any]]]]:
    """Read all recipes; returns their requests in the order of building, and their packages."""
    from twofold.errors import ProjectErrors, TwofoldError
    from twofold.recipe.building.rendering import render_recipe, sort_recipes

    root = Path(path)
    folders = find_recipe_folders(root)
    if not folders:
        raise TwofoldError(f"no folder in {path} has a recipe", "name the folder above recipes")
    requests = _make_requests(root, folders, request, options)
    packages: dict[Path, list[dict[str, Any]]] = {}
    problems: list[Problem] = []
    for folder in folders:
        try:
            packages[folder] = [
                one for own in requests[folder] for one in render_recipe(folder, own)
            ]
        except TwofoldError as error:
            problems += _name_folder(folder, error)
    if problems:
        raise ProjectErrors(problems)
    return {folder: requests[folder] for folder in sort_recipes(packages)}, packages


def _make_requests(
    root: Path, folders: list[Path], request: BuildRequest, options: RecipeOptions
) -> dict[Path, list[RecipeRequest]]:
    """Make the requests of each folder: for the platforms given, or for its noarch_platforms."""
    from dataclasses import replace

    from twofold.cli.recipe import build_wheel, make_requests, read_platforms, with_noarch_platforms

    channel = Path(request.out if request.out is not None else root, "conda-bld")

    def wheel_of(source: Path, target: Path) -> Path:
        return build_wheel(source, target, is_checked=False)

    # What one recipe makes the next one's host needs; it is built before.
    given = make_requests(request, options, wheel_of, channel)
    given = [replace(one, channels=(str(channel), *one.channels)) for one in given]
    made = {}
    for folder in folders:
        targets = with_noarch_platforms(folder, options, request.report).targets
        platforms = read_platforms(targets) if targets != options.targets else ()
        own = [replace(given[0], platform=one) for one in platforms] if given else []
        made[folder] = own or given
    return made


def _name_folder(folder: Path, error: TwofoldError) -> list[Problem]:
    """Name the folder in the places of an error's problems, which begin with the recipe's file."""
    from twofold.errors import Problem

    def locate(where: str) -> str:
        return where if where.startswith(str(folder)) else f"{folder}/{where}".rstrip("/")

    return [Problem(one.message, one.hint, locate(one.where)) for one in error.problems]
