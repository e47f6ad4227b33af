"""What a caller of `build_recipe` decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twofold.artifact import Kind
from twofold.recipe.platform import Platform

#: wheel = build_wheel(source, out): builds the Python project in the folder `source` through its
#: own backend in isolation, into the empty folder `out`, and returns the wheel's path.
BuildWheel = Callable[[Path, Path], Path]


@dataclass(frozen=True)
class RecipeRequest:
    """How to build a recipe.

    `out` is the channel folder (`<recipe's folder>/conda-bld` when None). `kinds` are
    Kind.CONDA, Kind.TAR_BZ2 or both. `channels` serve builds that need a host environment, as
    names or addresses. `environment` is what the recipe's `environ` shows, without secrets.
    `variant_files` are read after conda_build_config.yaml beside the recipe, in its form.
    `platform` is this machine and the running Python unless said. `say` takes remarks and
    progress, one line each.
    """

    build_wheel: BuildWheel
    out: Path | None = None
    kinds: tuple[Kind, ...] = (Kind.CONDA,)
    channels: tuple[str, ...] = ("conda-forge",)
    environment: Mapping[str, str] = field(default_factory=dict)
    variant_files: tuple[Path, ...] = ()
    platform: Platform = field(default_factory=Platform.current)
    report: Callable[[str], None] = lambda _: None
