"""TF108 to TF110: what the code needs against what requires-python lets in."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.check.python_news import GONE, since
from twofold.check.rules import WARNING, Told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import Code


def newer_syntax(code: Code) -> Iterator[Told]:
    """TF108: one finding a module, for its newest feature. A warning where the module may be one
    for newer Pythons only, which nothing imports at once."""
    if not code.minors:
        return
    oldest = code.minors[0]
    reached = code.reached
    for module in code.modules.values():
        newer = [feature for feature in module.facts.features if feature[0] > oldest]
        if newer:
            minor, what, line = newer[0]
            yield Told(
                f"{what} needs Python 3.{minor}, and requires-python lets in 3.{oldest}",
                f'write requires-python = ">=3.{minor}", or write it the older way',
                f"{module.path}:{line}",
                severity="" if module.name in reached else WARNING,
            )


def newer_stdlib(code: Code) -> Iterator[Told]:
    """TF109"""
    if not code.minors:
        return
    oldest = code.minors[0]
    reached = code.reached
    for module in code.modules.values():
        for found in module.facts.imports:
            if found.level or found.is_optional or found.is_typing_only or found.is_deferred:
                continue
            minor, what = since(found.module, found.names)
            if minor > oldest:
                yield Told(
                    f"{what} is there from Python 3.{minor} on, and requires-python lets in "
                    f"3.{oldest}",
                    f'write requires-python = ">=3.{minor}", or import it in a try with a '
                    "replacement",
                    f"{module.path}:{found.line}",
                    severity="" if module.name in reached else WARNING,
                )


def gone_from_stdlib(code: Code) -> Iterator[Told]:
    """TF110"""
    provided = {name.partition(".")[0] for name in code.modules} | _backports(code)
    for module in code.modules.values():
        for found in module.facts.imports:
            gone = GONE.get(found.top)
            if gone is None or found.is_optional or found.is_typing_only or found.top in provided:
                continue
            if any(minor >= gone for minor in code.minors):
                yield Told(
                    f"{found.top} is no longer there in Python 3.{gone}, which requires-python "
                    "lets in",
                    "use what its documentation names instead, or depend on a project that "
                    "brings it",
                    f"{module.path}:{found.line}",
                )


def _backports(code: Code) -> set[str]:
    """Old modules that a dependency brings back."""
    names = " ".join([code.name, *code.dependencies]).lower()
    found = {module for module in GONE if f"{module}-lts" in names or f"legacy-{module}" in names}
    found |= {module for module in GONE if f"standard-{module}" in names}
    return found | ({"distutils"} if "setuptools" in names else set())
