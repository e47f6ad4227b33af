"""Output to a console or file that has few characters: cp437, cp1252, the C locale's ASCII.

Signs of our own become ASCII, other characters the escapes that Python prints for them.
"""

from __future__ import annotations

import codecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

NAME = "twofold-narrow"
_SIGNS = {"\u2026": "...", "\u2192": "->", "\u2019": "'", "\u201c": '"', "\u201d": '"'}


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    first = error.object[error.start]
    if first in _SIGNS:
        return _SIGNS[first], error.start + 1
    return codecs.backslashreplace_errors(
        UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, "")
    )


def make_narrow(stream: TextIO) -> None:
    """Let a stream print every text, in the characters that it has."""
    codecs.register_error(NAME, _replace)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=NAME)
