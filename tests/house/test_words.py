"""Names and messages are in the field's words; the glossary is in ARCHITECTURE.md.

There is no list of exceptions: a name or sentence that this test finds is written again.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.house.source import Module, modules

#: Words of an older dialect of this code. No module, class, function or parameter holds one.
NAME_WORDS = frozenset(
    str.split(
        "told tell tells said asked asking hearing heard bringing fronting following foresee"
        " foreseen foreseeing manner whoever whole_of at_hand looking holding reviving upstreaming"
        " wish wishes twin twins"
    )
)

#: Turns of phrase of that dialect. No message, help text or docstring holds one.
PHRASES = re.compile(
    r"""\b(
        told | tells? | said | at\ hand | who\ asks | who\ ever | whoever | (?:is|are)\ none\ of
      | foresee\w* | hearing | manner | has\ it\ that | let\ go\ of | taken\ for\ granted
      | cannot\ be\ had | is\ no\ more | lies\ (?:in|beside|there|under|at)
      | stands\ (?:in|for|there|beside|under|at) | of\ that\ name\ there
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


def _words(name: str) -> set[str]:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")
    pairs = {f"{first}_{second}" for first, second in pairwise(parts)}
    return {*parts, *pairs}


def _names(module: Module) -> Iterator[tuple[int, str]]:
    yield 1, module.name.rpartition(".")[2]
    for node in ast.walk(module.tree()):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            yield from ((argument.lineno, argument.arg) for argument in every)
        elif isinstance(node, ast.ClassDef):
            yield node.lineno, node.name


def _strings(module: Module) -> Iterator[tuple[int, str]]:
    """Strings that people may read: those with a blank, docstrings among them."""
    for node in ast.walk(module.tree()):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("name", ["told_of", "HearingAid", "is_at_hand", "read_whole_of"])
def test_a_name_of_the_old_dialect_is_found(name: str) -> None:
    assert _words(name) & NAME_WORDS


def test_a_sentence_of_the_old_dialect_is_found() -> None:
    assert PHRASES.search("The channels that who asks may read.")
    assert PHRASES.search("'x' is none of the files") and PHRASES.search("The index tells it.")
    assert not PHRASES.search("List channels the caller can read.")


def test_modules_classes_and_functions_are_named_in_the_fields_words() -> None:
    found = [
        f"{module.place}:{line}: {name}"
        for module in modules()
        for line, name in _names(module)
        if _words(name) & NAME_WORDS
    ]
    assert found == []


def test_messages_help_and_docstrings_are_in_the_fields_words() -> None:
    found = [
        f"{module.place}:{line}: {match[0]!r} in {text.strip()[:80]!r}"
        for module in modules()
        for line, text in _strings(module)
        if not module.is_migration and (match := PHRASES.search(text))
    ]
    assert found == []
