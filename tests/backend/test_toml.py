"""The hand-made reader of plain TOML never says anything else than tomllib."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold_build.toml import _NotPlainError, _PlainParser

_PIECES = [
    "[", "]", "[[", "]]", "{", "}", "=", ",", ".", "\n", "\n", " ", "  ", "#", "# note\n", '"', "'",
    '"""', "'''", "\\", "\\n", "a", "b", "key", "a.b", "1", "0", "01", "1.5", "-2", "1_000", "true",
    "false", "truely", "inf", "1979-05-27", '"text"', "'text'", '""', "''", "[a]\n", "[a.b]\n", "é",
    "\t", "\r\n", "\x00", "\u2028", "a = 1\n", "b = [1, 2]\n", 'c = {d = "e"}\n', "[c.d]\n",
]  # fmt: skip


def is_read_alike(text: str) -> bool:
    """Whether the reader took the text; then it must have read what tomllib reads."""
    try:
        read = _PlainParser(text).document()
    except _NotPlainError:
        return False
    assert read == tomllib.loads(text)
    return True


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
def test_text_read_by_hand_is_what_tomllib_reads(text: str) -> None:
    is_read_alike(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n# only a note",
        "a = 1 # note\n[b]\nc = 'x'\n",
        '[a.b]\nc = ["x", "y", # note\n]\n[a]\nd = {e = "f", g = [1]}',
        "a = 0\nb = true\nc = []\nd = {}\n",
    ],
)
def test_plain_texts_are_taken(text: str) -> None:
    assert is_read_alike(text)


@pytest.mark.parametrize(
    "text",
    ["a = 1\na = 2", "[a]\n[a]", "a = {b = 1}\n[a]", "a = {b = 1}\n[a.c]", "a = [1", "a = {b = 1,}",
     "a", "a =", "[a", "[a]b", 'a = "x', "a = 1 b = 2", "= 1", "a = 01", "[[a]]\n[a]", "a = '''x'"],
)  # fmt: skip
def test_invalid_text_is_left_to_tomllib(text: str) -> None:
    assert not is_read_alike(text)


def test_every_sample_and_this_repository_are_read_alike() -> None:
    root = Path(__file__).parents[2]
    files = [root / "pyproject.toml", root / "backend" / "pyproject.toml"]
    files += sorted((root / "tests" / "projects").glob("*/pyproject.toml"))
    taken = [is_read_alike(path.read_text("utf-8")) for path in files]
    assert sum(taken) > len(taken) / 2
