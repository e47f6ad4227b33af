"""The statements at a module's top level, cut out of its text without a syntax tree.

A tree costs the most of a first build. Most statements are functions, classes, plain imports and
plain assignments, whose names can be read from their first line. `split_top_level` finds where each
statement begins; what it is not sure of it leaves to the caller, who parses the whole module.
The module's syntax must be valid: nothing here looks for mistakes.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from typing import NamedTuple

from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

#: Strings and comments; what is left of a statement without them is code.
NO_CODE = expression(
    rb"#[^\n]*+"
    rb"|\"\"\"(?>(?:[^\"\\]|\\.|\"(?!\"\"))*)\"\"\"|'''(?>(?:[^'\\]|\\.|'(?!''))*)'''"
    rb"|\"(?>(?:[^\"\\\n]|\\.)*)\"|'(?>(?:[^'\\\n]|\\.)*)'",
    re.DOTALL,
)
_ONE_QUOTE = expression(rb"\"(?>(?:[^\"\\\n]|\\.)*)\"|'(?>(?:[^'\\\n]|\\.)*)'", re.DOTALL)
#: Code and whole strings before the place where a string begins.
_WHOLE_STRINGS = expression(
    rb"(?>(?:[^#\"'\n]|\"(?>(?:[^\"\\\n]|\\.)*)\"|'(?>(?:[^'\\\n]|\\.)*)')*)", re.DOTALL
)
#: Words that only a statement begins with, and not a line inside brackets; a plain decorator too,
#: because `def` behind it shows that no bracket is open.
_SURE = (
    rb"(?:def|class|import|try|with|while|return|raise|del|pass|assert)\b"
    rb"|async[ \t]+(?:def|with)\b|from[ \t.][^\n]*?[ \t.]import\b"
    rb"|@[\w.]++(?:\([^()\n]*+\))?[ \t]*+\n(?:def|class)\b"
)
_SURE_WORD = expression(_SURE)
#: What may stand before a line of code: blanks and comments do not begin a statement, nor do
#: closing brackets. The group is there where a statement surely begins.
_LINE = expression(rb"\n(?=[^\s#)\]}])(?:(?<!\\\n)(?=" + _SURE + rb")())?")
#: Such a word on a further line of a statement: no bracket is open there.
_INSIDE = expression(
    rb"\n(?<!\\\n)[ \t]++"
    rb"(?=(?:def|class|import|try|with|while|return|raise|del|pass|assert)\b)"
)
#: So far back it is looked for, in bytes.
_NEAR = 2000
#: Statements that continue the one before: `else:` and the like.
_CONTINUES = expression(rb"(?:elif|else|except|finally)\b")
#: Bytes that end lines for Python in ways of their own, or end the source.
_ODD = (b"\f", b"\0", b"\x1a")
_CODING = expression(
    rb"(?:[^\n]*\n)?[ \t]*#[^\n]*?coding[:=][ \t]*(?!utf-?8\b)[-\w.]", re.IGNORECASE
)
#: The fields of an f-string, plain enough that no quote can be inside them.
_PLAIN_FIELDS = expression(rb"(?>(?:[^{}]|\{\{|\}\}|\{[^{}\"'\\]*+\})*)", re.DOTALL)
_PREFIX = expression(rb"[A-Za-z]{1,2}\Z")


class TopLevel(NamedTuple):
    """A module's text with `\\n` at line ends, and the statements at its top level.

    `starts` are the offsets of the statements' first lines, the end of the text last; a decorator
    counts as a statement. `strings` are the spans of strings in three quotes.
    """

    text: bytes
    starts: list[int]
    strings: list[Span]

    def statements(self) -> Iterator[Span]:
        """The span of each statement, with the blank lines and comments behind it."""
        return zip(self.starts, self.starts[1:], strict=False)

    def pieces(self) -> Iterator[bytes]:
        """The text of each statement, with its decorators: each could be a module."""
        begin: int | None = None
        for start, end in self.statements():
            begin = start if begin is None else begin
            if self.text[start : start + 1] != b"@":
                yield self.text[begin:end]
                begin = None

    def string_at(self, at: int) -> Span | None:
        """The string in three quotes that holds a place."""
        place = bisect_right(self.strings, (at, len(self.text)))
        span = self.strings[place - 1] if place else (0, 0)
        return span if span[1] > at else None


def split_top_level(source: bytes) -> TopLevel | None:
    """Cut a module into its statements; None where its text leaves a doubt."""
    text = source.removeprefix(b"\xef\xbb\xbf")
    text = text.replace(b"\r\n", b"\n") if b"\r" in text else text
    if any(odd in text for odd in _ODD) or b"\r" in text:
        return None
    if b"coding" in text[:400] and _CODING.match(text):
        return None
    text = b"\n" + text  # the first line is like the others then
    strings = _find_triple_quoted(text)
    if strings is None:
        return None
    starts: list[int] = []
    brackets = _OpenBrackets(text)
    at = 0
    for begin, end in [*strings, (len(text), len(text))]:
        # A string that begins a line may begin a statement: its first quote is looked at too.
        for found in _LINE.finditer(text, at, min(begin + 1, len(text))):
            start = found.end()
            if found.lastindex is None:
                is_start = _judge_line(text, starts, start, at, brackets)
                if is_start is None:
                    return None
                if not is_start:
                    continue
            starts.append(start)
            brackets.restart(start)
        at = end
    starts.append(len(text))
    return TopLevel(text, starts, strings)


def _judge_line(
    text: bytes, starts: list[int], start: int, string_end: int, brackets: _OpenBrackets
) -> bool | None:
    """Whether a statement begins at the start of a line; None where that is in doubt. The last
    string in three quotes ends at `string_end`."""
    if text[start - 2 : start - 1] == b"\\":
        # A comment may end in a backslash, and goes on in no other line.
        return None if b"#" in text[text.rfind(b"\n", 0, start - 1) : start] else False
    if _CONTINUES.match(text, start):
        return False if starts else None
    if not starts or _SURE_WORD.match(text, start):
        return True
    is_open = brackets.is_open(start, string_end)
    return None if is_open is None else not is_open


class _OpenBrackets:
    """Counts the brackets that are open in the last statement, each piece of text once."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._counted = self._depth = 0

    def restart(self, start: int) -> None:
        """Begin with a statement, or with a word before which no bracket is open."""
        self._counted, self._depth = start, 0

    def is_open(self, line: int, string_end: int) -> bool | None:
        """Whether a bracket is open at the start of a line; None where that is in doubt."""
        for inside in _INSIDE.finditer(
            self._text, max(self._counted, string_end, line - _NEAR), line
        ):
            self.restart(inside.start())
        text = self._text[self._counted : line - 1]
        if b"'" in text or b'"' in text or b"#" in text:
            text = NO_CODE.sub(b"", text)
            if b"'" in text or b'"' in text:
                return None
        self._depth += text.count(b"(") + text.count(b"[") + text.count(b"{")
        self._depth -= text.count(b")") + text.count(b"]") + text.count(b"}")
        self._counted = line - 1
        return None if self._depth < 0 else self._depth > 0


