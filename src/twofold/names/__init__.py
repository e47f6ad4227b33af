"""Names in both worlds: what a package is called, and what its files are called.

PyPI compares names normalised (PEP 503); conda compares them as they are, in lower case. The
rule that leads from one to the other is `conda_name`; where conda-forge's name differs from
PyPI's it is looked up in `conda_forge.txt` (see README.md beside it for its source).
"""

from __future__ import annotations

import re

from twofold.names.files import (
    CondaName,
    SdistName,
    WheelName,
    conda_file_name,
    expand_tags,
    sdist_name,
    wheel_name,
)
from twofold.names.known import known_on_conda_forge
from twofold_build.names import file_name, is_name, normalised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CondaName",
    "SdistName",
    "WheelName",
    "conda_file_name",
    "conda_name",
    "expand_tags",
    "file_name",
    "is_conda_name",
    "is_name",
    "known_on_conda_forge",
    "normalised",
    "sdist_name",
    "wheel_name",
]

_CONDA_NAME = r"[a-z0-9_][a-z0-9_.-]*"


def is_conda_name(name: str) -> bool:
    """Whether conda's clients take this as a package name (CEP 26: lower case, no spaces)."""
    return len(name) <= 128 and re.fullmatch(_CONDA_NAME, name) is not None


def conda_name(written: str, at_hand: Mapping[str, str] | None = None) -> str:
    """The conda name of the project that PyPI knows as `written`.

    In this order: the name of a package at hand (`at_hand`: normalised PyPI name -> conda
    name; the set being converted, the channel, what the user's settings say), conda-forge's
    name for it, the name as its author wrote it, in lower case.
    """
    key = normalised(written)
    if at_hand and key in at_hand:
        return at_hand[key]
    known = known_on_conda_forge(key)
    return known.conda if known is not None else written.lower()
