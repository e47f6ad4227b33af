"""What a module imports and defines at its top level, read from its text.

For a build, which reads every module and finds nothing wrong in nearly all of them: only
statements that are not plain become a syntax tree. The names and lines are those that `imports`
and `definitions` read from the whole tree; imports inside functions are left out.
"""

from __future__ import annotations

import re

from twofold.source_analysis.plain_statements import (
    IMPORT_BEHIND,
    INNER_IMPORT,
    Outline,
    Statement,
    read_plain,
)
from twofold.source_analysis.top_level import split_top_level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from twofold.source_analysis.top_level import TopLevel

_BEHIND_WORD = re.compile(rb"[;:][ \t]*\Z")
_NAMES = re.compile(rb"[ \t]++\w++[ \t]*+(?:,[ \t]*+\w++[ \t]*+)*+")
_NO_NAMES = re.compile(rb"[ \t]++\w++[.\[][^,()\\]*+")
_LETTER = re.compile(rb"[\w\x80-\xff]")


def read_outline(source: bytes) -> Outline | None:
    """The outline of a module whose syntax is valid; None where its text leaves a doubt."""
    if b"import_module" in source and b"importlib" in source:
        return None  # its calls count as imports
    cut = split_top_level(source)
    if cut is None:
        return None
    outline = Outline()
    if b"global " in source or b"del " in source:
        outline.is_sure_of_names = _read_scoped_names(cut, outline, b"global") and (
            _read_scoped_names(cut, outline, b"del")
        )
    doubtful = [one for one in _statements(cut) if not read_plain(cut, outline, one)]
    if doubtful:
        _read_tree(cut, outline, doubtful)
    return outline


def may_import_inside(source: bytes) -> bool:
    """Whether functions or classes of a module may hold imports."""
    return INNER_IMPORT.search(source) is not None or IMPORT_BEHIND.search(source) is not None


def _statements(cut: TopLevel) -> Iterator[Statement]:
    line, at = 0, 0
    for start, end in cut.statements():
        line += cut.text.count(b"\n", at, start)
        at = start
        yield Statement(start, end, line)


def _read_scoped_names(cut: TopLevel, outline: Outline, word: bytes) -> bool:
    """Read `global a` or `del a` inside functions; False where that is in doubt."""
    text, at = cut.text, 0
    while (at := text.find(word, at + 1)) >= 0:
        if inside := cut.string_at(at):
            at = inside[1]
            continue
        if _LETTER.match(text, at + len(word)):
            continue
        start = text.rfind(b"\n", 0, at)
        before = text[start + 1 : at]
        names = text[at + len(word) : text.find(b"\n", at)].partition(b"#")[0]
        if before.strip(b" \t"):
            if _BEHIND_WORD.search(before):
                return False
        elif _NAMES.fullmatch(names) and text[start - 1 : start] != b"\\":
            line = text.count(b"\n", 0, at)
            outline.further += [(name.strip(), line) for name in names.decode().split(",")]
        elif word == b"global" or not _NO_NAMES.fullmatch(names):
            return False
    return True


def _read_tree(cut: TopLevel, outline: Outline, doubtful: list[Statement]) -> None:
    """Parse the statements that are not plain, each on its own line."""
    import ast
    import warnings

    from twofold.source_analysis.imports import module_imports

    pieces = []
    last = 1
    for start, end, line in doubtful:
        pieces += [b"\n" * (line - last), cut.text[start:end]]
        last = line + cut.text.count(b"\n", start, end)
    code = b"".join(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is not ours to print
        tree = ast.parse(code)
    if b"del" in code and any(isinstance(node, ast.Delete) for node in ast.walk(tree)):
        outline.is_sure_of_names = False
    outline.tree = tree
    outline.imports += module_imports(tree)
    outline.imports.sort(key=lambda one: one.line)
