"""Extras of a dependency: `uvicorn[standard]` stands for what uvicorn's own metadata say."""

from __future__ import annotations

from twofold.convert.metadata_sources import metadata_not_found
from twofold.convert.options import CondaOptions
from twofold.convert.requirements import Need, parse_requirement
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name

#: (project, extra, the markers it is asked under): what was followed already.
_Seen = set[tuple[str, str, frozenset[tuple[str, str]]]]
#: More than this is no list of dependencies but a maze.
_MAX_EXTRAS = 200


class ExpandedExtras:
    """What extras add: `needs`, the dependency's own markers and the outer ones on each of them.

    `told` says of which version each extra was taken: the package remembers it in
    info/about.json. `notes` are extras that the dependency does not have.
    """

    __slots__ = ("needs", "notes", "told")

    def __init__(self) -> None:
        self.needs: list[Need] = []
        self.told: list[str] = []
        self.notes: list[str] = []


def expand_extras(need: Need, options: CondaOptions) -> ExpandedExtras:
    """What the extras of `need` add, extras of extras too.

    Raises TwofoldError when the metadata of the dependency are not at hand.
    """
    expanded = ExpandedExtras()
    seen: _Seen = set()
    read: dict[tuple[str, str], tuple[CoreMetadata, list[Need]]] = {}
    waiting = [need]
    while waiting:
        one = waiting.pop(0)
        key = (normalize_name(one.name), one.spec)
        under = frozenset((str(marker), extra) for marker, extra in one.when)
        asked = sorted({normalize_name(extra) for extra in one.extras})
        asked = [extra for extra in asked if (key[0], extra, under) not in seen]
        seen |= {(key[0], extra, under) for extra in asked}
        if len(seen) > _MAX_EXTRAS:
            raise TwofoldError(
                f"the extras of '{need.text}' lead to more than {_MAX_EXTRAS} others",
                f"leave {need.name} out in [tool.twofold.conda] leave-out, and name it in depends",
                f"Requires-Dist: {need.text}",
            )
        if asked:
            if key not in read:
                parsed = parse_metadata(
                    _find_metadata(one, key[0], options), f"METADATA of {one.name}"
                )
                read[key] = parsed, [parse_requirement(text) for text in parsed.requires_dist]
            for extra in asked:
                waiting += _add_extra(one, extra, read[key], expanded, options)
    return expanded


def _add_extra(
    need: Need,
    extra: str,
    dependency: tuple[CoreMetadata, list[Need]],
    expanded: ExpandedExtras,
    options: CondaOptions,
) -> list[Need]:
    """Add what one extra adds; returns those among it that have extras themselves."""
    parsed, inner_needs = dependency
    name = normalize_name(need.name)
    found = [inner.under_extra(need, extra) for inner in inner_needs if _is_in_extra(inner, extra)]
    found = [added for added in found if normalize_name(added.name) not in options.leave_out]
    if not found and not _has_extra(parsed, extra):
        expanded.notes.append(
            f"{need.name} {parsed.version} has no extra '{extra}': '{need.text}' adds nothing by it"
        )
        return []
    expanded.told.append(f"{name}[{extra}] as of {name} {parsed.version}")
    # An extra that names others of its own project adds no second word on the project.
    expanded.needs += [added for added in found if normalize_name(added.name) != name or added.spec]
    return [added for added in found if added.extras]


def _find_metadata(need: Need, name: str, options: CondaOptions) -> bytes:
    why = ""
    if options.metadata_of is not None:
        try:
            found = options.metadata_of(name, need.spec)
        except TwofoldError as error:
            found, why = None, str(error.problems[0].message)
        if found is not None:
            return found
    raise metadata_not_found(need.text, need.name, why)


def _is_in_extra(inner: Need, extra: str) -> bool:
    return normalize_name(inner.extra) == extra if inner.extra else "extra" in inner.marker


def _has_extra(parsed: CoreMetadata, extra: str) -> bool:
    return any(normalize_name(one) == extra for one in parsed.all("Provides-Extra"))
