"""`build_recipe`: a folder with a recipe -> packages in a folder that is itself a channel."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.conda_metadata import CondaPackage
from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.formats.opening import read
from twofold.formats.wheel import WheelFile
from twofold.recipe.calls import Surroundings
from twofold.recipe.described import describe, describe_empty
from twofold.recipe.draft import project_options
from twofold.recipe.laid_down import write_empty, write_package
from twofold.recipe.model import Output, Recipe
from twofold.recipe.platforms import Environ
from twofold.recipe.rattler import Host, build_v1
from twofold.recipe.reading import find_roots, read_recipe
from twofold.recipe.reading_v1 import Beyond, read_v1
from twofold.recipe.request import BuildWheel, RecipeRequest
from twofold.recipe.sources import bring
from twofold.recipe.v1 import as_v1, v1_text
from twofold.recipe.variants import PYTHON_MIN
from twofold.recipe.ways import Chosen, Way, choose, exporting_host, project_folder

#: The names of recipes, in the order they are looked for; the last is the form of CEP 13.
NAMES = ("meta.yaml", "meta.yml", "recipe.yaml")


def find_recipe(folder: Path) -> Path | None:
    """The recipe that lies in a folder, if any."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def build_recipe(folder: Path, request: RecipeRequest) -> list[Artifact]:
    """Do what `conda build .` is expected to do in a folder with meta.yaml (or recipe.yaml).

    Writes `<out>/<subdir>/<name>-<version>-<build>.conda` for each output and indexes `out`.
    Returns the packages in the order they were built, [] when the recipe skips this platform.
    Raises TwofoldError; nothing half-written stays under a final name.
    """
    path = find_recipe(folder)
    if path is None:
        hint = "write one with 'twofold recipe', or run 'twofold build' in a project"
        raise TwofoldError(f"there is no {' or '.join(NAMES[::2])} in {folder}", hint)
    out = request.out or folder / "conda-bld"
    with tempfile.TemporaryDirectory(prefix="twofold-recipe-") as kept:
        work = Path(kept).resolve()
        if path.name == "recipe.yaml":
            packages = _from_v1(path, out, request, work)
        else:
            packages = _from_meta(path, out, request, work)
        artifacts = [read(package) for package in packages]
    if artifacts:
        from twofold.index.folder import index_folder

        index_folder(out)
    return artifacts


def read_for(path: Path, request: RecipeRequest, work: Path) -> Recipe:
    """Read a recipe as the request wants it; a setup.py that computes is built in `work`.

    Raises Beyond for a recipe.yaml that says more than twofold builds directly.
    """
    around = Surroundings(
        folder=path.parent,
        roots=find_roots(path),
        platform=request.platform,
        environ=Environ(request.environment),
        metadata_of=lambda project: _metadata(project, request.build_wheel, work),
    )
    return (read_v1 if path.name == "recipe.yaml" else read_recipe)(path, around)


def _metadata(project: Path, build_wheel: BuildWheel, work: Path) -> bytes:
    target = work / "metadata"
    target.mkdir(exist_ok=True)
    with WheelFile(build_wheel(project, target)) as wheel:
        return wheel.metadata_bytes


def _from_v1(path: Path, out: Path, request: RecipeRequest, work: Path) -> list[Path]:
    """Directly where the recipe only installs Python code, else as it is by rattler-build."""
    try:
        recipe = read_for(path, request, work)
    except Beyond as beyond:
        request.say(f"{path.name} is built by rattler-build: {beyond}")
        return _in_host(path, out, request)
    chosen = choose(recipe)
    if chosen and chosen[0].way is Way.HOST:
        return _in_host(path, out, request)
    return _built(recipe, chosen, out, request, work)


def _from_meta(path: Path, out: Path, request: RecipeRequest, work: Path) -> list[Path]:
    recipe = read_for(path, request, work)
    for remark in recipe.remarks:
        request.say(remark)
    return _built(recipe, choose(recipe), out, request, work)


def _built(
    recipe: Recipe, chosen: Sequence[Chosen], out: Path, request: RecipeRequest, work: Path
) -> list[Path]:
    if not chosen:
        path = recipe.path
        request.say(
            f"{path.name}: build/skip is true on {recipe.platform.subdir}: nothing is built"
        )
        return []
    source = None
    if recipe.sources:
        (work / "source").mkdir()
        source = bring(recipe, work / "source")
    if chosen[0].way is Way.HOST:
        return _translated(recipe, source, out, request, work)
    wheels = _wheels(recipe, chosen, source, request, work)
    exporting = [name for one in chosen for name in _exporting(recipe, source, one, wheels)]
    if exporting:
        request.say(
            f"{recipe.path.name}: the project holds compiled code, and {', '.join(exporting)} of "
            "its host may export requirements to it"
        )
        return _translated(recipe, source, out, request, work)
    return _directly(recipe, _in_order(recipe, chosen), source, out, request, wheels)


