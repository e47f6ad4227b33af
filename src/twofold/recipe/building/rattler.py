"""The only door to py-rattler-build: recipes that need a host environment or a compiler."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.names import parse_conda_name
from twofold.recipe.read.variants import MAX_COMBINATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rattler_build import RenderedVariant
    from rattler_build.progress import LogEvent, ProgressCallback


#: What `stdlib('c')` stands for where nothing else is said; conda-forge's own choice.
_STDLIB: dict[str, dict[str, list[str]]] = {
    "linux": {"c_stdlib": ["sysroot"], "c_stdlib_version": ["2.17"]},
    "osx": {"c_stdlib": ["macosx_deployment_target"], "c_stdlib_version": ["11.0"]},
    "win": {"c_stdlib": ["vs"]},
}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What a build with a host environment needs: channels, the platform, the form of the file.

    `variants` are values for names such as `python`: `{"python": ["3.12"]}`; those of
    `variant_files` (conda_build_config.yaml's form) go before them. `keep` names the packages that
    are wanted, all of them when empty. `package_format` is 'conda' or 'tar-bz2'.
    `place` is the file to name when a build fails.
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
    """Build recipe.yaml at `path`; the packages appear in `out/<subdir>/` only when all are whole.

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
            "pip install 'twofold[conda]'",
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
    names = {variant.recipe.package.name for variant in rendered}
    if len(rendered) > MAX_COMBINATIONS * max(1, len(names)):
        raise TwofoldError(
            f"the recipe would become {len(rendered)} packages of {len(names)} outputs",
            "leave out values, or tie names together with zip_keys",
            str(host.variant_files[0] if host.variant_files else path),
        )
    return rendered


def _channel_url(channel: str) -> str:
    """A folder as a file address; names and addresses as they are."""
    folder = Path(channel)
    return folder.resolve().as_uri() if "://" not in channel and folder.is_dir() else channel


class _LogCollector:
    """Keeps what rattler-build says, to be told when a build fails."""

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
            # It only needs the verbs it calls, though its type asks for all of them.
            progress_callback=cast("ProgressCallback", log),
            no_build_id=True,
        )
    except RattlerBuildError as error:
        raise SubprocessFailed(
            f"rattler-build could not build {name}: {error}",
            "channels are named with --channel; what the host needs stands under requirements",
            host.error_location or f"{variant.recipe_path}",
            output="\n".join(log.lines),
        ) from error
    return [Path(package) for package in result.packages]
