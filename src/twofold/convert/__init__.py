"""Makes conda packages of wheels: dependencies, names, files."""

from __future__ import annotations

from twofold.convert.options import CondaOptions, parse_options
from twofold.convert.options import find_metadata_near as find_metadata_near
from twofold.convert.package import make_all_packages as make_all_packages
from twofold.convert.package import make_package as make_package
from twofold.convert.package import make_packages as make_packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from twofold.artifact import Artifact

#: The public names (docs/reference/library.md); the others are for twofold's own rooms.
__all__ = ["CondaOptions", "convert_all", "convert_wheel", "parse_options"]


def convert_wheel(wheel: Path, channel: Path, options: CondaOptions | None = None) -> Artifact:
    """Write the wheel's conda package to `channel/<subdir>/<stem>.conda`.

    Where markers make several packages of it, all are written and the first is returned;
    `convert_all` returns them all. Raises BadFile, TwofoldError, OSError.
    """
    return convert_all(wheel, channel, options)[0]


def convert_all(wheel: Path, channel: Path, options: CondaOptions | None = None) -> list[Artifact]:
    """Write every conda package of the wheel and return them in order of build."""
    from twofold.convert.wheel import convert

    return convert(wheel, channel, options or CondaOptions()).packages
