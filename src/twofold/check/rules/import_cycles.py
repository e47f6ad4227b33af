"""TF106 and TF107: modules that import each other while they are being imported.

The imports of the project's own modules are followed in the order in which Python would run
them, statement by statement: so it is known which name is needed before it is defined.
"""

from __future__ import annotations

from collections.abc import Iterator

from twofold.check.import_graph import eager_imports, find_cycles, import_edges
from twofold.check.rule_table import WARNING, Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode
    from twofold.check.namespace import CodeModule
    from twofold.source_analysis.model import Import

#: So many modules of one cycle are tried as the first to be imported.
_MAX_STARTS = 50


def failing_cycle(code: SourceCode) -> Iterator[Violation]:
    """TF106: `from a import x` while `a` is only half imported and `x` comes later in it."""
    order = sorted(code.modules, key=lambda name: (name.count("."), name))
    run = _ImportRun(code)
    for name in order:
        if "." not in name:
            run.import_module(name)
    yield from run.violations
    # What the packages themselves did not import, a user imports: one module or another first.
    for group in find_cycles(code):
        left = [name for name in group if name not in run.done]
        alone = {name: _find_failures(code, run.done, name, group) for name in left[:_MAX_STARTS]}
        works_somehow = any(not failures for failures in alone.values())
        severity = WARNING if works_somehow or len(left) > _MAX_STARTS else ""
        for violation in {
            violation.where: violation for failed in alone.values() for violation in failed
        }.values():
            yield violation._replace(severity=severity)


def _find_failures(
    code: SourceCode, done: set[str], name: str, group: list[str]
) -> list[Violation]:
    """What goes wrong in a group when its module `name` is imported right after the packages.

    Failures in other groups that it needs are reported there.
    """
    run = _ImportRun(code, done)
    run.import_module(name)
    paths = {code.modules[one].path for one in group}
    return [
        violation for violation in run.violations if violation.where.rpartition(":")[0] in paths
    ]


def import_cycle(code: SourceCode) -> Iterator[Violation]:
    """TF107: groups of modules that import each other, reported once a group, unless one fails."""
    failed = {violation.where.partition(":")[0] for violation in failing_cycle(code)}
    for group in find_cycles(code):
        if any(code.modules[name].path in failed for name in group):
            continue
        shown = " -> ".join(group[:6]) + (f" and {len(group) - 6} more" if len(group) > 6 else "")
        first = code.modules[group[0]]
        lines = [found.line for found, target in import_edges(code, first) if target in group]
        yield Violation(
            f"these modules import each other when imported: {shown}",
            "move what both need into a module of its own, or import inside the function",
            f"{first.path}:{lines[0]}" if lines else first.path,
        )


class _ImportRun:
    """One interpreter: which modules are imported, which are on the way, and up to which line."""

    def __init__(self, code: SourceCode, done: frozenset[str] | set[str] = frozenset()) -> None:
        self._modules = code.modules
        self._space = code.namespace
        self.done = set(done)
        self.violations: list[Violation] = []
        self._running: dict[str, int] = {}

    def import_module(self, name: str) -> None:
        """Import a module: the packages above it first, then its own statements."""
        if name in self.done:
            return
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            self._import_one(".".join(parts[:length]))

    def _import_one(self, name: str) -> None:
        module = self._modules.get(name)
        if module is None or name in self.done or name in self._running:
            return
        if len(self._running) > 200:
            return  # deeper than any import goes; a limit for our own recursion
        self._running[name] = 0
        for found in eager_imports(module):
            self._running[name] = found.line
            self._run_statement(module, found)
        del self._running[name]
        self.done.add(name)

    def _run_statement(self, module: CodeModule, found: Import) -> None:
        target = self._space.resolve_own(module, found)
        if target is None:
            return
        self.import_module(target)
        is_half_imported = target in self._running and target != module.name
        for name in found.names:
            inner = f"{target}.{name}"
            if is_half_imported:
                self._check_name(module, found, target, name)
            if inner in self._modules and not self._is_bound(target, name):
                self.import_module(inner)

    def _check_name(self, module: CodeModule, found: Import, target: str, name: str) -> None:
        """Report a name that is needed from a module still being imported."""
        if name == "*" or self._space.exists(f"{target}.{name}") or found.is_optional:
            return
        there = self._modules[target].facts
        if there.mistake or there.is_open or not self._space.has_name(target, name):
            return  # another rule's affair, or not to be known
        if self._is_bound(target, name) or name not in there.defined:
            return
        self.violations.append(
            Violation(
                f"'{name}' is imported from {target} before it is defined there: {target} imports "
                f"{module.name} on line {self._running[target]} and defines it on line "
                f"{there.defined[name]}",
                "move what both need into a module of its own, or import inside the function",
                f"{module.path}:{found.line}",
            )
        )

    def _is_bound(self, target: str, name: str) -> bool:
        there = self._modules.get(target)
        line = there.facts.defined.get(name) if there else None
        if line is None:
            return False
        return target not in self._running or line < self._running[target]
