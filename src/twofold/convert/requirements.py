"""PEP 508 requirements as parsed values, without `packaging` where a pattern is enough."""

from __future__ import annotations

import re

from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = r"(?:>=|<=|==|!=|~=|>|<)\s*\d+(?:\.\d+)*(?:\.\*)?"
_PLAIN = (
    rf"({_NAME})\s*(?:\[([A-Za-z0-9._,\s-]+)\])?\s*\(?\s*((?:{_CLAUSE}\s*(?:,\s*{_CLAUSE}\s*)*)?)\)?\s*"
    r"(?:;\s*extra\s*==\s*(['\"])([A-Za-z0-9._-]+)\4\s*)?"
)


class Need:
    """One requirement: `spec` is its PEP 440 part, `text` the whole as written.

    `extra` is set when its marker was only `extra == '...'`. Any other marker is in `when`: pairs
    of packaging's Marker and the extra it is asked for, all of which must hold.
    """

    __slots__ = ("extra", "extras", "name", "spec", "text", "when")

    def __init__(
        self,
        text: str,
        name: str,
        extras: Iterable[str],
        spec: str,
        extra: str = "",
        when: Sequence[tuple[Any, str]] = (),
    ) -> None:
        self.text = text
        self.name = name
        self.extras = tuple(extras)
        self.spec = spec
        self.extra = extra
        self.when = tuple(when)

    @property
    def marker(self) -> str:
        """Its markers as text, '' without any."""
        return " and ".join(f"({marker})" for marker, _ in self.when)

    def under_extra(self, outer: Need, extra: str) -> Need:
        """This need as one that `outer[extra]` brings along."""
        own = tuple((marker, extra) for marker, _ in self.when)
        return Need(self.text, self.name, self.extras, self.spec, "", (*outer.when, *own))


def parse_requirement(text: str) -> Need:
    """Raises TwofoldError for what is no requirement and for direct references."""
    plain = re.fullmatch(_PLAIN, text.strip())
    if plain:
        name, extras, spec, _, extra = plain.groups()
        wanted = [e.strip() for e in (extras or "").split(",") if e.strip()]
        return Need(text, name, wanted, spec.strip(), extra or "")
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(text)
    except InvalidRequirement as error:
        raise TwofoldError(
            f"'{text}' is not a requirement: {str(error).splitlines()[0]}", "see PEP 508"
        ) from error
    if parsed.url:
        raise TwofoldError(
            f"'{text}' names an address, which a conda package cannot depend on",
            "publish that package to a channel, or leave it out in [tool.twofold.conda] leave-out",
        )
    when = [(parsed.marker, "")] if parsed.marker is not None else []
    return Need(text, parsed.name, sorted(parsed.extras), str(parsed.specifier), "", when)
