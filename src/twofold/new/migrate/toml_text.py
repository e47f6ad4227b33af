"""Edit pyproject.toml as text: its tables with their lines and comments.

tomllib verifies that nothing else is lost when tables are removed from the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit

from twofold.errors import TwofoldError

_HEADER = re.compile(r"\s*+\[\[?([^\]]+)\]\]?\s*(#.*)?$")
#: A string that is not closed on its line, which TOML does not know, reaches to the line's end.
_STRING = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"?|\'[^\']*+\'?|#.*')


@dataclass(frozen=True, slots=True)
class Section:
    """A table's lines, from its header (or the comments right above it) to the next one's.

    `name` is its dotted name as a tuple, () for what precedes the first header.
    """

    name: tuple[str, ...]
    lines: tuple[str, ...]

    def is_below(self, name: tuple[str, ...]) -> bool:
        """Whether the table has this name or is below it."""
        return self.name[: len(name)] == name


def split_sections(text: str) -> list[Section]:
    """Split the file at its tables; joined, the parts are the file."""
    found: list[Section] = []
    name: tuple[str, ...] = ()
    held: list[str] = []
    for line, is_code in _scan_lines(text):
        header = _HEADER.match(line) if is_code else None
        if header:
            above: list[str] = []
            while held and held[-1].lstrip().startswith("#"):
                above.append(held.pop())
            found.append(Section(name, tuple(held)))
            name, held = tuple(_split_keys(header[1])), above[::-1]
        held.append(line)
    found.append(Section(name, tuple(held)))
    return found


def _split_keys(dotted: str) -> Iterator[str]:
    for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", dotted):
        yield part.strip("\"'")


def _scan_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it may be a header (not inside an array or long string)."""
    depth, ending = 0, ""
    for line in text.splitlines(keepends=True):
        yield line, depth == 0 and not ending
        rest = line
        if ending:
            if ending not in rest:
                continue
            rest, ending = rest.partition(ending)[2], ""
        if depth == 0 and _HEADER.match(rest):
            continue
        for piece in _STRING.finditer(rest):
            if piece[0] in ('"""', "'''"):
                after = rest[piece.end() :]
                if piece[0] not in after:
                    rest, ending = rest[: piece.start()], piece[0]
                else:
                    rest = rest[: piece.start()] + after.partition(piece[0])[2]
                break
        plain = _STRING.sub("", rest)
        depth += plain.count("[") - plain.count("]")
        depth = max(depth, 0)


def remove_tables(text: str, names: Sequence[str]) -> str:
    """Remove tables (dotted names) and their subtables from the file.

    Tables under headers of their own are cut out of the text; those written as dotted keys are
    taken out by tomlkit. Raises TwofoldError when neither leaves just the rest.
    """
    wanted = [tuple(name.split(".")) for name in names]
    kept = [
        s for s in split_sections(text) if not any(s.name and s.is_below(name) for name in wanted)
    ]
    rest = "".join(line for section in kept for line in section.lines)
    expected = tomllib.loads(text)
    for name in wanted:
        _drop_table(expected, name)
    if tomllib.loads(rest) != expected:
        document = tomlkit.parse(rest)
        for name in wanted:
            _drop_table(document, name)
        rest = tomlkit.dumps(document)
    if tomllib.loads(rest) != expected:
        raise TwofoldError(
            f"the tables {', '.join(names)} cannot be separated from the rest",
            "write each under a [header] of its own",
            "pyproject.toml",
        )
    return rest


def _drop_table(table: MutableMapping[str, Any], name: tuple[str, ...]) -> None:
    """Remove a table, and its parents if they are empty then."""
    inner = table.get(name[0])
    if inner is None:
        return
    if len(name) == 1:
        del table[name[0]]
    elif isinstance(inner, MutableMapping):
        _drop_table(inner, name[1:])
        if not inner:
            del table[name[0]]


def group_tables(text: str, name: str) -> str:
    """Move the table `name` and its subtables together, to the place of the first."""
    pieces = split_sections(text)
    inside = [section for section in pieces if section.name[:1] == (name,)]
    lines: list[str] = []
    for section in pieces:
        if section not in inside:
            lines += section.lines
        elif section is inside[0]:
            for one in sorted(inside, key=lambda one: len(one.name) > 1):
                lines += one.lines
                if one.lines and not one.lines[-1].endswith("\n"):
                    lines.append("\n")
    return "".join(lines)


def list_comments(text: str) -> list[str]:
    """List the comments of a file, in order."""
    found: list[str] = []
    for section in split_sections(text):
        beside, alone = find_comments(section)
        found += [*alone, *(f"# {key}: {c.lstrip('#').strip()}" for key, c in beside.items())]
    return found


def find_comments(section: Section) -> tuple[dict[str, str], list[str]]:
    """Return (key -> the comment beside it, comments on their own lines) of one table."""
    beside: dict[str, str] = {}
    alone: list[str] = []
    for line, is_code in _scan_lines("".join(section.lines)):
        if line.lstrip().startswith("#"):
            alone.append(line.strip())
            continue
        plain = _STRING.sub(lambda m: "" if m[0].startswith("#") else "_" * len(m[0]), line)
        comment = line[len(plain.rstrip("\r\n")) :].strip() if len(plain) < len(line) else ""
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+?)\s*=", line)
        if comment.startswith("#"):
            if is_code and key:
                beside[key[1].strip("\"'")] = comment
            else:
                alone.append(comment)
    return beside, alone
