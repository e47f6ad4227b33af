"""The facts of one Python module, read from its syntax tree."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Sequence

from twofold.check.facts.compiling import find_mistake
from twofold.check.facts.model import Facts, adds_modules, is_open, is_shared
from twofold.check.facts.signs import has_lazy_annotations
from twofold.check.facts.syntax import find_features
from twofold.source_analysis.definitions import defined_names, find_dunder_all
from twofold.source_analysis.imports import (
    PLAIN_STATEMENTS,
    all_statements,
    is_type_checking,
    module_imports,
)
from twofold.source_analysis.model import Import

#: What has names of its own.
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
#: Some lines, and the block they are in: 'if', 'main' or 'try'.
Condition = tuple[range, str]


def parse_facts(source: bytes) -> Facts:
    """Compile a module (nothing of it is run) and read its syntax tree."""
    mistake = find_mistake(source)
    return Facts(mistake) if mistake else parse_valid(source)


def parse_valid(source: bytes) -> Facts:
    """Read the syntax tree of a module that compiles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is not our finding
        tree = ast.parse(source)
    statements = all_statements(tree)
    defined = _find_further_names(tree, source, statements) | defined_names(tree)
    conditions = list(find_conditions(tree.body))
    imports = tuple(mark_optional(module_imports(tree, b"__import__" in source), conditions))
    bound = defined.keys() | {name for found in imports for name in found.names}
    return Facts(
        imports=imports,
        defined=defined,
        exported=find_dunder_all(tree),
        is_open="__getattr__" in defined or is_open(source),
        version=find_version(tree),
        features=tuple(
            find_features(
                tree,
                source,
                statements,
                has_lazy_annotations(imports),
                bound,
                [lines for lines, _ in conditions],
            )
        ),
        is_shared=is_shared(source),
        assigned_elsewhere=find_attribute_assignments(tree),
        adds_modules=adds_modules(source),
    )


def mark_optional(imports: Iterable[Import], conditions: list[Condition]) -> Iterator[Import]:
    """Imports, those under an `if` as optional: `if PY311:` guards as well as sys.version_info.

    Code under `if __name__ == "__main__"` does not run when the module is imported.
    """
    for found in imports:
        around = [kind for lines, kind in conditions if found.line in lines]
        if "main" in around:
            yield found._replace(is_deferred=True)
        elif "if" in around:
            yield found._replace(is_optional=True)
        else:
            yield found


def find_conditions(body: Sequence[ast.stmt]) -> Iterator[Condition]:
    """The lines of every `if` (but those that ask for TYPE_CHECKING) and `try`, and its kind."""
    for node in body:
        if node.__class__ in PLAIN_STATEMENTS:
            continue
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if isinstance(node, ast.If) and not is_type_checking(node.test):
            yield lines, "main" if _is_main_guard(node.test) else "if"
            continue
        if isinstance(node, ast.Try | ast.TryStar):
            yield lines, "try"
        for field in ("body", "orelse", "finalbody"):
            yield from find_conditions(getattr(node, field, ()))
        for handler in getattr(node, "handlers", ()):
            yield from find_conditions(handler.body)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and getattr(test.left, "id", "") == "__name__"


def _find_further_names(
    tree: ast.Module, source: bytes, statements: Sequence[ast.AST]
) -> dict[str, int]:
    """Names that a function makes with `global`, or that are deleted only under some condition, and
    the first line of each."""
    if b"global " not in source and b"del " not in source:
        return {}
    found: dict[str, int] = {}
    outermost = {id(node) for node in tree.body}
    for node in statements:
        if isinstance(node, ast.Global):
            names = node.names
        elif isinstance(node, ast.Delete) and id(node) not in outermost:
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            continue
        found |= {name: min(node.lineno, found.get(name, node.lineno)) for name in names}
    return found


def find_attribute_assignments(tree: ast.Module) -> dict[str, list[str]]:
    """The names that a module sets in others: `other.name = ...`."""
    found: dict[str, list[str]] = {}
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                found.setdefault(target.value.id, []).append(target.attr)
    return found


def find_version(tree: ast.Module) -> tuple[str, int]:
    """What is assigned to `__version__`, and its line; ('', 0) where more than that may bind it."""
    found = ("", 0)
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "__version__" for target in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found = value.value, node.lineno
    return found if found[1] and _is_bound_once(tree, "__version__") else ("", 0)


def _is_bound_once(tree: ast.Module, name: str) -> bool:
    """Whether one statement of a module binds a name, functions that declare it global included."""
    bindings = 0
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            bindings += node.id == name and isinstance(node.ctx, ast.Store)
        elif isinstance(node, ast.alias):
            bindings += name == (node.asname or node.name)
        if isinstance(node, _SCOPES):
            bindings += sum(isinstance(n, ast.Global) and name in n.names for n in ast.walk(node))
        else:
            waiting += ast.iter_child_nodes(node)
    return bindings == 1
