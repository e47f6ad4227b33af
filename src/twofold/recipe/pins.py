"""What Jinja functions leave in the YAML: a sign for `compiler('c')`, and what stands behind it.

conda-build asks its solver while it renders. Here a call leaves two letters of Unicode's private
area around a number; whoever builds the package gives each call its meaning (a version known
already, a compiler of the channel, or the same call in a recipe v1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_OPEN, _SHUT = "\ue002", "\ue003"
_CALL = re.compile(f"{_OPEN}(\\d+){_SHUT}")


@dataclass(frozen=True, slots=True)
class Call:
    """`compiler('c')`, `stdlib('c')`, `cdt('x')`, `pin_compatible(...)` and their kin; HASH.

    `min_pin` and `max_pin` are 'x.x' forms or None; `lower` and `upper` versions or None.
    """

    function: str
    name: str
    min_pin: str | None = None
    max_pin: str | None = None
    lower: str | None = None
    upper: str | None = None
    exact: bool = False


#: `{{ PKG_HASH }}` in a build string: known once all variants of the recipe are.
HASH = Call("PKG_HASH", "")


class Calls:
    """The calls of one rendering, by the number their signs carry."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def sign(self, call: Call) -> str:
        self._calls.append(call)
        return f"{_OPEN}{len(self._calls) - 1}{_SHUT}"

    def find(self, text: str) -> Call | None:
        """The call whose sign a text holds, if any."""
        found = _CALL.search(text)
        return self._calls[int(found.group(1))] if found else None

    def replaced(self, text: str, meaning: Callable[[Call], str]) -> str:
        """The text with the meaning of each call in the place of its sign."""
        return _CALL.sub(lambda found: meaning(self._calls[int(found.group(1))]), text)

    def shown(self, text: str) -> str:
        """The text with each call as its author would recognise it: `compiler('c')`."""

        def as_written(call: Call) -> str:
            said = call.function if call == HASH else f"{call.function}('{call.name}')"
            return f"{{{{ {said} }}}}"

        return self.replaced(text, as_written)


def pinned(call: Call, version: str, build: str) -> str:
    """The requirement that a pin means once the version of the package is known.

    As in conda-build: `min_pin` and `max_pin` say how many parts of the version count, the upper
    bound is the last of them plus one, with `.0a0` so that its pre-releases stay out.
    """
    if call.exact:
        return f"{call.name} {version} {build}"
    bounds = []
    if call.lower:
        bounds.append(f">={call.lower}")
    elif call.min_pin:
        bounds.append(f">={_parts(version, call.min_pin)}")
    if call.upper:
        bounds.append(f"<{call.upper}")
    elif call.max_pin:
        bounds.append(f"<{_next(version, call.max_pin)}")
    return f"{call.name} {','.join(bounds)}".strip()


def _parts(version: str, pin: str) -> str:
    return ".".join(version.split(".")[: pin.count("x")])


def _next(version: str, pin: str) -> str:
    parts = version.split(".")[: pin.count("x")]
    parts += ["0"] * (pin.count("x") - len(parts))
    number = re.match(r"\d+", parts[-1])
    parts[-1] = str(int(number.group(0)) + 1) if number else parts[-1]
    return ".".join([*parts, "0a0"])
