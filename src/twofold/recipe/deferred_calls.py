"""What Jinja functions leave in the YAML: a sign for `compiler('c')`, and what stands behind it.

conda-build asks its solver while it renders. Here a call leaves two letters of Unicode's private
area around a number; whoever builds the package gives each call its meaning (a version known
already, a compiler of the channel, or the same call in a recipe v1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_PLACEHOLDER_START, _PLACEHOLDER_END = "\ue002", "\ue003"
_CALL = re.compile(f"{_PLACEHOLDER_START}(\\d+){_PLACEHOLDER_END}")


@dataclass(frozen=True, slots=True)
class DeferredCall:
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
HASH = DeferredCall("PKG_HASH", "")


class DeferredCalls:
    """The calls of one rendering, by the number their signs carry."""

    def __init__(self) -> None:
        self._calls: list[DeferredCall] = []

    def add_placeholder(self, call: DeferredCall) -> str:
        self._calls.append(call)
        return f"{_PLACEHOLDER_START}{len(self._calls) - 1}{_PLACEHOLDER_END}"

    def find_call(self, text: str) -> DeferredCall | None:
        """The call whose sign a text holds, if any."""
        found = _CALL.search(text)
        return self._calls[int(found.group(1))] if found else None

    def replace(self, text: str, resolve: Callable[[DeferredCall], str]) -> str:
        """The text with the meaning of each call in the place of its sign."""
        return _CALL.sub(lambda found: resolve(self._calls[int(found.group(1))]), text)

    def restore_source(self, text: str) -> str:
        """The text with each call as its author would recognise it: `compiler('c')`."""

        def as_written(call: DeferredCall) -> str:
            said = call.function if call == HASH else f"{call.function}('{call.name}')"
            return f"{{{{ {said} }}}}"

        return self.replace(text, as_written)


def resolve_pin(call: DeferredCall, version: str, build: str) -> str:
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
        bounds.append(f">={_truncate_version(version, call.min_pin)}")
    if call.upper:
        bounds.append(f"<{call.upper}")
    elif call.max_pin:
        bounds.append(f"<{_next_version(version, call.max_pin)}")
    return f"{call.name} {','.join(bounds)}".strip()


def _truncate_version(version: str, pin: str) -> str:
    return ".".join(version.split(".")[: pin.count("x")])


def _next_version(version: str, pin: str) -> str:
    parts = version.split(".")[: pin.count("x")]
    parts += ["0"] * (pin.count("x") - len(parts))
    number = re.match(r"\d+", parts[-1])
    parts[-1] = str(int(number.group(0)) + 1) if number else parts[-1]
    return ".".join([*parts, "0a0"])
