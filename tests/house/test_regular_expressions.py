"""No regular expression of the project takes exponential time, whatever it is given, and each means
the same on every Python.

Each is found in the source and attacked: every repetition in it is fed with strings that its body
matches, with line ends of both kinds, and an end that makes the whole fail.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
_CALLS = frozenset(
    ["compile", "match", "search", "fullmatch", "finditer", "findall", "sub", "subn", "split"]
)
_ANCHORED = frozenset(["match", "fullmatch"])
_ALPHABET = "a0A \t\n\r#,;:.=-_/\"'[](){}*<>@!+%|\\Zz9~&^$"
_EVERYWHERE = ("#a\r\n", "#a\n", "\r\n", "\n", " ", "\t\n", "a", "a,", "0", "#a,\r\n")
_REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT)
#: Nobody waits longer for one of the attacks, in seconds.
_TIME_LIMIT = 0.5


class Expression(NamedTuple):
    """A regular expression as the project uses it."""

    where: str
    how: str
    pattern: str | bytes
    flags: int


def list_modules() -> list[str]:
    """Every module that may use a regular expression, by dotted name."""
    names = []
    for source in (REPOSITORY / "src", REPOSITORY / "backend" / "src"):
        for path in sorted(source.rglob("*.py")):
            if re.search(r"\bre\.\w+\(|\bexpression\(", path.read_text(encoding="utf-8")):
                parts = path.relative_to(source).with_suffix("").parts
                names.append(".".join(parts).removesuffix(".__init__"))
    return names


def find_expressions(name: str) -> Iterator[Expression]:
    """The expressions of a module that are known without running it."""
    module = importlib.import_module(name)
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        call = _called_function(node) if isinstance(node, ast.Call) else ""
        if not isinstance(node, ast.Call) or not call:
            continue
        flags = re.findall(r"\bre\.([A-Z]+)\b", " ".join(map(ast.unparse, node.args[1:])))
        how = "match" if call in _ANCHORED else call
        if how == "compile":
            how = _use_of(tree, node, text)
        for value in _values_of(node.args[0], tree, vars(module)):
            given = sum({int(getattr(re, flag)) for flag in flags})
            if isinstance(value, re.Pattern):
                given |= value.flags & ~re.UNICODE
            pattern = value.pattern if isinstance(value, re.Pattern) else value
            yield Expression(f"{name}:{node.lineno}", how, pattern, given)


def _called_function(call: ast.Call) -> str:
    """The function of `re` that a call is of; '' for another call. `expression` compiles later."""
    if not call.args or isinstance(call.args[0], ast.Starred):
        return ""
    if isinstance(call.func, ast.Name):
        return "compile" if call.func.id == "expression" else ""
    text = ast.unparse(call.func)
    name = text.removeprefix("re.")
    return name if text.startswith("re.") and name in _CALLS else ""


def _use_of(tree: ast.AST, call: ast.Call, text: str) -> str:
    """How a compiled expression is used; 'search' where that is not seen in its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is call:
            name = ast.unparse(node.targets[0])
            used = set(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", text)) & _CALLS
            return "match" if used and used <= _ANCHORED else "search"
    return "search"


def _values_of(node: ast.expr, tree: ast.AST, names: dict[str, Any]) -> list[Any]:
    """What an expression may be: its value, or the texts of the table that a loop takes."""
    try:
        return [eval(compile(ast.Expression(node), "pattern", "eval"), dict(names))]
    except NameError:
        pass
    found = []
    for loop in ast.walk(tree):
        if not isinstance(loop, ast.For | ast.comprehension) or not isinstance(node, ast.Name):
            continue
        targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        places = [at for at, target in enumerate(targets) if ast.unparse(target) == node.id]
        if not places or not ast.unparse(loop.iter).startswith("_"):
            continue
        table = eval(compile(ast.Expression(loop.iter), "table", "eval"), dict(names))
        found += [row[places[0]] if len(targets) > 1 else row for row in table]
    return [value for value in found if isinstance(value, str | bytes)]


def sample(sequence: Iterable[tuple[Any, Any]], most: int = 5) -> list[str]:
    """Some strings that a parsed expression matches."""
    found = [""]
    for operator, value in sequence:
        found = [before + after for before in found for after in _options(operator, value)]
        if len(found) > most:
            found = random.Random(len(found)).sample(found, most)
    return found


def _options(operator: Any, value: Any) -> list[str]:
    if operator is constants.LITERAL:
        return [chr(value)]
    if operator is constants.NOT_LITERAL:
        return [mark for mark in 'a \r"' if ord(mark) != value][:3]
    if operator is constants.ANY:
        return ["a", " ", "\r"]
    if operator is constants.IN:
        return _members(value)
    if operator is constants.BRANCH:
        return [text for branch in value[1] for text in sample(branch, 3)]
    if operator is constants.SUBPATTERN:
        return sample(value[3])
    if operator is constants.ATOMIC_GROUP:
        return sample(value)
    if operator in _REPEATS:
        least, most, body = value
        times = [least] if most == least else [least, min(least + 1, 40)]
        return [text * count for count in times for text in sample(body, 3)]
    return [""]


def _members(items: list[tuple[Any, Any]]) -> list[str]:
    """Some characters of a class."""
    text = [chr(value) for operator, value in items if operator is constants.LITERAL]
    text += [chr(value[0]) for operator, value in items if operator is constants.RANGE]
    compiled = parser.SubPattern(parser.State(), [(constants.IN, items)])
    matches = re._compiler.compile(compiled).fullmatch  # type: ignore[attr-defined]
    found = [mark for mark in dict.fromkeys([*_ALPHABET, *text]) if matches(mark)]
    return found[:3] + found[-3:] or ["a"]


def find_repetitions(
    sequence: Iterable[tuple[Any, Any]], before: list[str]
) -> Iterator[tuple[list[str], list[str]]]:
    """For each repetition: texts that lead to it, and texts that it repeats."""
    parts = list(sequence)
    for at, (operator, value) in enumerate(parts):
        leads = [one + more for one in before for more in sample(parts[:at], 3)][:3]
        if operator in _REPEATS:
            if value[1] is constants.MAXREPEAT or value[1] > 20:
                yield leads, sample(value[2])
            yield from find_repetitions(value[2], leads)
        elif operator is constants.SUBPATTERN:
            yield from find_repetitions(value[3], leads)
        elif operator is constants.ATOMIC_GROUP:
            yield from find_repetitions(value, leads)
        elif operator is constants.BRANCH:
            for branch in value[1]:
                yield from find_repetitions(branch, leads)
        elif operator in (constants.ASSERT, constants.ASSERT_NOT):
            yield from find_repetitions(value[1], leads)


class TooSlow(Exception):
    """Raised into an expression that takes too long."""


def _stop(*_: object) -> None:
    raise TooSlow


def measure(run: Callable[[Any], object], text: str | bytes) -> float:
    """The seconds that an expression takes; the limit where it takes longer."""
    signal.setitimer(signal.ITIMER_VIRTUAL, _TIME_LIMIT)
    started = time.process_time()
    try:
        run(text)
    except TooSlow:
        return _TIME_LIMIT
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.process_time() - started


def list_attacks(expression: Expression) -> list[tuple[str, str, str]]:
    """(what comes first, what is repeated, what comes last) of each attack."""
    text = expression.pattern
    parsed = parser.parse(text.decode("latin-1") if isinstance(text, bytes) else text)
    pairs: dict[tuple[str, str], None] = {}
    for leads, bodies in find_repetitions(parsed, [""]):
        for lead, body in itertools.product(leads, bodies):
            pairs |= dict.fromkeys([(lead, body), ("", body), ("", lead + body)])
    pairs |= dict.fromkeys(("", body) for body in _EVERYWHERE)
    pairs |= {
        (lead, body.replace("\n", "\r\n")): None
        for lead, body in list(pairs)
        if "\n" in body and "\r" not in body
    }
    chosen = [pair for pair in pairs if pair[1]]
    if len(chosen) > 40:
        chosen = random.Random(7).sample(chosen, 40)
    return [(lead, body, end) for lead, body in chosen for end in ("\0", "!\n")]


def attack(expression: Expression) -> str:
    """The attack that takes exponential time, or ''."""
    pattern = re.compile(expression.pattern, expression.flags)
    run = pattern.fullmatch if expression.how == "match" else pattern.search
    for lead, body, end in list_attacks(expression):
        text = lead + body * 28 + end
        is_bytes = isinstance(expression.pattern, bytes)
        if measure(run, text.encode("latin-1", "replace") if is_bytes else text) > _TIME_LIMIT / 2:
            return f"{lead!r} + {body!r} * n + {end!r}"
    return ""


_SINGLE = (constants.LITERAL, constants.NOT_LITERAL, constants.ANY, constants.IN)


def has_possessive_group(sequence: Iterable[tuple[Any, Any]]) -> bool:
    """Whether `(?:...)*+` is in a parsed expression, in place of `(?>(?:...)*)`."""
    for operator, value in sequence:
        if operator is constants.POSSESSIVE_REPEAT:
            ((inner, _), *more) = value[2]
            if more or inner not in _SINGLE:
                return True
        found = [body for body in _bodies(operator, value) if has_possessive_group(body)]
        if found:
            return True
    return False


def _bodies(operator: Any, value: Any) -> list[Any]:
    if operator in _REPEATS:
        return [value[2]]
    if operator is constants.SUBPATTERN:
        return [value[3]]
    if operator is constants.BRANCH:
        return list(value[1])
    if operator in (constants.ASSERT, constants.ASSERT_NOT):
        return [value[1]]
    return [value] if operator is constants.ATOMIC_GROUP else []


@pytest.mark.parametrize("name", list_modules())
def test_a_group_is_not_repeated_possessively(name: str) -> None:
    """Python 3.11.0 to 3.11.4 match it wrongly: after a repetition that fails midway they go on
    where it failed (gh-106052). An atomic group around a plain repetition means the same."""
    parsed = {
        one.where: parser.parse(
            one.pattern.decode("latin-1") if isinstance(one.pattern, bytes) else one.pattern,
            one.flags & ~re.UNICODE,
        )
        for one in find_expressions(name)
    }
    assert [where for where, parts in parsed.items() if has_possessive_group(parts)] == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"a(?:\.\d++)*+", True),
        (r"(?=x|(?>(?:ab?)++c))", True),
        (r"(?:(?:a|bc)?+d)*", True),
        (r"\d++[a-z]*+.?+(?>(?:\.\d++)*)", False),
    ],
)
def test_possessive_groups_are_found(pattern: str, found: bool) -> None:
    assert has_possessive_group(parser.parse(pattern)) is found


@pytest.mark.skipif(sys.platform == "win32", reason="a signal stops what takes too long")
@pytest.mark.parametrize("name", list_modules())
def test_no_regular_expression_takes_long_on_any_input(name: str) -> None:
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        slow = {
            expression.where: found
            for expression in find_expressions(name)
            if (found := attack(expression))
        }
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert slow == {}


def test_the_attacks_find_an_exponential_expression() -> None:
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        line = rb"[\[,](?:(?:[ \t]*(?:#[^\n]*)?\r?\n)*)[ \t]*\*"
        assert attack(Expression("", "search", line, 0))
        assert attack(Expression("", "match", r"(?:\w+)*;", 0))
        assert attack(Expression("", "match", r"(?:\w+)*+;", 0)) == ""
    finally:
        signal.signal(signal.SIGVTALRM, before)
