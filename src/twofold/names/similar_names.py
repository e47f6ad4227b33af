"""The well-known project that a misspelled name is nearest to."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.names.conda_forge import list_known_names
from twofold.names.popular import load_popular_names

#: Shorter names are near to too many others.
SHORTEST = 4


def find_similar(key: str) -> str:
    """Return a known normalized PyPI name that differs by its hyphens or one letter, or ''.

    One letter is missing, added or another one, or two neighbours are exchanged: `nunpy`, `flsk`,
    `pandsa`. Of several, the one that more projects use.
    """
    if len(key) < SHORTEST:
        return ""
    for names in (load_popular_names(), sorted(list_known_names())):
        near = [name for name in names if abs(len(name) - len(key)) <= 1 or "-" in name + key]
        if found := _find_in(key, near):
            return found
    return ""


def _find_in(key: str, names: Iterable[str]) -> str:
    plain, one_off = key.replace("-", ""), ""
    for name in names:
        if name.replace("-", "") == plain:
            return name
        is_alike = name[0] == key[0] or name[-1] == key[-1]
        if not one_off and is_alike and len(name) >= SHORTEST and is_one_edit(name, key):
            one_off = name
    return one_off


def is_one_edit(one: str, other: str) -> bool:
    """Whether one insertion, deletion, replacement or exchange of neighbours makes them equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])
