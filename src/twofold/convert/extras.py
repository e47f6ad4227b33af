"""Extras of a dependency: `uvicorn[standard]` stands for what uvicorn's own metadata say."""

from __future__ import annotations

from collections.abc import Callable

from twofold.convert.options import CondaOptions
from twofold.convert.requirements import Need, parse_need
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import parse_metadata
from twofold.names import normalised


def expand(need: Need, options: CondaOptions, specs: Callable[[Need], list[str]]) -> list[str]:
    """The MatchSpecs that the extras of `need` add. Raises TwofoldError without its metadata."""
    data = options.metadata.get(normalised(need.name))
    if data is None:
        raise TwofoldError(
            f"what '{need.name}[{','.join(need.extras)}]' adds is told only by the metadata of "
            f"{need.name}, which are not at hand",
            "convert them together (twofold convert --with-deps), or write "
            f"{need.name} without extras and its needs in [tool.twofold.conda] depends",
            f"Requires-Dist: {need.text}",
        )
    wanted = {normalised(extra) for extra in need.extras}
    found: list[str] = []
    for text in parse_metadata(data).requires_dist:
        inner = parse_need(text)
        if inner.extra and normalised(inner.extra) in wanted:
            found += specs(_bare(inner))
        elif inner.marker is not None and "extra" in str(inner.marker):
            found += [s for extra in sorted(wanted) if _holds(inner, extra) for s in specs(inner)]
    return found


def _bare(need: Need) -> Need:
    return Need(need.text, need.name, need.extras, need.spec, "", None)


def _holds(need: Need, extra: str) -> bool:
    return bool(need.marker.evaluate({"extra": extra}))
