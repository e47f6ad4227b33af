"""PEP 508 requirements as parsed values, and as conda's MatchSpecs.

`packaging` is imported only where a pattern is not enough: `build` of a small project reads its
requirements here.
"""

from __future__ import annotations

from twofold.convert.versions import is_final_release, to_conda_spec
from twofold.errors import TwofoldError
from twofold.names import normalize_name, requirement_name, to_conda_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from twofold.convert.options import CondaOptions
    from twofold.formats.core_metadata import CoreMetadata

_OPERATORS = (">=", "<=", "==", "!=", "~=", ">", "<")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
#: Repetitions are possessive (`*+`, of groups `(?>...)`): what one has matched is not tried again,
#: so that the time is linear in the length of a requirement.
_CLAUSE = r"(?:>=|<=|==|!=|~=|>|<)\s*+\d++(?>(?:\.\d++)*)(?:\.\*)?\s*+"
_PLAIN = (
    rf"({_NAME})\s*+(?:\[([A-Za-z0-9._,\s-]++)\]\s*+)?\(?\s*+"
    rf"((?:{_CLAUSE}(?>(?:,\s*+{_CLAUSE})*))?)\)?\s*+"
    r"(?:;\s*+extra\s*+==\s*+(['\"])([A-Za-z0-9._-]+)\4\s*+)?"
)


class Requirement:
    """One requirement: `spec` is its PEP 440 part, `text` the whole as written.

    `extra` is set when its marker is `extra == '...'` and no more. Any other marker is in
    `markers`: pairs of packaging's Marker and the extra that it is evaluated for; all must hold.
    """

    __slots__ = ("extra", "extras", "markers", "name", "spec", "text")

    def __init__(
        self,
        text: str,
        name: str,
        extras: Iterable[str],
        spec: str,
        extra: str = "",
        markers: Sequence[tuple[Any, str]] = (),
    ) -> None:
        self.text = text
        self.name = name
        self.extras = tuple(extras)
        self.spec = spec
        self.extra = extra
        self.markers = tuple(markers)

    @property
    def marker(self) -> str:
        """Its markers as text, '' without any."""
        return " and ".join(f"({marker})" for marker, _ in self.markers)

    def under_extra(self, outer: Requirement, extra: str) -> Requirement:
        """This requirement as `outer[extra]` adds it: the markers of both must hold."""
        own = tuple((marker, extra) for marker, _ in self.markers)
        return Requirement(self.text, self.name, self.extras, self.spec, "", (*outer.markers, *own))


class DirectReference(TwofoldError):
    """A requirement names a URL (PEP 508), so a wheel can have it and a conda package cannot."""


def parse_requirement(text: str) -> Requirement:
    """Parse one requirement. Raises TwofoldError for an invalid one, DirectReference for a URL.

    A direct reference of an extra is read as the project in any version: nobody must install it.
    """
    bare = _parse_bare(text)
    if bare is not None:
        return bare
    import re

    plain = re.fullmatch(_PLAIN, text.strip())
    if plain:
        name, extras, spec, _, extra = plain.groups()
        wanted = [e.strip() for e in (extras or "").split(",") if e.strip()]
        return Requirement(text, name, wanted, spec.strip(), extra or "")
    from packaging import requirements as pep508

    try:
        parsed = pep508.Requirement(text)
    except pep508.InvalidRequirement as error:
        raise TwofoldError(
            f"'{text}' is not a requirement: {str(error).splitlines()[0]}", "see PEP 508"
        ) from error
    if parsed.url and "extra" not in str(parsed.marker):
        raise DirectReference(
            f"'{text}' names a URL, and a conda package cannot depend on one",
            "publish that package to a channel, or leave it out in [tool.twofold.conda] leave-out",
        )
    markers = [(parsed.marker, "")] if parsed.marker is not None else []
    return Requirement(text, parsed.name, sorted(parsed.extras), str(parsed.specifier), "", markers)


def _parse_bare(text: str) -> Requirement | None:
    """A name with plain bounds, without the expressions that cost as much as a small build."""
    name = requirement_name(text)
    spec = text.strip()[len(name) :].strip()
    clauses = [clause.strip() for clause in spec.split(",")] if spec else []
    for clause in clauses:
        version = clause.lstrip("<>=!~")
        operator = clause[: len(clause) - len(version)]
        if operator not in _OPERATORS or not is_final_release(version.strip().removesuffix(".*")):
            return None
    return Requirement(text, name, (), spec) if name else None


def parse_kept_requirements(parsed: CoreMetadata, options: CondaOptions) -> list[Requirement]:
    """The requirements of a project but those that the user leaves out. Raises TwofoldError."""
    every = map(parse_requirement, parsed.requires_dist)
    return [one for one in every if normalize_name(one.name) not in options.leave_out]


def to_match_spec(requirement: Requirement, options: CondaOptions) -> str:
    """A requirement without its marker and extras as a MatchSpec: `numpy >=1.26,<3dev0`."""
    name = to_conda_name(requirement.name, options.known_names)
    try:
        spec = to_conda_spec(requirement.spec)
    except TwofoldError as error:
        first = error.problems[0]
        where = f"Requires-Dist: {requirement.text}"
        raise TwofoldError(first.message, first.hint, where) from error
    return f"{name} {spec}" if spec else name
