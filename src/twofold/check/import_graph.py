"""Which modules run whenever the project is imported or its programs are started.

The others (an optional plug-in, a test suite inside the package) may never run for a user:
a mistake there is a warning, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode
    from twofold.check.namespace import CodeModule, Edge, Namespace
    from twofold.source_analysis.model import Import

#: Parts of a dotted name that say: for those who work on the project, or write its documentation.
#: Parts of a package, by convention, for those who have installed what they are for.
_OPTIONAL_PARTS = ("contrib", "integrations", "plugins")

_NOT_SHIPPED = ("test", "tests", "testing", "conftest", "benchmarks", "doc", "docs", "examples")

_SCRIPTS = ("console_scripts", "gui_scripts")


def reachable_modules(code: SourceCode) -> frozenset[str]:
    """The dotted names of the modules that surely run; computed once for each `code`.

    They are the top packages and modules, those of the scripts, and all that these import eagerly
    and without a `try`. A package that imports nothing of its own, not even inside a function,
    counts as used through its modules.
    """
    if code.reachable is None:
        code.reachable = _find_reachable(code)
    return code.reachable


def _find_reachable(code: SourceCode) -> frozenset[str]:
    importing = {name for name in code.modules if "." not in name and _has_own_imports(code, name)}
    plugins = {
        reference.partition(":")[0].strip()
        for group, listed in code.entry_points.items()
        if group not in _SCRIPTS
        for reference in listed.values()
    }
    shipped = {name for name in code.modules if "." not in name and not _is_for_developers(name)}
    waiting = [
        name
        for name in code.modules
        if _is_start(name, importing)
        and name not in plugins
        # A test suite that is installed beside the packages; alone it is what the project is for.
        and not (shipped and _is_for_developers(name.partition(".")[0]))
    ]
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
    # Those inside functions may have to be searched in the whole tree, so they come last.
    return _imports_own(code, module, module.facts.imports) or _imports_own(
        code, module, module.facts.all_imports
    )


def _imports_own(code: SourceCode, module: CodeModule, imports: Iterable[Import]) -> bool:
    return any(code.namespace.resolve_own(module, found) is not None for found in imports)


def _is_start(name: str, importing: set[str]) -> bool:
    """`importing`: the top packages and modules that import some of their own."""
    top, _, rest = name.partition(".")
    if not rest:
        return True
    if top.endswith("_plugins"):  # another project's namespace for its plug-ins
        return False
    parts = rest.split(".")
    if any(
        part.startswith("_") or part in _OPTIONAL_PARTS or _is_for_developers(part)
        for part in parts
    ):
        return False
    return top not in importing


def _is_for_developers(part: str) -> bool:
    return part in _NOT_SHIPPED or part.startswith("test_") or part.endswith("_test")


def eager_imports(module: CodeModule) -> list[Import]:
    """The imports that run when the module is imported, in order."""
    return [
        found
        for found in module.facts.imports
        if not found.is_deferred and not found.is_typing_only
    ]


def import_edges(code: SourceCode, module: CodeModule) -> tuple[Edge, ...]:
    """Which of the own modules a module imports by itself; packages above them do not count."""
    if module.name not in code.edges:
        code.edges[module.name] = tuple(_compute_edges(code.namespace, module))
    return code.edges[module.name]


def _compute_edges(space: Namespace, module: CodeModule) -> Iterator[Edge]:
    for found in eager_imports(module):
        target = space.resolve_own(module, found)
        if target is None:
            continue
        inner = [f"{target}.{name}" for name in found.names if space.exists(f"{target}.{name}")]
        for name in inner:
            yield found, name
        if len(inner) < max(1, len(found.names)):
            yield found, target


def find_cycles(code: SourceCode) -> list[list[str]]:
    """Modules that reach each other: strongly connected, more than one, names sorted (Tarjan)."""
    to = {
        name: sorted(
            {
                target
                for _, target in import_edges(code, module)
                if target in code.modules and target != name
            }
        )
        for name, module in code.modules.items()
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    groups = []
    for start in to:
        if start in index:
            continue
        work = [(start, iter(to[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(to[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = stack[stack.index(node) :]
                    del stack[-len(group) :]
                    on_stack.difference_update(group)
                    if len(group) > 1:
                        groups.append(sorted(group))
    return sorted(groups)
