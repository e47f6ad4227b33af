"""Names that look like other names: `util1` and `utill`, `my-package` and `mypackage`.

What PyPI calls ultranormalised: two names with the same lookalike may not stand in one channel.
"""

from __future__ import annotations

_ALIKE = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None, "_": None, ".": None})


def skeleton(name: str) -> str:
    """What the eye makes of a name: no separators, no case, i and l as 1, o as 0."""
    return name.lower().translate(_ALIKE)
