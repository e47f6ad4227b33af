"""Which Python a module's syntax needs at least, from its syntax tree.

Every feature is reported once, at its first place. Sources: "What's new" of each version.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import TypeGuard

from twofold.check.facts.signs import MAY_BE_PEP701, may_hold_new_expression
from twofold.check.stdlib_versions import BUILTINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.facts.model import Feature

#: Kind of node (by name: an older interpreter lacks some) -> (minor version, what it is).
_NODES = {
    "NamedExpr": (8, "an assignment expression (:=)"),
    "Match": (10, "a match statement"),
    "TryStar": (11, "except*"),
    "TypeAlias": (12, "a type statement"),
    "TemplateStr": (14, "a template string"),
}
_TYPES = frozenset(
    ["bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"]
)

#: Statements that may be new, or hold in themselves what may be.
_REVEALING_WORDS = "FunctionDef AsyncFunctionDef ClassDef With AsyncWith ExceptHandler"
_REVEALING = frozenset(
    getattr(ast, word) for word in (*_REVEALING_WORDS.split(), *_NODES) if hasattr(ast, word)
)
#: Nodes inside expressions that may be new.
_IN_EXPRESSIONS = (ast.Name, ast.Subscript, ast.NamedExpr)
_PEP701 = "an f-string with quotes or backslashes inside its braces"
_PLAIN_WORDS = """
    annotation arg asname attr conversion ctx id is_async kind kwd_attrs level lineno module n name
    names op ops rest s simple str tag type_comment type_ignores