def _find_triple_quoted(text: bytes) -> list[Span] | None:
    """The spans of the strings in three quotes; None where one may be something else."""
    spans: list[Span] = []
    at = end = 0
    while True:
        begin, quotes = _next_triple(text, at)
        if begin < 0:
            return spans
        line = max(text.rfind(b"\n", 0, begin) + 1, end)
        before = text[line:begin]
        if b"#" in before or b'"' in before or b"'" in before:
            whole = _WHOLE_STRINGS.match(before)
            rest = before[whole.end() :] if whole else before
            if rest.startswith(b"#"):  # in a comment
                at = text.find(b"\n", begin)
                if at < 0:
                    return spans
                continue
            if rest:  # in a string of one quote
                string = _ONE_QUOTE.match(text, begin - len(rest))
                if string is None:
                    return None
                at = string.end()
                continue
        if text[line - 2 : line - 1] == b"\\" and line != end and _may_be_open(text, line, end):
            return None
        end = _find_end(text, begin, quotes)
        if end < 0 or not _has_plain_fields(text, line, begin, end):
            return None
        spans.append((begin, end))
        at = end


def _next_triple(text: bytes, at: int) -> tuple[int, bytes]:
    """Where the next three quotes are, -1 for nowhere, and which."""
    double = text.find(b'"""', at)
    single = text.find(b"'''", at, double if double >= 0 else len(text))
    return (single, b"'''") if single >= 0 else (double, b'"""')


def _may_be_open(text: bytes, line: int, end: int) -> bool:
    """Whether the line before one, which goes on in it, may leave a string open; the last string in
    three quotes ends at `end`."""
    start = text.rfind(b"\n", 0, line - 1) + 1
    before = text[max(start, end) : line - 2]
    if b"'" not in before and b'"' not in before:
        return False
    is_continued = start > end and text[start - 2 : start - 1] == b"\\"
    return is_continued or not _WHOLE_STRINGS.fullmatch(before)


def _find_end(text: bytes, begin: int, quotes: bytes) -> int:
    """Where a string in three quotes ends, -1 for nowhere."""
    at = begin + 3
    while (at := text.find(quotes, at)) >= 0:
        back = at
        while text[back - 1 : back] == b"\\":
            back -= 1
        if (at - back) % 2 == 0 or back < begin + 3:
            return at + 3
        at += 1
    return -1


def _has_plain_fields(text: bytes, line: int, begin: int, end: int) -> bool:
    """Whether a string surely ends where it seems to: since Python 3.12 an f-string may hold its
    own quotes in its fields."""
    minor = sys.version_info[1]
    if minor < 12:
        return True
    prefix = _PREFIX.search(text, line, begin)
    if prefix is None or not set(prefix.group().lower()) & set(b"ft"):
        return True
    return _PLAIN_FIELDS.fullmatch(text, begin + 3, end - 3) is not None
