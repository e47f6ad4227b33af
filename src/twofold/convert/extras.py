"""Extras of a dependency: `uvicorn[standard]` stands for what uvicorn's own metadata say."""

from __future__ import annotations

from twofold.convert.options import CondaOptions
from twofold.convert.requirements import Need, parse_need
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import parse_metadata
from twofold.names import normalised


def expand(
    need: Need, options: CondaOptions, seen: frozenset[tuple[str, str]] = frozenset()
) -> list[Need]:
    """The needs that the extras of `need` add, its own markers on each of them.

    Raises TwofoldError when the metadata of the dependency are not at hand.
    """
    name = normalised(need.name)
    data = options.metadata.get(name)
    if data is None:
        raise TwofoldError(
            f"what '{need.name}[{','.join(need.extras)}]' adds is told only by the metadata of "
            f"{need.name}, which are not at hand",
            "convert them together (twofold convert --with-deps), or write "
            f"{need.name} without extras and its needs in [tool.twofold.conda] depends",
            f"Requires-Dist: {need.text}",
        )
    asked = {(name, normalised(extra)) for extra in need.extras} - seen
    seen |= asked
    found: list[Need] = []
    for text in parse_metadata(data).requires_dist:
        inner = parse_need(text)
        for _, extra in sorted(asked):
            if inner.extra and normalised(inner.extra) != extra:
                continue
            if inner.extra or "extra" in inner.marker:
                added = inner.under(need, extra)
                found.append(added)
                if added.extras:  # an extra may name others, also of its own project
                    found += expand(added, options, seen)
    return found
