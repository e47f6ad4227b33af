"""Extras of a dependency: `uvicorn[standard]` stands for what uvicorn's own metadata say."""

from __future__ import annotations

from twofold.convert.dependencies import not_at_hand
from twofold.convert.options import CondaOptions
from twofold.convert.requirements import Need, parse_need
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalised

#: (project, extra, the markers it is asked under): what was followed already.
_Seen = set[tuple[str, str, frozenset[tuple[str, str]]]]
#: More than this is no list of dependencies but a maze.
_MOST = 1000


class Expanded:
    """What extras add: `needs`, the dependency's own markers and the outer ones on each of them.

    `told` says of which version each extra was taken: the package remembers it in
    info/about.json. `notes` are extras that the dependency does not have.
    """

    __slots__ = ("needs", "notes", "told")

    def __init__(self) -> None:
        self.needs: list[Need] = []
        self.told: list[str] = []
        self.notes: list[str] = []


def expand(need: Need, options: CondaOptions) -> Expanded:
    """What the extras of `need` add, extras of extras too.

    Raises TwofoldError when the metadata of the dependency are not at hand.
    """
    expanded = Expanded()
    _expand(need, options, expanded, set())
    return expanded


def _expand(need: Need, options: CondaOptions, expanded: Expanded, seen: _Seen) -> None:
    name = normalised(need.name)
    under = frozenset((str(marker), extra) for marker, extra in need.when)
    asked = sorted({normalised(extra) for extra in need.extras})
    asked = [extra for extra in asked if (name, extra, under) not in seen]
    if not asked:
        return
    seen |= {(name, extra, under) for extra in asked}
    if len(seen) > _MOST:
        raise TwofoldError(
            f"the extras of '{need.text}' lead to more than {_MOST} others",
            f"say them in [tool.twofold.conda]: leave {need.name} out, name its needs in depends",
            f"Requires-Dist: {need.text}",
        )
    parsed = parse_metadata(_metadata(need, name, options), f"METADATA of {need.name}")
    inner_needs = [parse_need(text) for text in parsed.requires_dist]
    for extra in asked:
        found = [inner for inner in inner_needs if _is_of(inner, extra)]
        if not found and not _offers(parsed, extra):
            expanded.notes.append(
                f"{need.name} {parsed.version} has no extra '{extra}': "
                f"'{need.text}' adds nothing by it"
            )
            continue
        expanded.told.append(f"{name}[{extra}] as of {name} {parsed.version}")
        for inner in found:
            if normalised(inner.name) in options.leave_out:
                continue
            added = inner.under(need, extra)
            # An extra that names others of its own project adds no second word on the project.
            if normalised(added.name) != name or added.spec:
                expanded.needs.append(added)
            if added.extras:
                _expand(added, options, expanded, seen)


def _metadata(need: Need, name: str, options: CondaOptions) -> bytes:
    why = ""
    if options.metadata_of is not None:
        try:
            found = options.metadata_of(name, need.spec)
        except TwofoldError as error:
            found, why = None, str(error.problems[0].message)
        if found is not None:
            return found
    raise not_at_hand(need.text, need.name, why)


def _is_of(inner: Need, extra: str) -> bool:
    return normalised(inner.extra) == extra if inner.extra else "extra" in inner.marker


def _offers(parsed: CoreMetadata, extra: str) -> bool:
    return any(normalised(one) == extra for one in parsed.all("Provides-Extra"))
