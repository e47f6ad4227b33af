"""What a module imports and defines at its top level, read from its text.

For a build, which reads every module and finds nothing wrong in nearly all of them: only
statements that are not plain become a syntax tree. The names and lines are those that `imports`
and `definitions` read from the whole tree; imports inside functions are left out.
"""

from __future__ import annotations

from twofold.source_analysis.expressions import expression
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

_BEHIND_WORD = expression(rb"[;:][ \t]*\Z")
_BRACKETS = expression(rb"(?<=[\w.])(?:\([^()\[\]{}]*+\)|\[[^()\[\]{}]*+\])")
_TARGET = expression(rb"[ \t]*+(?:(\w++)|\w++[\w.]++)[ \t]*+")
_RENAMED = expression(rb"\b(?:importlib|import_module|__import__)[\s\\]++as\b")
#: The words that make names of a function the module's, or remove names.
_SCOPED = {
    word: expression(word + rb"(?![\w\x80-\xff])(?<=[\s;:]" + word + rb")")
    for word in (b"global", b"del")
}


def read_outline(source: bytes) -> Outline | None:
    """The outline of a module whose syntax is valid; None where its text leaves a doubt."""
    cut = split_top_level(source)
    if cut is None:
        return None
    outline = Outline()
    if b"global " in source or b"del " in source:
        outline.is_sure_of_names = _read_scoped_names(cut, outline, b"global") and (
            _read_scoped_names(cut, outline, b"del")
        )
    may_call = _may_import_by_call(source)
    if may_call and _RENAMED.search(source):
        return None  # any call may import
    doubtful = [
        one
        for one in _statements(cut)
        if (may_call and _names_importlib(cut, one)) or not read_plain(cut, outline, one)
    ]
    if doubtful:
        _read_tree(cut, outline, doubtful)
    is_known = any(one.module.partition(".")[0] == "importlib" for one in outline.imports)
    if may_call and not is_known and any(_names_importlib(cut, one) for one in doubtful):
        return None  # imported in a function, perhaps for all
    return outline


def may_import_inside(source: bytes) -> bool:
    """Whether functions or classes of a module may hold imports."""
    if _may_import_by_call(source):
        return True
    return INNER_IMPORT.search(source) is not None or IMPORT_BEHIND.search(source) is not None


def _may_import_by_call(source: bytes) -> bool:
    return (b"importlib" in source and b"import_module" in source) or b"__import__" in source


def _names_importlib(cut: TopLevel, statement: Statement) -> bool:
    """Whether calls that import may be in a statement; those inside a function run later."""
    text = cut.text[statement.start : statement.end]
    if text.startswith((b"def ", b"async ")):
        text = text.replace(b"\r", b"").partition(b":\n")[0]  # its defaults run at once
    return b"import_module" in text or b"importlib" in text or b"__import__" in text


def _statements(cut: TopLevel) -> Iterator[Statement]:
    line, at = 0, 0
    for start, end in cut.statements():
        line += cut.text.count(b"\n", at, start)
        at = start
        yield Statement(start, end, line)


def _read_scoped_names(cut: TopLevel, outline: Outline, word: bytes) -> bool:
    """Read `global a` or `del a` inside functions; False where that is in doubt."""
    text = cut.text
    for found in _SCOPED[word].finditer(text):
        at = found.start()
        if cut.string_at(at):
            continue
        start = text.rfind(b"\n", 0, at)
        before = text[start + 1 : at]
        if before.strip(b" \t"):
            if _BEHIND_WORD.search(before):
                return False
            continue
        line_end = text.find(b"\n", at)
        targets = text[at + len(word) : line_end if line_end >= 0 else len(text)]
        names = _read_names(targets.partition(b"#")[0])
        if names is None or text[start - 1 : start] == b"\\":
            return False
        if before or word == b"global":  # else the statement is read with the tree
            line = text.count(b"\n", 0, at)
            outline.further += [(name, line) for name in names]
    return True


def _read_names(targets: bytes) -> list[str] | None:
    """The names among targets, aside from parts of others (`a.b`, `a[b]`); None for a doubt."""
    while (shorter := _BRACKETS.sub(b".", targets)) != targets:
        targets = shorter
    found = [_TARGET.fullmatch(target) for target in targets.split(b",")]
    return None if None in found else [one[1].decode() for one in found if one and one[1]]


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
    outline.tree = tree
    outline.imports += module_imports(tree, b"__import__" in code)
    outline.imports.sort(key=lambda one: one.line)
