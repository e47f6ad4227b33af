"""The checks take time in proportion to what they read, whatever is in it."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable

import pytest

from twofold.check.facts.parse import parse_facts
from twofold.check.facts.syntax import find_features, guess_newer_syntax
from twofold.check.rules.secrets import find_secret
from twofold.check.rules.unwanted_files import junk_kind
from twofold.formats.conda_reader import find_spec_problem
from twofold.formats.portable_names import find_unportable

#: A repeated piece of a module, and what is before and behind it.
MODULES = {
    "comments in a list": ("X = [\n", "    # a\n", "    1,\n]\n"),
    "comments with commas in a list": ("X = [\n", "    # a, b,\n", "    1,\n]\n"),
    "comments in a call": ("f(a,\n", "# a\n", "  b)\n"),
    "comments in a dict": ("X = {1: 2,\n", "  # 'a': [1,\n", "}\n"),
    "blank lines": ("X = [1,\n", " \t \n", "]\n"),
    "commented code behind a bracket": ("x = y[\n", "  # *a,\n", "  0]\n"),
    "starred arguments": ("f(\n", "  *a,\n", ")\n"),
    "one long line of stars": ("f(", "*a, ", ")\n"),
    "one long line of commas": ("X = (", "1, ", ")\n"),
    "braces in an f-string": ("x = f'", "{{}}", "'\n"),
    "many f-strings": ("", "x = f'{a}' + f\"{b}\"\n", ""),
    "a long name": ("x = ", "alias", "\n"),
    "names in calls": ("", "#alias(\n", "x = 1\n"),
    "spaces": ("x = [1,", " " * 8, "]\n"),
}


def seconds(run: Callable[[int], object], size: int) -> float:
    started = time.process_time()
    run(size)
    return time.process_time() - started


def check_linear(run: Callable[[int], object]) -> None:
    """Eight times the input may take sixteen times as long, since short times are not exact."""
    for size in (1000, 8000):
        run(10)
        short = min(seconds(run, size) for _ in range(2))
        long = min(seconds(run, 8 * size) for _ in range(2))
        if short > 0.002:
            assert long < 16 * short
            return
    assert long < 0.5


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", MODULES)
def test_a_module_is_read_in_linear_time(case: str, ends: str) -> None:
    before, body, after = (part.replace("\n", ends).encode() for part in MODULES[case])

    def find(times: int) -> None:
        source = before + body * times + after
        find_features(ast.Module([], []), source, [], is_lazy=False)
        guess_newer_syntax(source, 1, "f-string: expecting '}'")
        find_secret("pkg/settings.txt", source)

    check_linear(find)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_commented_out_block_of_forty_lines_is_read_at_once(ends: str) -> None:
    source = f"X = [{ends}" + f"    # a{ends}" * 40 + f"    1,{ends}]{ends}"
    assert seconds(lambda _: parse_facts(source.encode()), 1) < 1


@pytest.mark.parametrize("body", [" ", "a", "[", "=", "/", "#", "\t.", "a ", "core.0", "<>"])
def test_names_and_requirements_are_read_in_linear_time(body: str) -> None:
    check_linear(lambda times: find_spec_problem("a" + body * min(times, 4000) + "\0"))
    check_linear(lambda times: junk_kind(body * min(times, 100)))
    check_linear(lambda times: list(find_unportable([body * min(times, 4000)])))
