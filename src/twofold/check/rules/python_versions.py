"""TF108 to TF110: what the code needs against what requires-python allows."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.check.import_graph import reachable_modules
from twofold.check.rule_table import WARNING, Violation
from twofold.check.rules.metadata import BACKPORTS
from twofold.check.stdlib_versions import REMOVED, first_minor
from twofold.names import normalize_name, requirement_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode

#: Backports whose project is called otherwise than the module.
_RENAMED_BACKPORTS = {"enum34": "enum", "graphlib-backport": "graphlib"}


def newer_syntax(code: SourceCode) -> Iterator[Violation]:
    """TF108: one finding a module, for its newest feature. A warning where the module may be one
    for newer Pythons only, which nothing imports at once."""
    if not code.minors:
        return
    oldest = code.minors[0]
    reached = reachable_modules(code)
    for module in code.modules.values():
        if not code.wants_warnings and module.name not in reached:
            continue
        newer = [feature for feature in module.facts.features if feature[0] > oldest]
        if newer:
            minor, what, line = newer[0]
            yield Violation(
                f"{what} needs Python 3.{minor}, and requires-python allows 3.{oldest}",
                f'write requires-python = ">=3.{minor}", or write it the older way',
                f"{module.path}:{line}",
                severity="" if module.name in reached else WARNING,
            )


def newer_stdlib(code: SourceCode) -> Iterator[Violation]:
    """TF109"""
    if not code.minors:
        return
    oldest = code.minors[0]
    reached = reachable_modules(code)
    backported = _newer_modules(code)
    for module in code.modules.values():
        for found in module.facts.imports:
            if found.level or found.is_optional or found.is_typing_only or found.is_deferred:
                continue
            if found.top in backported:
                continue
            minor, what = first_minor(found.module, found.names)
            if minor > oldest:
                yield Violation(
                    f"{what} is new in Python 3.{minor}, and requires-python allows 3.{oldest}",
                    f'write requires-python = ">=3.{minor}", or import it in a try with a '
                    "replacement",
                    f"{module.path}:{found.line}",
                    severity="" if module.name in reached else WARNING,
                )


def gone_from_stdlib(code: SourceCode) -> Iterator[Violation]:
    """TF110"""
    provided = {name.partition(".")[0] for name in code.modules} | _backported_modules(code)
    for module in code.modules.values():
        for found in module.facts.imports:
            gone = REMOVED.get(found.top)
            if gone is None or found.is_optional or found.is_typing_only or found.top in provided:
                continue
            if any(minor >= gone for minor in code.minors):
                yield Violation(
                    f"{found.top} was removed in Python 3.{gone}, which requires-python allows",
                    "use what its documentation names instead, or depend on a project that "
                    "provides it",
                    f"{module.path}:{found.line}",
                )


def _newer_modules(code: SourceCode) -> set[str]:
    """Newer modules that a dependency brings to older Pythons under the same name."""
    names = {normalize_name(requirement_name(text)) for text in code.dependencies}
    renamed = {module for project, module in _RENAMED_BACKPORTS.items() if project in names}
    return (names & BACKPORTS) | renamed


def _backported_modules(code: SourceCode) -> set[str]:
    """Old modules that a dependency restores."""
    names = " ".join([code.name, *code.dependencies]).lower()
    found = {
        module for module in REMOVED if f"{module}-lts" in names or f"legacy-{module}" in names
    }
    found |= {module for module in REMOVED if f"standard-{module}" in names}
    return found | ({"distutils"} if "setuptools" in names else set())
