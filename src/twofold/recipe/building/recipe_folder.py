"""`build_recipe`: build the recipe in a folder; the output folder is itself a channel."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from twofold.artifact import Artifact
from twofold.errors import TwofoldError
from twofold.formats.reader import read_artifact
from twofold.formats.wheel import WheelFile
from twofold.recipe.building.build_method import BuildMethod, choose_methods
from twofold.recipe.building.from_wheels import BuildQueue
from twofold.recipe.building.variations import BuildStep, plan_builds, read_combinations
from twofold.recipe.building.with_rattler import build_unchanged
from twofold.recipe.model import Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.read.recipe_yaml import has_v1_form, read_recipe_yaml
from twofold.recipe.read.v1_expressions import UnsupportedRecipe
from twofold.recipe.read.variants import read_variants
from twofold.recipe.read.yaml_lines import read_recipe_text, read_tree
from twofold.recipe.request import BuildWheel, Environ, RecipeRequest

_NOARCH = re.compile(r"\bnoarch:")
#: The names of recipes, in the order they are looked for; the last is the form of CEP 13.
NAMES = ("meta.yaml", "meta.yml", "recipe.yaml")


def find_recipe(folder: Path) -> Path | None:
    """Find the recipe in a folder, if any."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def require_recipe(folder: Path) -> Path:
    """Find the recipe in a folder. Raises TwofoldError if there is none."""
    path = find_recipe(folder)
    if path is None:
        hint = "write one with 'twofold recipe', or run 'twofold build' in a project"
        raise TwofoldError(f"there is no {' or '.join(NAMES[::2])} in {folder}", hint)
    return path


def find_noarch_platforms(folder: Path) -> tuple[str, ...]:
    """Find the platforms of a noarch recipe in conda-forge.yml, if it names any.

    conda-smithy's file is beside a recipe, or beside the folder `recipe` of a feedstock.
    """
    path = require_recipe(folder)
    if not _NOARCH.search(read_recipe_text(path)):
        return ()
    above = folder.resolve().parent if folder.resolve().name == "recipe" else folder
    for beside in dict.fromkeys((folder, above)):
        file = beside / "conda-forge.yml"
        if file.is_file():
            named = read_tree(read_recipe_text(file), file.name, lambda line: line, []).value
            node = named.get("noarch_platforms") if isinstance(named, dict) else None
            values = (part.value for part in node.items()) if node else ()
            return tuple(one.replace("_", "-") for one in values if isinstance(one, str))
    return ()


def build_recipe(folder: Path, request: RecipeRequest) -> list[Artifact]:
    """Build the recipe in a folder, as `conda build .` does.

    Writes `<out>/<subdir>/<name>-<version>-<build>.conda` for each output, and for each combination
    of the variants' values it uses, and indexes `out`. Returns the packages in the order they were
    built, [] when the recipe skips this platform. Raises TwofoldError; nothing half-written stays
    under a final name.
    """
    path = require_recipe(folder)
    out = request.out or folder / "conda-bld"
    with tempfile.TemporaryDirectory(prefix="twofold-recipe-") as kept:
        work = Path(kept).resolve()
        packages = _build(path, out, request, work)
        artifacts = [read_artifact(package) for package in packages]
    if artifacts:
        from twofold.index.folder import index_folder

        index_folder(out)
    return artifacts


def read_for_request(path: Path, request: RecipeRequest, work: Path) -> Recipe:
    """Read a recipe as requested, with the first value of each variant.

    A setup.py that computes is built in `work`. Raises UnsupportedRecipe for a
    recipe.yaml that needs more than twofold builds directly.
    """
    context = _make_context(path, request, work)
    return (read_recipe_yaml if has_v1_form(path) else read_recipe)(path, context)


def _make_context(path: Path, request: RecipeRequest, work: Path) -> ReadContext:
    known: dict[Path, bytes] = {}  # it takes a build, and a recipe may be read many times

    def metadata_of(project: Path) -> bytes:
        if project not in known:
            known[project] = _build_metadata(project, request.build_wheel, work)
        return known[project]

    return ReadContext(
        folder=path.parent,
        roots=find_roots(path),
        platform=request.platform,
        environ=Environ(request.environment),
        metadata_of=metadata_of,
    )


def _build_metadata(project: Path, build_wheel: BuildWheel, work: Path) -> bytes:
    target = work / "metadata"
    target.mkdir(exist_ok=True)
    with WheelFile(build_wheel(project, target)) as wheel:
        return wheel.metadata_bytes


def _build(path: Path, out: Path, request: RecipeRequest, work: Path) -> list[Path]:
    """Build directly if the recipe only installs Python code, else with rattler-build."""
    try:
        steps = plan_recipe(path, request, work)
    except UnsupportedRecipe as beyond:
        request.report(f"{path.name} is built by rattler-build: {beyond}")
        return build_unchanged(path, out, request)
    if steps[0].recipe.is_v1:
        chosen = choose_methods(steps[0].recipe, request.allow_network)
        if chosen and chosen[0].method is BuildMethod.HOST:
            return build_unchanged(path, out, request)
    return _build_steps(steps, out, request, work)


def plan_recipe(path: Path, request: RecipeRequest, work: Path) -> list[BuildStep]:
    """Read a recipe for each combination of its variants, and plan what each makes.

    Raises UnsupportedRecipe for a recipe.yaml that needs more than twofold builds directly.
    """
    if has_v1_form(path):
        if path.name != "recipe.yaml":
            request.report(f"{path.name} is in the form of recipe.yaml: rename it")
        if request.variant_files or request.base_variant_files:
            raise UnsupportedRecipe("variant files are given")
        return plan_builds([read_for_request(path, request, work)])
    context = _make_context(path, request, work)
    variants = read_variants(
        path,
        request.platform,
        context.environ,
        request.variant_files,
        request.base_variant_files,
    )

    def read_with(values: Mapping[str, str]) -> Recipe:
        return read_recipe(
            path, replace(context, variant=values, pins=variants.pins, lists=variants.lists)
        )

    readings = read_combinations(variants, read_with)
    remarks = [remark for recipe in readings for remark in recipe.remarks]
    for remark in dict.fromkeys([*variants.remarks, *remarks]):
        request.report(remark)
    return plan_builds(readings)


def _build_steps(
    steps: Sequence[BuildStep], out: Path, request: RecipeRequest, work: Path
) -> list[Path]:
    chosen = [
        (step, choose_methods(step.recipe, request.allow_network)) for step in steps if step.built
    ]
    if not chosen:
        recipe = steps[0].recipe
        request.report(
            f"{recipe.path.name}: build/skip is true on {recipe.platform.subdir}: nothing is built"
        )
        return []
    builds = BuildQueue(out, request, work)
    for step, methods in chosen:
        builds.add(step, methods)
    return builds.build_all()
