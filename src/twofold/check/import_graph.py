"""Which modules run whenever the project is imported or its programs are started.

What stands in the others (an optional plug-in, a test suite inside the package) may never run for a
user: what is missing there is worth a warning, but no stop.
"""

from __future__ import annotations

from twofold.check.cycles import import_edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode

#: Parts of a dotted name that say: for those who work on the project, or write its documentation.
_NOT_SHIPPED = ("test", "tests", "testing", "conftest", "benchmarks", "doc", "docs", "examples")

_SCRIPTS = ("console_scripts", "gui_scripts")


def reached_modules(code: SourceCode) -> frozenset[str]:
    """Dotted names: the top packages and modules, those of the scripts, and all that these import
    at once and without a `try`. A package that imports nothing of its own, not even inside a
    function, is taken to be used by its modules."""
    importing = {name for name in code.modules if "." not in name and _has_own_imports(code, name)}
    plugins = {
        reference.partition(":")[0].strip()
        for group, listed in code.entry_points.items()
        if group not in _SCRIPTS
        for reference in listed.values()
    }
    waiting = [n for n in code.modules if _is_start(n, importing) and n not in plugins]
    # Other groups are plug-ins: who loads them (pytest, Sphinx) is installed then.
    for group in _SCRIPTS:
        listed = code.entry_points.get(group, {}).values()
        waiting += [reference.partition(":")[0].strip() for reference in listed]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        parts = name.split(".")
        waiting += [".".join(parts[:length]) for length in range(1, len(parts))]
        if name in code.modules:
            module = code.modules[name]
            waiting += [to for found, to in import_edges(code, module) if not found.is_optional]
    return frozenset(reached)


def _has_own_imports(code: SourceCode, name: str) -> bool:
    module = code.modules[name]
    if "__getattr__" in module.facts.defined:
        return True
    targets = (code.namespace.resolve(module, found) for found in module.facts.imports)
    return any(target is not None and code.namespace.is_own(target) for target in targets)


def _is_start(name: str, importing: set[str]) -> bool:
    """`importing`: the top packages and modules that import some of their own."""
    top, _, rest = name.partition(".")
    if not rest:
        return True
    parts = rest.split(".")
    if any(part in _NOT_SHIPPED or part.startswith(("_", "test_")) for part in parts):
        return False
    return top not in importing
