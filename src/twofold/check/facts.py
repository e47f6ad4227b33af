"""The facts of one Python module: read once, kept in the cache by its content's hash."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from twofold.check.cache import RULES_VERSION
from twofold.check.syntax import Feature, find_features, guess_newer_syntax
from twofold.source_analysis.definitions import DunderAll, defined_names, find_dunder_all
from twofold.source_analysis.imports import (
    PLAIN_STATEMENTS,
    Import,
    all_statements,
    is_type_checking,
    module_imports,
)

#: Ways to define names that no reading of the source can follow.
_OPEN_WORDS = b"""
    globals() locals() vars() sys.modules[ exec( setattr( apipkg lazy_loader lazy.attach
    extend_path( declare_namespace( __name__
""".split()
#: A module that is handed over by its name may come back with more in it.
_PASSES_NAMESPACE = (
    rb"\b(?!import_module\()(?=\w*?(?:module|lazy|alias|deprecat|export))\w++\("
    rb"(?:\s++|#.*+\n){0,20}+__name__"
)
_OPEN = re.compile(
    b"|".join((rb"\b" if word == b"exec(" else b"") + re.escape(word) for word in _OPEN_WORDS[:-1])
    + b"|"
    + _PASSES_NAMESPACE
)

#: Some lines, and the block they are in: 'if', 'main' or 'try'.
Condition = tuple[range, str]


class SyntaxMistake(NamedTuple):
    """A syntax error of the compiler; `line` is 0 if it named none.

    `what` is the newer syntax that the line seems to use, of Python 3.`minor`; '' for none.
    """

    message: str
    line: int
    minor: int = 0
    what: str = ""


class Facts(NamedTuple):
    """`defined` maps each name bound at the top level to its first line; `*` is a star import.

    `is_open` says that the module may have more names than can be read, `is_shared` that it is a
    namespace of several projects (as it was declared before PEP 420). `version` is what is
    assigned to `__version__`, and its line. `given` are names that the module sets in others
    (`other.name = ...`), by what it calls those.
    """

    mistake: SyntaxMistake | None = None
    imports: tuple[Import, ...] = ()
    defined: dict[str, int] = {}  # noqa: RUF012 (never changed)
    exported: DunderAll | None = None
    is_open: bool = False
    version: tuple[str, int] = ("", 0)
    features: tuple[Feature, ...] = ()
    is_shared: bool = False
    assigned_elsewhere: dict[str, list[str]] = {}  # noqa: RUF012 (never changed)


def parse_facts(source: bytes) -> Facts:
    """Compile a module (nothing of it is run) and read its syntax tree."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is not our finding
            # The tree alone lets pass what the compiler refuses: `return` outside a function.
            compile(source, "<module>", "exec", dont_inherit=True)
            tree = ast.parse(source)
    except SyntaxError as error:
        line = error.lineno or 0
        return Facts(SyntaxMistake(error.msg, line, *guess_newer_syntax(source, line, error.msg)))
    except (ValueError, RecursionError, MemoryError) as error:
        return Facts(SyntaxMistake(str(error) or type(error).__name__, 0))
    statements = all_statements(tree)
    defined = _find_further_names(tree, source, statements) | defined_names(tree)
    conditions = list(_find_conditions(tree.body))
    imports = tuple(_mark_optional(module_imports(tree), conditions))
    bound = defined.keys() | {name for found in imports for name in found.names}
    return Facts(
        imports=imports,
        defined=defined,
        exported=find_dunder_all(tree),
        is_open="__getattr__" in defined or _is_open(source),
        version=_find_version(tree),
        features=tuple(
            find_features(tree, source, statements, bound, [lines for lines, _ in conditions])
        ),
        is_shared=b"extend_path(" in source or b"declare_namespace(" in source,
        assigned_elsewhere=_attribute_assignments(tree),
    )


def _mark_optional(imports: Iterable[Import], conditions: list[Condition]) -> Iterator[Import]:
    """Imports, those under an `if` as optional: `if PY311:` guards as well as sys.version_info.

    Code under `if __name__ == "__main__"` does not run when the module is imported.
    """
    for found in imports:
        around = [kind for lines, kind in conditions if found.line in lines]
        if "main" in around:
            yield replace(found, is_deferred=True)
        elif "if" in around:
            yield replace(found, is_optional=True)
        else:
            yield found


def _find_conditions(body: Sequence[ast.stmt]) -> Iterator[Condition]:
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
            yield from _find_conditions(getattr(node, field, ()))
        for handler in getattr(node, "handlers", ()):
            yield from _find_conditions(handler.body)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and getattr(test.left, "id", "") == "__name__"


def _is_open(source: bytes) -> bool:
    # Plain searches first: they take a tenth of the expression's time.
    return any(word in source for word in _OPEN_WORDS) and bool(_OPEN.search(source))


def _find_further_names(
    tree: ast.Module, source: bytes, statements: Sequence[ast.AST]
) -> dict[str, int]:
    """Names that a function makes with `global`, and names deleted only under some condition."""
    if b"global " not in source and b"del " not in source:
        return {}
    found = {}
    outermost = {id(node) for node in tree.body}
    for node in statements:
        if isinstance(node, ast.Global):
            found.update(dict.fromkeys(node.names, node.lineno))
        elif isinstance(node, ast.Delete) and id(node) not in outermost:
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found.update(dict.fromkeys(names, node.lineno))
    return found


def _attribute_assignments(tree: ast.Module) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                found.setdefault(target.value.id, []).append(target.attr)
    return found


def _find_version(tree: ast.Module) -> tuple[str, int]:
    found = ("", 0)
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "__version__" for target in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found = value.value, node.lineno
    return found


def interpreter_key() -> str:
    """The Python whose parser the facts come from: another one may judge otherwise."""
    return f"{sys.implementation.cache_tag}-{sys.version_info[2]}-{RULES_VERSION}"


def to_json(facts: Facts) -> list[Any]:
    """As plain values, for the cache."""
    return [
        facts.mistake,
        [
            [i.module, i.level, i.names, i.line, i.is_optional, i.is_typing_only, i.is_deferred]
            for i in facts.imports
        ],
        facts.defined,
        facts.exported and [facts.exported.names, facts.exported.is_complete, facts.exported.line],
        facts.is_open,
        facts.version,
        facts.features,
        facts.is_shared,
        facts.assigned_elsewhere,
    ]


def from_json(value: list[Any]) -> Facts:
    """The way back from `to_json`. Raises TypeError, ValueError, LookupError or AttributeError for
    other values.
    """
    mistake, imports, defined, exported, is_open, version, found, is_shared, given = value
    return Facts(
        SyntaxMistake(*mistake) if mistake else None,
        tuple(Import(i[0], i[1], tuple(i[2]), *i[3:]) for i in imports),
        dict(defined),
        DunderAll(tuple(exported[0]), exported[1], exported[2]) if exported else None,
        bool(is_open),
        (version[0], version[1]),
        tuple((minor, what, line) for minor, what, line in found),
        bool(is_shared),
        {base: list(names) for base, names in given.items()},
    )
