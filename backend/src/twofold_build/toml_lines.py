"""Finds the line of a key in a TOML file, for messages only.

Not a parser: tomllib has read the file before. It follows table headers, brackets and strings
only as far as needed to find the lines on which a key begins and ends.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*+\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STRING = re.compile(r'''"""|\'\'\'|"(?:[^"\\]|\\.)*"?|'[^']*+'?|#.*''')


def find_line(text: str, table: str, key: str = "", value: str = "") -> int | None:
    """Return the line (from 1) of `key` in `table`, of `value` inside it, or of the header.

    Takes the nearest thing that exists: the value, the key, the beginning of a dotted key (a key
    of an inline table is on the table's line), the table, a table around it; else None.
    """
    places = _locate_keys(text)
    whole = (*_split_key(table), key) if key else _split_key(table)
    if key and not any(path == whole for path, _, _, _ in places):
        whole = _split_key(table) + tuple(key.split("."))
    for length in range(len(whole), 0, -1):
        found = [place for place in places if place[0] == whole[:length]]
        if not found:
            continue
        _, first, last, is_header = found[0]
        inside = value if length == len(whole) else whole[-1]
        end = None if is_header else last
        return _find_value_line(text, first + is_header, end, inside) or first
    below = [place for place in places if place[0][: len(whole)] == whole and whole]
    return below[0][1] if below else None


def _split_key(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _locate_keys(text: str) -> list[tuple[tuple[str, ...], int, int, bool]]:
    """Return every header and key with its full path, first and last line."""
    lines = text.splitlines()
    places: list[tuple[tuple[str, ...], int, int, bool]] = []
    table: tuple[str, ...] = ()
    at = 0
    while at < len(lines):
        line = lines[at]
        header = _HEADER.match(line)
        if header:
            table = _split_key(header.group(1))
            places.append((table, at + 1, at + 1, True))
            at += 1
            continue
        key = _KEY.match(line)
        end = _find_value_end(lines, at, key.end()) if key else at
        if key:
            places.append((table + _split_key(key.group(1)), at + 1, end + 1, False))
        at = end + 1
    return places


def _find_value_end(lines: list[str], at: int, column: int) -> int:
    """Return the index of the line on which the value that begins here ends."""
    depth = 0
    fence = ""
    while at < len(lines):
        line = lines[at]
        while column < len(line):
            if fence:
                closed = line.find(fence, column)
                column = len(line) if closed < 0 else closed + len(fence)
                fence = fence if closed < 0 else ""
                continue
            found = _STRING.search(line, column)
            end = found.start() if found else len(line)
            depth += sum(line.count(mark, column, end) for mark in "[{") - sum(
                line.count(mark, column, end) for mark in "]}"
            )
            if not found:
                break
            if found.group() in ('"""', "'''"):
                fence = found.group()
            column = found.end()
        column = 0
        if depth <= 0 and not fence:
            return at
        at += 1
    return len(lines) - 1


def _find_value_line(text: str, first: int, last: int | None, value: str) -> int | None:
    if not value:
        return None
    lines = text.splitlines()
    for number in range(first, min(last or len(lines), len(lines)) + 1):
        if last is None and _HEADER.match(lines[number - 1]):
            return None  # the next table begins
        if value in lines[number - 1]:
            return number
    return None


def explain_syntax_error(text: str, message: str) -> tuple[str, str, int]:
    """Return what tomllib could not read, a hint for common slips, and its line."""
    placed = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    plain = message[: placed.start()] if placed else message.removesuffix(" (at end of document)")
    lines = text.splitlines() or [""]
    number = min(int(placed.group(1)), len(lines)) if placed else len(lines)
    line = lines[number - 1]
    hint = "values are quoted strings, numbers, true/false, [lists] or {tables}"
    if text.startswith("\ufeff"):
        hint = "the file begins with a byte order mark: save it as UTF-8 without one"
    elif "recursion" in plain:
        plain, hint = "values are nested too deeply", "write fewer brackets inside each other"
    elif re.match(r"^\s*[\w.-]+\s*$", line):
        hint = "a key needs '= value' after it"
    elif re.match(r"^\s*[\w.-]+\s*:", line):
        hint = "TOML writes 'key = value', with '=' in place of ':'"
    elif re.match(r"^\s*[\w.-]+\s*=\s*(True|False|None)\b", line):
        hint = "TOML writes true and false in lower case, and has no None"
    elif re.match(r"[^\"'=]*=\s*+\[?\s*[“”„‟‘’‚«»`´]", line):
        hint = 'write straight quotation marks: "'
    elif line.count('"') % 2:
        hint = "a quotation mark is missing"
    elif "verwrite" in plain or "twice" in plain or "mutate" in plain:
        hint = "the same key or table appears twice: keep one"
    elif plain.startswith("Expected ']'") or "Unclosed array" in plain:
        hint = "close the list with ']' and separate its items with commas"
    return f"not valid TOML: {plain}", hint, number
