"""Regular expressions that are compiled by their first use.

A build of a small project needs a tenth of those that the checks know, and to compile them all
would take longer than the build.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any, AnyStr

_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "pattern")


class _Expression:
    """Becomes as quick as a compiled expression: the methods are its own after the first use."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._source = (pattern, flags)

    def __getattr__(self, name: str) -> object:
        if name not in _METHODS:
            raise AttributeError(name)
        import re

        compiled = re.compile(*self._source)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def expression(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return an expression with the methods of `re.compile`'s."""
    return _Expression(pattern, flags)  # type: ignore[return-value]
