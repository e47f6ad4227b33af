"""Recipes that need a host environment: written as recipe v1, or as they are, for rattler-build."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from twofold.artifact import Kind
from twofold.recipe.building.rattler import HostSettings, build_v1
from twofold.recipe.building.variations import BuildStep
from twofold.recipe.model import Recipe
from twofold.recipe.read.variants import NAMES, PYTHON_MIN, find_variant_files
from twofold.recipe.request import RecipeRequest
from twofold.recipe.write.to_v1 import render_v1, translate_recipe


def build_unchanged(path: Path, out: Path, request: RecipeRequest) -> list[Path]:
    """Build a recipe.yaml with the variants that lie beside it."""
    files = tuple(find_variant_files(path, request.variant_files))
    variants = {"python": [request.platform.python], "python_min": [PYTHON_MIN]}
    return _build_kinds(path, out, request, variants, files)


def build_as_v1(
    step: BuildStep, source: Path | None, out: Path, request: RecipeRequest, work: Path
) -> list[Path]:
    """Write the recipe as v1 beside copies of its scripts, and have it built in a host.

    All its outputs are built, for they may need one another; those of the step are kept.
    """
    recipe = step.recipe
    work.mkdir(exist_ok=True)
    path = _copy_recipe_folder(recipe, source, work / "recipe") / "recipe.yaml"
    use = {place: sorted(variation.values) for place, variation in step.built.items()}
    request.report(f"{recipe.path.name} needs a host environment: built as recipe v1")
    path.write_text(
        render_v1(translate_recipe(recipe, source, request.report, use)), encoding="utf-8"
    )
    variants = {name: [value] for name, value in recipe.variant.items()}
    variants.setdefault("python", [recipe.platform.python])
    keep = frozenset(recipe.outputs[place].name for place in step.built)
    return _build_kinds(path, out, request, variants, (), keep, str(recipe.path))


def _copy_recipe_folder(recipe: Recipe, source: Path | None, folder: Path) -> Path:
    """Copies of what lies beside the recipe; its variants have been read."""
    ignored = ("conda-bld", ".git", recipe.path.name, *NAMES)
    if source is not None:
        return Path(shutil.copytree(recipe.folder, folder, ignore=shutil.ignore_patterns(*ignored)))
    # conda-build gives a recipe without a source an empty work folder.
    folder.mkdir()
    for path in recipe.folder.iterdir():
        if path.is_file() and path.name not in ignored:
            shutil.copy(path, folder / path.name)
    return folder


def _build_kinds(
    path: Path,
    out: Path,
    request: RecipeRequest,
    variants: Mapping[str, list[str]],
    files: tuple[Path, ...],
    keep: frozenset[str] = frozenset(),
    error_location: str = "",
) -> list[Path]:
    forms = {Kind.CONDA: "conda", Kind.TAR_BZ2: "tar-bz2"}
    made = []
    for kind in request.kinds:
        host = HostSettings(
            channels=request.channels,
            subdir=request.platform.subdir,
            variants=dict(variants),
            variant_files=files,
            keep=keep,
            package_format=forms[kind],
            error_location=error_location,
            report=request.report,
        )
        made += build_v1(path, out, host)
    return made