def _wheels(
    recipe: Recipe,
    chosen: Sequence[Chosen],
    source: Path | None,
    request: RecipeRequest,
    work: Path,
) -> dict[Path, Path]:
    """Folder of a Python project -> its wheel; a project is built once for all its outputs."""
    wheels: dict[Path, Path] = {}
    for one in chosen:
        if one.way is Way.INSTALL:
            folder = project_folder(recipe, source, one)
            if folder not in wheels:
                target = work / f"wheel-{len(wheels)}"
                target.mkdir()
                wheels[folder] = request.build_wheel(folder, target)
    return wheels


def _exporting(
    recipe: Recipe, source: Path | None, one: Chosen, wheels: Mapping[Path, Path]
) -> list[str]:
    """What the host of compiled code may export to it; only a host environment can tell."""
    if one.way is not Way.INSTALL:
        return []
    with WheelFile(wheels[project_folder(recipe, source, one)]) as wheel:
        pure = all(tag.endswith("-any") for tag in wheel.name.tags)
    return [] if pure else exporting_host(one.output)


def _directly(
    recipe: Recipe,
    chosen: Sequence[Chosen],
    source: Path | None,
    out: Path,
    request: RecipeRequest,
    wheels: Mapping[Path, Path],
) -> list[Path]:
    """Each output from the wheel of its project."""
    made: dict[str, CondaPackage] = {}
    packages: list[Path] = []
    for one in chosen:
        if one.way is Way.EMPTY:
            package = describe_empty(recipe, one.output, source or recipe.folder, made)
            packages += [write_empty(package, out, kind) for kind in request.kinds]
        else:
            folder = project_folder(recipe, source, one)
            with WheelFile(wheels[folder]) as wheel:
                described = describe(
                    recipe,
                    one.output,
                    source or recipe.folder,
                    wheel,
                    made,
                    project_options(folder),
                )
                for remark in described.remarks:
                    request.say(remark)
                package = described.package
                packages += [write_package(wheel, package, out, kind) for kind in request.kinds]
        made[one.output.name] = package
    return packages


def _in_order(recipe: Recipe, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Outputs after those they pin with `pin_subpackage`. A circle is an error."""
    waiting = list(chosen)
    names = {one.output.name for one in chosen}
    done: list[Chosen] = []
    while waiting:
        built = {one.output.name for one in done}
        ready = [one for one in waiting if _pins(recipe, one.output) & names <= built]
        if not ready:
            circle = ", ".join(one.output.name for one in waiting)
            problem = Problem(
                f"these outputs pin each other in a circle: {circle}",
                "let one of them name the other without pin_subpackage",
                f"{recipe.path.name}:{waiting[0].output.line}: outputs",
            )
            raise ProjectErrors([problem])
        done += ready
        waiting = [one for one in waiting if one not in ready]
    return done


def _pins(recipe: Recipe, output: Output) -> set[str]:
    lines = (*output.requirements.run, *output.requirements.constrained)
    calls = [recipe.calls.find(line.text) for line in lines]
    pins = {call.name for call in calls if call and call.function == "pin_subpackage"}
    return pins - {output.name}


def _translated(
    recipe: Recipe, source: Path | None, out: Path, request: RecipeRequest, work: Path
) -> list[Path]:
    """Write the recipe as v1 beside copies of its scripts, and have it built in a host."""
    import shutil

    folder = work / "recipe"
    ignored = shutil.ignore_patterns("conda-bld", ".git", recipe.path.name)
    if source is None:
        # conda-build gives a recipe without a source an empty work folder.
        (folder).mkdir()
        for path in recipe.folder.iterdir():
            if path.is_file() and path.name != recipe.path.name:
                shutil.copy(path, folder / path.name)
    else:
        shutil.copytree(recipe.folder, folder, ignore=ignored)
    path = folder / "recipe.yaml"
    path.write_text(v1_text(as_v1(recipe, source)), encoding="utf-8")
    request.say(f"{recipe.path.name} needs a host environment: built as recipe v1")
    return _in_host(path, out, request)


def _in_host(path: Path, out: Path, request: RecipeRequest) -> list[Path]:
    forms = {Kind.CONDA: "conda", Kind.TAR_BZ2: "tar-bz2"}
    made = []
    for kind in request.kinds:
        host = Host(
            channels=request.channels,
            subdir=request.platform.subdir,
            variants={"python": [request.platform.python], "python_min": [PYTHON_MIN]},
            package_format=forms[kind],
            say=request.say,
        )
        made += build_v1(path, out, host)
    return made
