"""A TOML reader for plain files; tomllib reads everything else.

Importing tomllib takes six milliseconds, a fifth of a small build. This reads what most files
consist of: tables, and keys with strings, whole numbers, booleans, lists and inline tables of
these. At the first construct that is not plain, or not valid, tomllib reads the whole text: it
alone reports errors.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _NotPlainError(Exception):
    """A construct that this reader leaves to tomllib."""


def loads(text: str) -> dict[str, Any]:
    """Parse a text like `tomllib.loads`, which raises TOMLDecodeError."""
    try:
        return _PlainParser(text).document()
    except (_NotPlainError, RecursionError):
        import tomllib

        return tomllib.loads(text)


_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class _PlainParser:
    """One text, and how far it has been read."""

    def __init__(self, text: str) -> None:
        if not all(map(str.isprintable, text.split("\n"))):
            raise _NotPlainError  # tabs, carriage returns, control characters, rare spaces
        self.text = text + "\n"
        self.at = 0

    def document(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        tables: dict[tuple[str, ...], bool] = {}  # path -> whether its header was read
        table = root
        end = len(self.text)
        self.skip_lines()
        while self.at < end:
            if self.text[self.at] == "[":
                table = self.header(root, tables)
            else:
                self.pair(table)
            self.end_line()
            self.skip_lines()
        return root

    def header(self, root: dict[str, Any], tables: dict[tuple[str, ...], bool]) -> dict[str, Any]:
        """Read `[a.b]`, and create and return the table."""
        self.at += 1
        path: tuple[str, ...] = ()
        table = root
        while True:
            key = self.key()
            path = (*path, key)
            if key not in table:
                tables[path] = False
                table[key] = {}
            elif path not in tables:
                raise _NotPlainError  # a value, or an inline table: tomllib reports it
            inner: dict[str, Any] = table[key]
            table = inner
            mark = self.text[self.at]
            self.at += 1
            if mark == "]":
                break
            if mark != ".":
                raise _NotPlainError
        if tables[path]:
            raise _NotPlainError  # the same table twice
        tables[path] = True
        return table

    def key(self) -> str:
        start = self.at
        while self.text[self.at] in _BARE:
            self.at += 1
        if self.at == start:
            raise _NotPlainError
        return self.text[start : self.at]

    def pair(self, table: dict[str, Any]) -> None:
        """`key = value`."""
        key = self.key()
        self.skip_spaces()
        if self.text[self.at] != "=" or key in table:
            raise _NotPlainError
        self.at += 1
        self.skip_spaces()
        table[key] = self.value()

    def value(self) -> Any:
        mark = self.text[self.at]
        if mark in "\"'":
            return self.string(mark)
        if mark == "[":
            return self.array()
        if mark == "{":
            return self.inline_table()
        for word, meaning in (("true", True), ("false", False)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        start = self.at
        while self.text[self.at].isascii() and self.text[self.at].isdigit():
            self.at += 1
        digits = self.text[start : self.at]
        if not digits or (digits[0] == "0" and digits != "0") or self.text[self.at] not in " ,]}\n":
            raise _NotPlainError
        return int(digits)

    def string(self, quote: str) -> str:
        """Read a string on one line, without escapes."""
        end = self.text.find(quote, self.at + 1)
        value = self.text[self.at + 1 : end]
        if end < 0 or "\n" in value or (quote == '"' and "\\" in value):
            raise _NotPlainError
        self.at = end + 1
        if not value and self.text[self.at] == quote:
            raise _NotPlainError  # three quotation marks
        return value

    def array(self) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        self.skip_lines()
        while self.mark() != "]":
            found.append(self.value())
            self.skip_lines()
            if self.mark() == ",":
                self.at += 1
                self.skip_lines()
            elif self.mark() != "]":
                raise _NotPlainError
        self.at += 1
        return found

    def inline_table(self) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        self.skip_spaces()
        while self.text[self.at] != "}":
            self.pair(found)
            self.skip_spaces()
            if self.text[self.at] == ",":
                self.at += 1
                self.skip_spaces()
                if self.text[self.at] == "}":
                    raise _NotPlainError  # TOML 1.0 has no comma there
            elif self.text[self.at] != "}":
                raise _NotPlainError
        self.at += 1
        return found

    def mark(self) -> str:
        """Return the next character; the end of the text is left to tomllib."""
        if self.at >= len(self.text):
            raise _NotPlainError
        return self.text[self.at]

    def skip_spaces(self) -> None:
        while self.text[self.at] == " ":
            self.at += 1

    def end_line(self) -> None:
        """Check that only a comment follows on the line."""
        self.skip_spaces()
        if self.text[self.at] not in "#\n":
            raise _NotPlainError

    def skip_lines(self) -> None:
        """Skip spaces, line ends and comments."""
        end = len(self.text)
        while self.at < end and self.text[self.at] in " \n#":
            if self.text[self.at] == "#":
                self.at = self.text.index("\n", self.at)
            self.at += 1
