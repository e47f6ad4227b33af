"""Build recipes that need a host environment, with py-rattler-build.

A recipe.yaml is built as it is; a meta.yaml is first translated to recipe v1. No other module
imports py-rattler-build.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from twofold.artifact import Kind
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.fetching import require_local
from twofold.names import parse_conda_name
from twofold.recipe.building.skipped_variants import is_skipped
from twofold.recipe.building.variations import BuildStep
from twofold.recipe.model import Recipe
from twofold.recipe.read.variants import MAX_COMBINATIONS, NAMES, PYTHON_MIN, find_variant_files
from twofold.recipe.request import RecipeRequest
from twofold.recipe.write.to_v1 import render_v1, translate_recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rattler_build import RenderedVariant
    from rattler_build.progress import LogEvent, ProgressCallback


#: Defaults of `stdlib('c')`, as conda-forge has them.
_STDLIB: dict[str, dict[str, list[str]]] = {
    "linux": {"c_stdlib": ["sysroot"], "c_stdlib_version": ["2.17"]},
    "osx": {"c_stdlib": ["macosx_deployment_target"], "c_stdlib_version": ["11.0"]},
    "win": {"c_stdlib": ["vs"]},
}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Settings of a build with a host environment.

    `variants` are values for names such as `python`: `{"python": ["3.12"]}`; those of
    `variant_files` (conda_build_config.yaml's form) go before them. `keep` names the packages that
    are wanted, all of them when empty. `package_format` is 'conda' or 'tar-bz2'.
    `error_location` is the file to name when a build fails.
    """

    channels: tuple[str, ...]
    subdir: str
    variants: dict[str, list[str]]
    variant_files: tuple[Path, ...] = ()
    keep: frozenset[str] = frozenset()
    package_format: str = "conda"
    error_location: str = ""
    report: Callable[[str], None] = lambda _: None


def build_v1(path: Path, out: Path, host: HostSettings) -> list[Path]:
    """Build recipe.yaml at `path`; the packages appear in `out/<subdir>/` when all are built.

    Raises TwofoldError for a recipe that rattler-build cannot read, ToolFailed with its log when
    a build fails.
    """
    variants = _render_variants(path, host)
    draft = out / ".rattler-build"
    if draft.exists():
        shutil.rmtree(draft)
    try:
        built = [
            package for variant in variants for package in _build_variant(variant, draft, host)
        ]
        made = []
        for package in built:
            if host.keep and parse_conda_name(package.name).name not in host.keep:
                continue
            target = out / package.parent.name / package.name
            target.parent.mkdir(parents=True, exist_ok=True)
            package.replace(target)
            made.append(target)
        return made
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _render_variants(path: Path, host: HostSettings) -> Sequence[RenderedVariant]:
    try:
        from rattler_build import (
            JinjaConfig,
            PlatformConfig,
            RattlerBuildError,
            RenderConfig,
            Stage0Recipe,
            VariantConfig,
        )
    except ImportError as error:
        raise TwofoldError(
            "this recipe needs a host environment or a compiler: py-rattler-build builds such "
            "recipes and is not installed",
            "install it with: pip install 'twofold[conda]'",
            str(path),
        ) from error
    try:
        recipe = Stage0Recipe.from_file(path)
        platform = PlatformConfig(target_platform=host.subdir)
        variants = VariantConfig(_STDLIB.get(host.subdir.split("-")[0], {}) | host.variants)
        for file in host.variant_files:
            own = VariantConfig.from_conda_build_config(file, JinjaConfig(platform=platform))
            variants = variants.merge(own)
        rendered = recipe.render(variants, RenderConfig(platform))
    except RattlerBuildError as error:
        raise TwofoldError(
            f"rattler-build cannot read the recipe: {error}", "", host.error_location or str(path)
        ) from error
    rendered = [
        one
        for one in rendered
        if not is_skipped(path, one.recipe.package.name, _read_values(one), host.subdir)
    ]
    names = {variant.recipe.package.name for variant in rendered}
    if len(rendered) > MAX_COMBINATIONS * max(1, len(names)):
        raise TwofoldError(
            f"the recipe would become {len(rendered)} packages of {len(names)} outputs",
            "leave out values, or tie names together with zip_keys",
            str(host.variant_files[0] if host.variant_files else path),
        )
    return rendered


def _read_values(variant: RenderedVariant) -> dict[str, str]:
    return {str(key): str(text) for key, text in variant.variant.items()}


def _channel_url(channel: str) -> str:
    """Convert a folder to a file URL; keep names and URLs."""
    folder = Path(channel)
    if "://" not in channel and folder.is_dir():
        return folder.resolve().as_uri()
    require_local(channel)
    return channel


