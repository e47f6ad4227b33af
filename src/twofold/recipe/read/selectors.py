"""Selectors: `- pywin32  # [win and py>=39]` keeps a line of meta.yaml or drops it.

conda-build gives the text in the brackets to Python's `eval`; here it is parsed and only
comparisons, boolean operators, the platform's names and the environment are understood.

As in conda-build, a comment with a selector is cut off the line that is kept: in a folded text
it would comment out the next line, in quotes it would become part of the value. A line that is
only a comment becomes an empty one, so that Jinja in it is not run.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from twofold.errors import Problem
from twofold.recipe.request import Environ, Platform

#: Far longer than any selector in use; Python's parser stays quick and shallow below it.
MAX_LENGTH = 300
_COMMENT = re.compile(r"\s#")
#: `skip: true  [win]`: the sign of the comment was forgotten; conda-build takes it as a selector.
_BARE = re.compile(
    r"(?P<kept>\s*(?:-|[\w-]+:)\s+[^\s\[{\"'#|>](?:[^\[#]|(?<=\S)#)*?)"
    r"(?<=\S)\s++\[(?P<selector>[^\[\]]+)\]\s*"
)
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: operator.contains(right, left),
    ast.NotIn: lambda left, right: not operator.contains(right, left),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_TEXT_METHODS = frozenset(
    {"startswith", "endswith", "lower", "upper", "strip", "split", "rsplit", "index"}
)
_FUNCTIONS: dict[str, Callable[..., object]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "len": len,
    "any": any,
    "all": all,
}


@dataclass(frozen=True, slots=True)
class SelectedLines:
    """The lines that are kept, each with its number in the file, and the names the selectors use.

    `names` are the names the selectors mention; `unknown` those that nobody here knows, with
    their lines: they count as False, as they do for conda-build. `bare` are the selectors that
    stand without the sign of a comment, `nested` those with brackets inside, with their lines.
    """

    lines: tuple[tuple[int, str], ...]
    names: frozenset[str]
    unknown: tuple[tuple[int, str], ...]
    bare: tuple[tuple[int, str], ...] = ()
    nested: tuple[tuple[int, str], ...] = ()

    def list_remarks(self, file: str) -> tuple[str, ...]:
        """List what the author of the file may not have meant, each with its line."""
        return (
            *(
                f"{file}:{line}: the selector's name '{name}' is unknown; it counts as false"
                for line, name in self.unknown
            ),
            *(
                f"{file}:{line}: [{selector}] is read as a selector; write '# [{selector}]'"
                for line, selector in self.bare
            ),
            *(
                f"{file}:{line}: of [{selector}] conda-build reads the inner brackets alone; "
                "write it without them: py in (311, 312)"
                for line, selector in self.nested
            ),
        )


class InvalidSelector(ValueError):
    """The text in the brackets is not an expression allowed in a selector."""


def select_lines(
    text: str,
    platform: Platform,
    environ: Environ,
    problems: list[Problem],
    file: str,
    variant: Mapping[str, object] = MappingProxyType({}),
) -> SelectedLines:
    """Drop the lines whose selector is false; problems are added with their line.

    `variant` holds further names with their values.
    """
    kept: list[tuple[int, str]] = []
    names_used: set[str] = set()
    unknown: list[tuple[int, str]] = []
    bare: list[tuple[int, str]] = []
    nested: list[tuple[int, str]] = []
    known = {**platform.variables(), **variant}
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            kept.append((number, ""))
            continue
        selector, without = _split_selector(line, known)
        if selector is None:
            kept.append((number, line))
            continue
        if _COMMENT.search(line) is None:
            bare.append((number, selector))
        if "[" in selector.lstrip("["):
            nested.append((number, selector))
        evaluator = SelectorEvaluator(known, environ)
        try:
            keep = bool(evaluator.evaluate(selector))
        except InvalidSelector as error:
            problems.append(
                Problem(
                    f"the selector [{selector}] cannot be read: {error}",
                    "write a condition such as # [linux and py>=39]",
                    f"{file}:{number}",
                )
            )
            continue
        names_used |= evaluator.names_used
        unknown.extend((number, name) for name in sorted(evaluator.unknown))
        if keep:
            kept.append((number, without))
    return SelectedLines(
        tuple(kept), frozenset(names_used), tuple(unknown), tuple(bare), tuple(nested)
    )


def _split_selector(line: str, known: Mapping[str, object]) -> tuple[str | None, str]:
    """Split a line into its selector (None if there is none) and what is kept of it."""
    selector = find_selector(line)
    if selector is not None:
        comment = _COMMENT.search(line)
        assert comment is not None
        return selector, _close_quote(line[: comment.start()].rstrip(), line)
    found = _BARE.fullmatch(line)
    if found is None or not _is_condition(found["selector"], known):
        return None, line
    return found["selector"], found["kept"]


def _close_quote(kept: str, line: str) -> str:
    """Put back the quote that was cut off with the comment: `"text  # [unix]"`."""
    last = line.rstrip()[-1]
    return kept + last if last in "'\"" and kept.count(last) % 2 else kept


def _is_condition(text: str, known: Mapping[str, object]) -> bool:
    """Whether a text is a condition on known names only, at least one of them."""
    if len(text) > MAX_LENGTH:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    kinds = ast.Name | ast.BoolOp | ast.Compare | ast.UnaryOp | ast.Call
    if not isinstance(tree.body, kinds):
        return False
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return bool(names) and names <= {*known, "environ", "os"}


def find_selector(line: str) -> str | None:
    """Find the text in the last brackets of a line's comment; None if there is none.

    conda-build takes brackets outside a comment too and so loses `host: [python, pip]`; here
    that is a list.
    """
    if line.lstrip().startswith("#") or line.lstrip().startswith("{#"):
        return None
    comment = _COMMENT.search(line)
    if not comment:
        return None
    rest = line[comment.end() :]
    groups = _find_brackets(rest)
    if not groups:
        return None
    start, end = groups[-1]
    if "(" in rest[end + 1 :] or ")" in rest[end + 1 :]:
        return None
    return rest[start + 1 : end].strip() or None


def _find_brackets(text: str) -> list[tuple[int, int]]:
    """Find the positions of the outermost balanced [ ] in a text."""
    groups, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter == "[":
            start = place if depth == 0 else start
            depth += 1
        elif letter == "]" and depth:
            depth -= 1
            if depth == 0:
                groups.append((start, place))
    return groups


class SelectorEvaluator:
    """Evaluates one selector and records which names it uses."""

    def __init__(self, known: Mapping[str, object], environ: Environ) -> None:
        self.known = known
        self.environ = environ
        self.names_used: set[str] = set()
        self.unknown: set[str] = set()

    def evaluate(self, selector: str) -> object:
        """Evaluate a selector; raises InvalidSelector if it is not a condition."""
        if len(selector) > MAX_LENGTH:
            raise InvalidSelector(f"it is longer than {MAX_LENGTH} characters")
        try:
            tree = ast.parse(selector.strip(), mode="eval")
            body = tree.body
            if isinstance(body, ast.List) and len(body.elts) == 1:
                body = body.elts[0]  # of `# [[win]]` conda-build reads the inner brackets
            return self._evaluate_node(body)
        except SyntaxError as error:
            raise InvalidSelector("it is not a Python expression") from error
        except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
            if isinstance(error, InvalidSelector):
                raise
            raise InvalidSelector(str(error)) from error

    def _evaluate_node(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=str() | int() | float() | bool() | None):
                return node.value
            case ast.BoolOp(op=op, values=values):
                return self._combine(isinstance(op, ast.And), values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self._evaluate_node(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._calculate(ast.Sub, 0, self._evaluate_node(operand))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._evaluate_node(body if self._evaluate_node(test) else other)
            case ast.Compare():
                return self._compare(node)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._evaluate_node(part) for part in parts]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._calculate(
                    type(op), self._evaluate_node(left), self._evaluate_node(right)
                )
            case ast.Subscript(value=value, slice=key):
                return self._subscript(self._evaluate_node(value), self._evaluate_node(key))
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" as name) | ast.Name(id=name):
                return self._look_up(name)
            case ast.Call(keywords=[]):
                return self._call(node)
        raise InvalidSelector(f"{type(node).__name__} is not allowed in a selector")

    def _combine(self, is_and: bool, values: list[ast.expr]) -> object:
        """Return the operand that decides, as Python does: `name or 'None'` is a text."""
        value: object = not is_and
        for node in values:
            value = self._evaluate_node(node)
            if bool(value) != is_and:
                break
        return value

    def _look_up(self, name: str) -> object:
        self.names_used.add(name)
        if name == "environ":
            return self.environ
        if name in self.known:
            return self.known[name]
        if name in list(self.environ):
            return self.environ[name]
        self.unknown.add(name)
        return False

    def _compare(self, node: ast.Compare) -> bool:
        left = self._evaluate_node(node.left)
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._evaluate_node(part)
            if not _COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True

    def _calculate(self, op: type[ast.operator], left: object, right: object) -> float:
        if not isinstance(left, int) or not isinstance(right, int):
            raise InvalidSelector("only whole numbers are allowed in arithmetic")
        return _ARITHMETIC[op](left, right)

    def _subscript(self, value: object, key: object) -> object:
        if isinstance(value, Environ) and isinstance(key, str):
            return value[key]
        if isinstance(value, str | list) and isinstance(key, int):
            return value[key]
        raise InvalidSelector("only environ, a text or a list can be looked into")

    def _call(self, node: ast.Call) -> object:
        arguments = [self._evaluate_node(argument) for argument in node.args]
        match node.func:
            case ast.Name(id=name) if name in _FUNCTIONS and len(arguments) == 1:
                return _FUNCTIONS[name](arguments[0])
            case ast.Attribute(value=owner, attr=name):
                target = self._evaluate_node(owner)
                if isinstance(target, Environ) and name == "get" and 1 <= len(arguments) <= 2:
                    return target.get(str(arguments[0]), *arguments[1:])
                if isinstance(target, str) and name in _TEXT_METHODS:
                    return getattr(target, name)(*arguments)
        raise InvalidSelector("only environ.get and simple methods of texts can be called")
