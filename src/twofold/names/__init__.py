"""Names of packages and of their files, on PyPI and in conda.

PyPI compares normalized names (PEP 503); conda compares them as they are, in lower case.
`to_conda_name` maps the one to the other; `conda_forge.txt` lists where conda-forge's name differs
from PyPI's (see README.md beside it for its source).
"""

from __future__ import annotations

from twofold.names.conda_forge import find_on_conda_forge
from twofold_build.names import escape_for_filename, is_name, normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from twofold.names.file_names import (
        CondaName,
        SdistName,
        WheelName,
        expand_tags,
        parse_conda_name,
        parse_sdist_name,
        parse_wheel_name,
    )

#: The public names (docs/reference/library.md).
__all__ = [
    "CondaName",
    "SdistName",
    "WheelName",
    "escape_for_filename",
    "expand_tags",
    "find_on_conda_forge",
    "is_conda_name",
    "is_name",
    "normalize_name",
    "parse_conda_name",
    "parse_sdist_name",
    "parse_wheel_name",
    "requirement_name",
    "to_conda_name",
]

#: Of `file_names`, whose expressions a build does not compile.
_ABOUT_FILES = frozenset(
    str.split(
        "CondaName SdistName WheelName expand_tags parse_conda_name parse_sdist_name "
        "parse_wheel_name"
    )
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_OF_CONDA_NAMES = f"{_LETTERS}0123456789_.-"
_OF_NAMES = _OF_CONDA_NAMES + _LETTERS.upper()


def __getattr__(name: str) -> object:
    if name not in _ABOUT_FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from twofold.names import file_names

    return getattr(file_names, name)


def is_conda_name(name: str) -> bool:
    """Whether conda accepts this as a package name (CEP 26: lower case, no spaces)."""
    return 0 < len(name) <= 128 and name[0] not in ".-" and not name.strip(_OF_CONDA_NAMES)


def requirement_name(text: str) -> str:
    """Return the name at the beginning of a requirement (PEP 508), as written; '' without one."""
    text = text.lstrip()
    name = text[: len(text) - len(text.lstrip(_OF_NAMES))].rstrip("._-")
    return "" if name.startswith((".", "_", "-")) else name


def to_conda_name(written: str, local_names: Mapping[str, str] | None = None) -> str:
    """Return the conda name of the project that PyPI knows as `written`.

    The first of: the name in `local_names` (normalized PyPI name -> conda name; the packages of a
    set, a channel or the user's settings), conda-forge's name for it, the name as its author wrote
    it, in lower case.
    """
    key = normalize_name(written)
    if local_names and key in local_names:
        return local_names[key]
    known = find_on_conda_forge(key)
    return known.conda if known is not None else written.lower()
