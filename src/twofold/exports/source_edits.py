"""Edits of a Python file that leave everything else as it is, byte for byte.

A `Source` is the file's text with its tree. An edit replaces a statement's own characters, or
inserts lines; comments, blank lines, line ends, a byte order mark and the coding line stay.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from twofold.errors import BadFile
from twofold.source_analysis import parse_module

_LINE_END = re.compile(r"\r\n|\r|\n")
#: A comment that speaks to a linter about the statement before it, and goes with it.
_PRAGMA = re.compile(r"[ \t]*#\s*(noqa|type:|pylint:|pyright:|isort:|ruff:)[^\r\n]*")


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace the characters [start, end) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class SourceFile:
    """A file's text (line ends as they are) and how it is encoded."""

    path: Path
    text: str
    encoding: str

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        """Raises BadFile when the file is no Python."""
        parse_module(path)
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return cls(path, data.decode(encoding), encoding)

    @property
    def data(self) -> bytes:
        """The text in the file's encoding."""
        return self.text.encode(self.encoding)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of the text; raises BadFile if it is not Python."""
        try:
            return ast.parse(self.text)
        except SyntaxError as error:
            raise BadFile(
                f"syntax error: {error.msg}", where=f"{self.path}:{error.lineno}"
            ) from error

    @cached_property
    def newline(self) -> str:
        """The line end of the file's first line."""
        found = _LINE_END.search(self.text)
        return found[0] if found else "\n"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """The character at a tree's place; `column` counts UTF-8 bytes, as the tree does."""
        start = self._line_starts[line - 1]
        rest = self.text[start : start + column]
        return start + len(rest.encode("utf-8")[:column].decode("utf-8"))

    def span(self, node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
        """The (start, end) offsets of a node."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def segment(self, node: ast.stmt | ast.expr | ast.alias) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_end(self, position: int) -> int:
        """The end of the line around a character, before its line end."""
        found = _LINE_END.search(self.text, position)
        return found.start() if found else len(self.text)

    def apply(self, edits: Sequence[TextEdit]) -> SourceFile:
        """The source after edits that do not overlap; '\\n' in them becomes the file's line end."""
        text = self.text
        for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
            new = edit.text.replace("\n", self.newline)
            text = text[: edit.start] + new + text[edit.end :]
        return SourceFile(self.path, text, self.encoding)


def remove_statement(source: SourceFile, statement: ast.stmt) -> TextEdit:
    """Remove a statement, and its line if nothing else is on it. Comments stay."""
    start, end = source.span(statement)
    semicolon = re.compile(r"[ \t]*;[ \t]*").match(source.text, end)
    if semicolon:
        return TextEdit(start, semicolon.end(), "")
    inside = _comments(source.segment(statement))
    if inside:
        return TextEdit(start, end, "\n".join(inside))
    pragma = _PRAGMA.match(source.text, end)
    end = pragma.end() if pragma else end
    line_start = source.offset(statement.lineno, 0)
    line_end = source.line_end(end)
    if source.text[line_start:start].strip("\ufeff \t\f") or source.text[end:line_end].strip():
        return TextEdit(start, end, "")
    ending = _LINE_END.match(source.text, line_end)
    return TextEdit(start, ending.end() if ending else line_end, "")


def _comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def insert_after(source: SourceFile, node: ast.stmt, text: str, blank: bool) -> TextEdit:
    """Whole lines after the line that a statement, or another on that line, ends on."""
    end = source.line_end(source.span(node)[1])
    for other in source.tree.body:
        start, stop = source.span(other)
        if start <= end:
            end = max(end, source.line_end(stop))
    return TextEdit(end, end, ("\n\n" if blank else "\n") + text)


def append_lines(source: SourceFile, text: str) -> TextEdit:
    """Lines after everything else, with a blank line between."""
    end = len(source.text)
    lead = "" if not source.text or source.text.endswith(("\n", "\r")) else "\n"
    gap = "\n" if source.text.strip() else ""
    return TextEdit(end, end, f"{lead}{gap}{text}\n")


def format_list(head: str, names: Sequence[str], brackets: str, width: int) -> str:
    """`head` and names on one line, or one name a line when that is longer than `width`.

    `brackets` are those of the list form; an import needs them only when it is broken.
    """
    opening, closing = brackets[0], brackets[1]
    is_import = opening == "("
    flat = ", ".join(names)
    line = f"{head}{flat}" if is_import else f"{head}{opening}{flat}{closing}"
    if len(line) <= width:
        return line
    return f"{head}{opening}\n" + "".join(f"    {name},\n" for name in names) + closing


def update_list(
    source: SourceFile,
    node: ast.stmt | ast.expr,
    items: Sequence[tuple[str, ast.expr | ast.alias]],
    wanted: Sequence[str],
    fresh: str,
) -> list[TextEdit]:
    """Edits that make a bracketed list of names hold `wanted`.

    `items` are the present names with their nodes, `fresh` the whole text when no
    comment is inside; otherwise names are taken out and put in one by one around the comments.
    """
    start, end = source.span(node)
    if "#" not in source.segment(node):
        return [TextEdit(start, end, fresh)]
    if not items:
        return [TextEdit(start + 1, start + 1, "".join(f'"{name}", ' for name in wanted))]
    present = [name for name, _ in items]
    quote = "" if isinstance(items[0][1], ast.alias) else '"'
    added = [name for name in wanted if name not in present]
    edits = []
    for name, item in items:
        if name not in wanted:
            item_start, item_end = source.span(item)
            comma = re.compile(r"[ \t]*,[ \t]?").match(source.text, item_end)
            edits.append(TextEdit(item_start, comma.end() if comma else item_end, ""))
    if added:
        # In front of the first: a comma can be set there whatever follows the last one.
        text = "".join(f"{quote}{name}{quote}, " for name in added)
        place = source.span(items[0][1])[0]
        edits.append(TextEdit(place, place, text))
    return edits
