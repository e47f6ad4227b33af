"""A module's `__all__`, the names it defines and its public names, from its syntax tree.

The functions take a path, or a tree from `parse_module` when several are applied to
one file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from twofold.source_analysis.imports import is_type_checking, parse_module
from twofold.source_analysis.model import DunderAll

#: A name, its line, and whether it is bound there; else it is deleted.
Binding = tuple[str, int, bool]
#: Calls whose result a module keeps for itself: no use re-exporting a logger or a type variable.
_PRIVATE_MAKERS = frozenset({"getLogger", "TypeVar", "ParamSpec", "TypeVarTuple"})


def find_dunder_all(source: Path | ast.Module) -> DunderAll | None:
    """A module's `__all__`, None when it has none.

    Read are lists and tuples of strings, `+` of them, `+=`, `.extend(...)`, `.append(...)`
    and `.remove(...)`, as the typing specification lists them for type checkers.
    """
    tree = parse_module(source) if isinstance(source, Path) else source
    names: list[str] = []
    complete, line = True, 0
    for statement in _module_level(tree.body):
        change = _all_change(statement)
        if change is None:
            continue
        line = line or statement.lineno
        verb, value = change
        words = _strings(value)
        complete = complete and words is not None
        if verb == "=":
            names, complete = list(words or ()), words is not None
        elif verb == "remove":
            names = [name for name in names if name not in (words or ())]
        else:
            names += [name for name in words or () if name not in names]
    return DunderAll(tuple(dict.fromkeys(names)), complete, line) if line else None


def _all_change(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """('=' | '+=' | 'remove', the value) when the statement changes `__all__`."""
    if isinstance(statement, ast.Assign) and any(map(_is_all, statement.targets)):
        return "=", statement.value
    if isinstance(statement, ast.AnnAssign) and _is_all(statement.target) and statement.value:
        return "=", statement.value
    if isinstance(statement, ast.AugAssign) and _is_all(statement.target):
        return "+=", statement.value
    call = statement.value if isinstance(statement, ast.Expr) else None
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and _is_all(call.func.value)
        and len(call.args) == 1
    ):
        value = call.args[0]
        if call.func.attr in ("append", "remove"):
            value = ast.Tuple([value], ast.Load())
        return ("remove" if call.func.attr == "remove" else "+="), value
    return None


def _is_all(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__all__"


def _strings(value: ast.expr) -> list[str] | None:
    """The strings of a list, a tuple or a sum of them; None when something else is in it."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, right = _strings(value.left), _strings(value.right)
        return None if left is None or right is None else left + right
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        words = [
            item.value
            for item in value.elts
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        ]
        return words if len(words) == len(value.elts) else None
    return None


def defined_names(source: Path | ast.Module, runtime_only: bool = True) -> dict[str, int]:
    """Every name that a module binds at its top level (imports too) -> its first line.

    Names under `if TYPE_CHECKING` do not exist when the program runs; `runtime_only=False`
    counts them too. A star import adds the name `*`.
    """
    tree = parse_module(source) if isinstance(source, Path) else source
    return collect_names(list_bindings(tree, runtime_only))


def list_bindings(tree: ast.Module, runtime_only: bool = True) -> Iterator[Binding]:
    """What each statement at the top level binds and deletes, in their order."""
    for statement in _module_level(tree.body, runtime_only):
        if isinstance(statement, ast.Delete):
            for target in statement.targets:
                yield getattr(target, "id", ""), statement.lineno, False
        for name in _bound_names(statement):
            yield name, statement.lineno, True


def collect_names(bindings: Iterable[Binding]) -> dict[str, int]:
    """The names that are left after all bindings -> the first line of each."""
    names: dict[str, int] = {}
    for name, line, is_bound in bindings:
        if is_bound:
            names.setdefault(name, line)
        else:
            names.pop(name, None)
    return names