"""
#: Fields that hold text, numbers, or nodes that are as old as Python.
_PLAIN = frozenset(_PLAIN_WORDS.split())
#: Kind of node -> the fields in which other nodes lie.
_FIELDS = {
    kind: tuple(field for field in kind._fields if field not in _PLAIN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind is not ast.Constant
}


def find_features(
    tree: ast.Module,
    source: bytes,
    statements: Sequence[ast.AST],
    is_lazy: bool,
    bound: Collection[str] = (),
    guarded: Sequence[range] = (),
) -> list[Feature]:
    """(minor version, what, line) of each newer feature, the newest first.

    `statements` are all of the tree; `is_lazy`: no annotation is evaluated. A built-in does not
    count where the module binds its name itself (`bound`), nor on lines under some condition
    (`guarded`).
    """
    found: dict[str, Feature] = {}
    lines = source.removeprefix(b"\xef\xbb\xbf").splitlines()
    inside = _expressions(tree) if may_hold_new_expression(source) else ()
    telling = [node for node in statements if node.__class__ in _REVEALING]
    for node in chain(telling, inside):
        for minor, what in _node_features(node, lines, is_lazy):
            line = getattr(node, "lineno", 1)
            if isinstance(node, ast.Name) and (
                node.id in bound or any(line in lines for lines in guarded)
            ):
                continue
            if what not in found or line < found[what][2]:
                found[what] = (minor, what, line)
    if sys.version_info >= (3, 12) and MAY_BE_PEP701.search(source):
        line = _find_pep701_fstring(source)
        if line:
            found[_PEP701] = (12, _PEP701, line)
    return sorted(found.values(), key=lambda feature: (-feature[0], feature[2]))


#: (Minor version, what it is, what its text looks like), where a compiler refuses it.
_PATTERNS = (
    (12, "a type statement", rb"\s*type\s+\w+\s*(?:\[.*\])?\s*="),
    (13, "defaults of type parameters", rb"\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[[^\]]*=.*\]"),
    (12, "type parameters in square brackets", rb"\s*(?:async\s+)?(?:def|class)\s+\w+\s*\["),
    (14, "several exceptions without parentheses", rb"\s*except\*?\s+[\w.]+\s*,[^(]*:"),
    (14, "a template string", rb".*\b(?:[tT][rR]?|[rR][tT])[\"\']"),
    (12, _PEP701, b".*" + MAY_BE_PEP701.pattern + rb"(?:.*(?:\}|\{\s*$)|(?<=[^\"\'\s]\n))"),
)


#: So much of a line is looked at: nobody writes a longer one by hand.
_LONGEST_LINE = 1000


def guess_newer_syntax(source: bytes, line: int, message: str) -> tuple[int, str]:
    """(minor version, what) of newer syntax where this Python found a mistake; (0, '') for none.

    A guess from the line's text: only a newer Python could decide.
    """
    lines = source.splitlines(keepends=True)
    # Where the mistake is inside an f-string, some Pythons name no line of the module's own.
    there = lines[line - 1 : line] if "f-string" not in message or not line else lines
    for minor, what, look in _PATTERNS:
        is_new = minor > sys.version_info[1] and ("f-string" in what or "f-string" not in message)
        if is_new and any(re.match(look, text[:_LONGEST_LINE]) for text in there):
            return minor, what
    return 0, ""


def _expressions(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes inside expressions that may be new; `ast.walk` looks at every operator too."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        kind = node.__class__
        if kind in _IN_EXPRESSIONS or kind.__name__ == "TemplateStr":
            yield node
        for field in _FIELDS.get(kind, ()):
            value = getattr(node, field, None)
            if value.__class__ is list:
                waiting += value
            elif value is not None:
                waiting.append(value)


def _node_features(node: ast.AST, lines: list[bytes], lazy: bool) -> Iterator[tuple[int, str]]:
    kind = type(node).__name__
    if kind in _NODES:
        yield _NODES[kind]
    elif isinstance(node, ast.Name):
        if node.id in BUILTINS and isinstance(node.ctx, ast.Load):
            yield BUILTINS[node.id], f"the built-in {node.id}"
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _definition_features(node)
        yield from _argument_features(node, lazy)
    elif isinstance(node, ast.ClassDef):
        yield from _definition_features(node)
    elif isinstance(node, ast.With | ast.AsyncWith):
        if _is_parenthesised(node, lines):
            yield 9, "a parenthesised with statement"
    elif isinstance(node, ast.Subscript):
        inside = node.slice
        if _is_bare_tuple(inside, lines) and any(
            isinstance(part, ast.Starred) for part in inside.elts
        ):
            yield 11, "a star in square brackets"
    elif isinstance(node, ast.ExceptHandler) and _is_bare_tuple(node.type, lines):
        yield 14, "several exceptions without parentheses"


def _is_bare_tuple(node: ast.expr | None, lines: list[bytes]) -> TypeGuard[ast.Tuple]:
    if not isinstance(node, ast.Tuple):
        return False
    first, last = lines[node.lineno - 1], lines[(node.end_lineno or node.lineno) - 1]
    end = node.end_col_offset or 0
    return not (first.startswith(b"(", node.col_offset) and last[:end].endswith(b")"))


def _definition_features(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> Iterator[tuple[int, str]]:
    parameters = getattr(node, "type_params", [])
    if any(getattr(parameter, "default_value", None) for parameter in parameters):
        yield 13, "defaults of type parameters"
    elif parameters:
        yield 12, "type parameters in square brackets"
    if any(not _is_plain_decorator(decorator) for decorator in node.decorator_list):
        yield 9, "a decorator that is more than a dotted name and a call"


def _argument_features(
    node: ast.FunctionDef | ast.AsyncFunctionDef, lazy: bool
) -> Iterator[tuple[int, str]]:
    arguments = node.args
    if arguments.posonlyargs:
        yield 8, "positional-only parameters (/)"
    if arguments.vararg and isinstance(arguments.vararg.annotation, ast.Starred):
        yield 11, "*args: *Types"
    if lazy:
        return
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    annotations = [argument.annotation for argument in listed] + [node.returns]
    if any(annotation is not None and _is_union(annotation) for annotation in annotations):
        yield 10, "X | Y in an annotation that is evaluated"


def _is_union(annotation: ast.expr) -> bool:
    """`int | None`: of names known to be types, since any class may define `|` for itself."""
    return (
        isinstance(annotation, ast.BinOp)
        and isinstance(annotation.op, ast.BitOr)
        and all(_is_type(side) for side in (annotation.left, annotation.right))
    )


def _is_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    return (isinstance(node, ast.Name) and node.id in _TYPES) or _is_union(node)


def _is_plain_decorator(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_parenthesised(node: ast.With | ast.AsyncWith, lines: list[bytes]) -> bool:
    """`with (a as b, c as d):`, which has the same tree as without parentheses."""
    first = node.items[0].context_expr
    if first.end_lineno is None or first.end_col_offset is None:
        return False
    if first.lineno == node.lineno:
        before = lines[node.lineno - 1][node.col_offset : first.col_offset]
    else:
        before = lines[node.lineno - 1][node.col_offset :]
    if b"(" not in before:
        return False
    after = lines[first.end_lineno - 1][first.end_col_offset :].lstrip()
    return after.startswith((b"as ", b",")) or (not after and len(node.items) > 1)


def _find_pep701_fstring(source: bytes) -> int:
    """The line of the first f-string that only PEP 701 allows, 0 when there is none."""
    import tokenize

    start, end = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    quotes: list[str] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type in (start, tokenize.STRING):
                quote = token.string.lstrip("rRbBuUfFtT")[:3]
                quote = quote if quote in ('"""', "'''") else quote[:1]
                # One quote is no end of three.
                is_end = bool(quotes) and quote.startswith(quotes[-1])
                if is_end or (quotes and "\\" in token.string):
                    return token.start[0]
                if token.type == start:
                    quotes.append(quote)
            elif token.type == end:
                quotes.pop()
            elif quotes and token.type == tokenize.COMMENT:
                return token.start[0]
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return 0
    return 0