class _LogCollector:
    """Collects the log of rattler-build, reported when a build fails."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        self.lines.append(event.message)


def _build_variant(variant: RenderedVariant, draft: Path, host: HostSettings) -> list[Path]:
    from rattler_build import RattlerBuildError, ToolConfiguration

    name = variant.recipe.package.name
    log = _LogCollector()
    host.report(
        f"building {name} with rattler-build; channels: {', '.join(host.channels) or 'none'}"
    )
    try:
        result = variant.run_build(
            ToolConfiguration(test_strategy="skip"),
            output_dir=draft,
            channels=[*map(_channel_url, host.channels), draft.resolve().as_uri()],
            package_format=host.package_format,
            # rattler-build only calls on_log, though its type requires more methods.
            progress_callback=cast("ProgressCallback", log),
            no_build_id=True,
        )
    except RattlerBuildError as error:
        raise SubprocessFailed(
            f"rattler-build could not build {name}: {error}",
            _find_hint(str(error)),
            host.error_location or f"{variant.recipe_path}",
            output="\n".join(log.lines),
        ) from error
    return [Path(package) for package in result.packages]


#: What rattler-build's message says, and what to do about it; the first that is in it counts.
_HINTS = {
    "Script failed": "the output above ends with the command that failed; mend the script",
    "pin_subpackage": "name an output of this recipe, which is built before",
    "pin_compatible": "add the package under requirements/host",
    "": "name channels that can be reached with --channel; list what it needs under requirements",
}


def _find_hint(message: str) -> str:
    return next(hint for word, hint in _HINTS.items() if word in message)


def build_unchanged(path: Path, out: Path, request: RecipeRequest) -> list[Path]:
    """Build a recipe.yaml with the variants beside it; [] where all of it is skipped."""
    built = _build_kinds(path, out, request.kinds, _make_settings(path, request))
    if not built:
        subdir = request.platform.subdir
        request.report(f"{path.name}: build/skip is true on {subdir}: nothing is built")
    return built


def render_unchanged(path: Path, request: RecipeRequest) -> list[dict[str, Any]]:
    """Render a recipe.yaml as rattler-build reads it, with the names of its packages."""
    made = []
    for variant in _render_variants(path, _make_settings(path, request)):
        value = dict(variant.recipe.to_dict())
        value["variant"] = _read_values(variant)
        subdir = request.platform.subdir
        package, build = value["package"], value["build"]
        stem = f"{package['name']}-{package['version']}-{build['string']}"
        file = f"{'noarch' if build.get('noarch') else subdir}/{stem}.conda"
        made.append({**value, "file": file, "target_platform": subdir})
    return made


def _make_settings(path: Path, request: RecipeRequest) -> HostSettings:
    return HostSettings(
        channels=request.channels,
        subdir=request.platform.subdir,
        variants={"python": [request.platform.python], "python_min": [PYTHON_MIN]},
        variant_files=tuple(
            find_variant_files(path, request.variant_files, request.base_variant_files)
        ),
        report=request.report,
    )


def build_as_v1(
    step: BuildStep, source: Path | None, out: Path, request: RecipeRequest, work: Path
) -> list[Path]:
    """Write the recipe as v1 beside copies of its scripts and build it with rattler-build.

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
    host = HostSettings(
        channels=request.channels,
        subdir=request.platform.subdir,
        variants=variants,
        keep=frozenset(recipe.outputs[place].name for place in step.built),
        error_location=str(recipe.path),
        report=request.report,
    )
    return _build_kinds(path, out, request.kinds, host)


def _copy_recipe_folder(recipe: Recipe, source: Path | None, folder: Path) -> Path:
    """Copy the files beside the recipe, except its variants, which have been read.

    All of the copy is in the package, under info/recipe. Folders that may hold a whole project are
    left out where no script asks for them by $RECIPE_DIR.
    """
    ignored = ("conda-bld", ".git", recipe.path.name, *NAMES)
    if source is not None or _names_recipe_folder(recipe):
        return Path(shutil.copytree(recipe.folder, folder, ignore=shutil.ignore_patterns(*ignored)))
    # conda-build gives a recipe without a source an empty work folder.
    folder.mkdir()
    for path in recipe.folder.iterdir():
        if path.is_file() and path.name not in ignored:
            shutil.copy(path, folder / path.name)
    return folder


def _names_recipe_folder(recipe: Recipe) -> bool:
    scripts = [output.build.script for output in recipe.outputs]
    beside = [path for path in recipe.folder.iterdir() if path.suffix in (".sh", ".bat")]
    return any("RECIPE_DIR" in line.text for lines in scripts for line in lines) or any(
        b"RECIPE_DIR" in path.read_bytes() for path in beside if path.is_file()
    )


def _build_kinds(path: Path, out: Path, kinds: Sequence[Kind], host: HostSettings) -> list[Path]:
    forms = {Kind.CONDA: "conda", Kind.TAR_BZ2: "tar-bz2"}
    return [
        built
        for kind in kinds
        for built in build_v1(path, out, replace(host, package_format=forms[kind]))
    ]