def public_names(source: Path | ast.Module) -> tuple[str, ...]:
    """The public names of a module: those of `__all__`, else its public definitions, in order.

    Public definitions are functions, classes and assigned names without a leading underscore;
    not what it imports or sets in an import's stead, not loggers and type variables, nothing
    under `if TYPE_CHECKING` or `if __name__ == "__main__"`, nor what one branch alone binds.
    """
    tree = parse_module(source) if isinstance(source, Path) else source
    declared = find_dunder_all(tree)
    if declared is not None:
        return declared.names
    existing = _surely_bound(tree.body) or set()
    # `try: import x` / `except ImportError: x = None` leaves a foreign name, if any.
    foreign = {alias.asname or alias.name for node in ast.walk(tree) for alias in _aliases(node)}
    names: dict[str, None] = {}
    for statement in _module_level(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.For | ast.AsyncFor | ast.With):
            continue
        if _is_kept_private(statement):
            continue
        is_own = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        names |= dict.fromkeys(
            name
            for name in _bound_names(statement)
            if not name.startswith("_") and name in existing and (is_own or name not in foreign)
        )
    names.pop("TYPE_CHECKING", None)
    return tuple(names)


def _aliases(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []


def _is_kept_private(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return (
        isinstance(statement, ast.Assign | ast.AnnAssign)
        and isinstance(value, ast.Call)
        and ast.unparse(value.func).rpartition(".")[2] in _PRIVATE_MAKERS
    )


def _module_level(body: Sequence[ast.stmt], runtime_only: bool = True) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those inside if, try, for, with too."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            hidden = runtime_only and (is_type_checking(node.test) or _is_main_guard(node.test))
            yield from _module_level([] if hidden else node.body, runtime_only)
            yield from _module_level(node.orelse, runtime_only)
        elif isinstance(node, ast.Try | ast.TryStar):
            yield from _module_level(node.body, runtime_only)
            for handler in node.handlers:
                yield from _module_level(handler.body, runtime_only)
            yield from _module_level([*node.orelse, *node.finalbody], runtime_only)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith):
            yield from _module_level(node.body, runtime_only)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                yield from _module_level(case.body, runtime_only)


def _surely_bound(body: Sequence[ast.stmt]) -> set[str] | None:
    """The names that are there after the statements, whichever branches were taken.

    None when the statements are never got past: a branch that raises leaves the others to decide.
    """
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.Raise):
            return None
        found: set[str] | None = set()
        if isinstance(node, ast.If):
            hidden = is_type_checking(node.test) or _is_main_guard(node.test)
            found = _in_each([*([] if hidden else [node.body]), node.orelse])
        elif isinstance(node, ast.Try | ast.TryStar):
            handlers = [handler.body for handler in node.handlers]
            found = _in_each([[*node.body, *node.orelse], *handlers])
            found = None if found is None else found | (_surely_bound(node.finalbody) or set())
        elif isinstance(node, ast.With | ast.AsyncWith):
            may_stop = any("suppress" in ast.unparse(item.context_expr) for item in node.items)
            found = (set() if may_stop else _surely_bound(node.body)) or set()
        if found is None:
            return None
        if isinstance(node, ast.Delete):
            names -= {getattr(target, "id", "") for target in node.targets}
        elif not isinstance(node, ast.For | ast.AsyncFor):
            found = found | set(_bound_names(node))
        names |= found
    return names


def _in_each(branches: Sequence[Sequence[ast.stmt]]) -> set[str] | None:
    """What all branches bind of which one is taken, those aside that raise."""
    found = [names for names in map(_surely_bound, branches) if names is not None]
    return set.intersection(*found) if found else None


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and "__name__" in ast.unparse(test)


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    """The names that one statement binds in its own scope."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    else:
        for target in _targets(statement):
            yield from _target_names(target)


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """The expressions that a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AnnAssign):
        # A bare annotation (`x: int`) binds nothing.
        return [statement.target] if statement.value else []
    if isinstance(statement, ast.AugAssign | ast.For | ast.AsyncFor):
        return [statement.target]
    if isinstance(statement, ast.With | ast.AsyncWith):
        return [item.optional_vars for item in statement.items if item.optional_vars]
    if type(statement).__name__ == "TypeAlias":  # `type X = ...`, Python 3.12
        return [statement.name]  # type: ignore[attr-defined]
    return []


def _target_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _target_names(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _target_names(part)
