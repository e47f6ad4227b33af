"""requires-python as a set of minor versions of Python 3."""

from __future__ import annotations

import re

#: No rule speaks of what comes after this minor version.
MAX_MINOR = 20


def allowed_minors(requires_python: str) -> tuple[int, ...]:
    """The minor versions of Python 3 that a specifier lets in; () when it says nothing.

    A minor version counts when some micro version of it is let in (`>=3.9.1`).
    """
    if not requires_python.strip():
        return ()
    plain = re.fullmatch(r"\s*>=\s*3(?:\.(\d+))?(?:\.\d+)?\s*", requires_python)
    if plain:
        return tuple(range(int(plain.group(1) or 0), MAX_MINOR + 1))
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return ()
    return tuple(
        minor
        for minor in range(MAX_MINOR + 1)
        if any(wanted.contains(f"3.{minor}.{micro}") for micro in (0, 1, 5, 99))
    )
