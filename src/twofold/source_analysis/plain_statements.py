"""Statements that are plain enough to be read from their text: their imports, and their names."""

from __future__ import annotations

import re
from bisect import bisect_left
from keyword import kwlist
from typing import NamedTuple

from twofold.source_analysis.expressions import expression
from twofold.source_analysis.model import DunderAll, Import
from twofold.source_analysis.top_level import NO_CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast

    from twofold.source_analysis.top_level import TopLevel

#: What a statement is by its first words: a function, a class, an import, an assignment.
_HEAD = expression(
    rb"(?:async[ \t]+)?def[ \t]+(?P<function>\w+)[ \t]*[(\[]|class[ \t]+(?P<class>\w+)[ \t]*[(:\[]"
    rb"|(?P<import>import|from)[ \t.]|(?P<decorator>@)"
    rb"|(?P<typing>if[ \t]+(?:\w++\.)?TYPE_CHECKING[ \t]*:[ \t]*(?:#[^\n]*)?\n)"
    rb"|(?P<main>if[ \t]+__name__[ \t]*==[ \t]*(?:'__main__'|\"__main__\")[ \t]*:)"
    rb"|(?P<nothing>(?:assert|raise|pass)\b)"
    rb"|(?P<value>[A-Za-z_]\w*+(?>(?:[ \t]*,[ \t]*[A-Za-z_]\w*+)*))[ \t]*=(?!=)"
    rb"|(?P<annotated>[A-Za-z_]\w*+)[ \t]*:(?!=)"
    rb"|(?P<call>[A-Za-z_]\w*+)[\w.]*+\(|(?P<text>[rRuU]?\"\"\"|[rRuU]?''')"
)
#: Blank lines and comments behind a statement.
_NOTHING = rb"(?>(?:[ \t\n]++|#[^\n]*+)*)\Z"
_IMPORT = expression(
    rb"import[ \t]+([\w.]++(?:[ \t]+as[ \t]+\w++)?(?>(?:[ \t]*,[ \t]*[\w.]++"
    rb"(?:[ \t]+as[ \t]+\w++)?)*))" + _NOTHING
)
_FROM = expression(
    rb"from[ \t]*(\.*+)([\w.]*+)[ \t]+import[ \t]*"
    rb"(?:\(([^()\\]*+)\)|([\w \t,*]++))" + _NOTHING
)
#: Names, and what they are called here, without comments.
_PLAIN_NAMES = expression(rb"[\w \t\n,*]*+")
_COMMENT = expression(rb"#[^\n]*+")
_NAME_LIST = expression(
    rb"[ \t]*\[((?>(?:[\s,]++|#[^\n]*+|\"\w++\"[\s]*+(?=[,\]#])|'\w++'[\s]*+(?=[,\]#]))*))\]"
    + _NOTHING
)
_QUOTED = expression(rb"\w+")
_STRING = expression(rb"[ \t]*([\"'])([^\"'\\\n]*+)\1" + _NOTHING)
_BRACKETS = expression(rb"[()\[\]{}]|(?<![=!<>])=(?!=)")
_BLOCK_IMPORT = expression(rb"\n[ \t]+(?=(?:import|from)[ \t.])")
_KEYWORDS = frozenset([*kwlist, "match"])
_TEXT_ALONE = expression(_NOTHING)
#: Imports that may stand in a line of their own, or behind another statement.
INNER_IMPORT = expression(rb"\n([ \t]+)(?:import[ \t]|from[ \t.])")
IMPORT_BEHIND = expression(rb"[;:][ \t]*(?:import[ \t]+\w|from[ \t.][\w. \t]*[ \t.]import\b)")
_CLASS_HEAD = expression(rb"class[ \t]+\w+[ \t]*(?:\([^()\n]*+\))?[ \t]*:[ \t]*(?:#[^\n]*+)?(?=\n)")
_FIRST_IN_BODY = expression(rb"(?>(?:\n[ \t]*+(?:#[^\n]*+)?(?=\n))*)\n([ \t]++)")
_DEF = expression(rb"def (?<=[ \n]def )")
_ELSE = expression(rb"\n(?:else|elif)\b")


class Outline:
    """`imports` are those that run when the module is imported, in the order of their lines, and
    some of those that don't. `names` are what plain statements bind at the top level, with the
    line of each; `further` the same of `global` and `del` inside functions: where these are in
    doubt, or names are removed, nothing `is_sure_of_names`. `exported` and
    `version` are `__all__` and `__version__`, with their lines. `tree` holds the
    statements that are not plain, each on its own line; None for none.
    """

    __slots__ = ("exported", "further", "imports", "is_sure_of_names", "names", "tree", "version")

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.names: list[tuple[str, int]] = []
        self.further: list[tuple[str, int]] = []
        self.is_sure_of_names = True
        self.tree: ast.Module | None = None
        self.exported: DunderAll | None = None
        self.version = ("", 0)


class Statement(NamedTuple):
    """A statement of a module: its span, and the line it begins on."""

    start: int
    end: int
    line: int


def read_plain(cut: TopLevel, outline: Outline, statement: Statement) -> bool:
    """Read a statement by its first words; False leaves it to the syntax tree."""
    text = cut.text
    head = _HEAD.match(text, statement.start, statement.end)
    if head is None:
        return False
    kind = head.lastgroup or ""
    if kind in _READERS:
        return _READERS[kind](cut, outline, statement, head)
    if kind == "class" and not _read_class(cut, outline, statement):
        return False
    if kind in ("class", "function"):
        outline.names.append((head[kind].decode(), statement.line))
    elif kind == "main":  # what runs only as a program
        return _ELSE.search(text, head.end(), statement.end) is None
    elif kind == "text":
        span = cut.strings[bisect_left(cut.strings, (statement.start, 0))]
        return _TEXT_ALONE.match(text, span[1], statement.end) is not None
    elif kind == "nothing":
        return text.find(b";", head.end(), statement.end) < 0
    return True


def _read_assignment(
    cut: TopLevel, outline: Outline, statement: Statement, head: re.Match[bytes]
) -> bool:
    """Read `name = value`, where nothing is assigned to further targets."""
    text, line = cut.text, statement.line
    name, value = head["value"], text[head.end() : statement.end]
    if name == b"__all__":
        listed = _NAME_LIST.match(value) if text.count(name) == 1 else None
        if listed is None:
            return False
        names = (found.decode() for found in _QUOTED.findall(_COMMENT.sub(b"", listed[1])))
        outline.exported = DunderAll(tuple(dict.fromkeys(names)), True, line)
    elif name == b"__version__":
        string = _STRING.match(value) if text.count(name) == 1 else None
        if string is None:
            return False
        outline.version = (string[2].decode(), line)
    elif b"__all__" in value or _goes_on(value):
        return False
    outline.names += [(one.strip().decode(), line) for one in name.split(b",")]
    return True


def _read_annotated(
    cut: TopLevel, outline: Outline, statement: Statement, head: re.Match[bytes]
) -> bool:
    """Read `name: type = value`; without a value nothing is bound."""
    name, value = head["annotated"].decode(), cut.text[head.end() : statement.end]
    if name in (*_KEYWORDS, "__all__", "__version__") or b";" in value or b"__all__" in value:
        return False
    if _goes_on(value):
        outline.names.append((name, statement.line))
    return True


def _read_call(
    cut: TopLevel, outline: Outline, statement: Statement, head: re.Match[bytes]
) -> bool:
    """Pass over an expression, which binds nothing."""
    del outline
    value = cut.text[statement.start : statement.end]
    is_other = b"__all__" in value or head["call"].decode() in _KEYWORDS
    return not is_other and not _goes_on(value)


def _goes_on(value: bytes) -> bool:
    """Whether there may be a further `=` outside of brackets, or another statement."""
    if b"=" not in value and b";" not in value:
        return False
    code, depth = NO_CODE.sub(b"", value), 0
    if b";" in code:
        return True
    for found in _BRACKETS.finditer(code):
        if found[0] == b"=":
            if not depth:
                return True
        else:
            depth += 1 if found[0] in b"([{" else -1
    return False


def _read_typing_imports(
    cut: TopLevel, outline: Outline, statement: Statement, head: re.Match[bytes]
) -> bool:
    """Read the imports under `if TYPE_CHECKING:`, where there is nothing else."""
    text, body = cut.text, head.end()
    starts = [one.end() for one in _BLOCK_IMPORT.finditer(text, body - 1, statement.end)]
    if not starts or not _TEXT_ALONE.match(text, body, starts[0]):
        return False
    found = Outline()
    for start, end in zip(starts, [*starts[1:], statement.end], strict=True):
        line = statement.line + text.count(b"\n", statement.start, start)
        if not _read_import(cut, found, Statement(start, end, line)):
            return False
    outline.imports += [one._replace(is_typing_only=True) for one in found.imports]
    return True


def _read_import(
    cut: TopLevel, outline: Outline, statement: Statement, head: re.Match[bytes] | None = None
) -> bool:
    """Read a plain import statement."""
    del head
    line = statement.line
    written = cut.text[statement.start : statement.end]
    if b"\\\n" in written and b"#" not in written:
        written = written.replace(b"\\\n", b" ")
    if found := _IMPORT.match(written):
        for part in found[1].split(b","):
            words = part.decode().split()
            outline.imports.append(Import(words[0], 0, (), line))
            outline.names.append((words[-1] if len(words) > 1 else words[0].split(".")[0], line))
        return True
    found = _FROM.match(written)
    if found is None:
        return False
    listed = found[3] if found[3] is not None else found[4]
    if b"#" in listed:
        listed = _COMMENT.sub(b"", listed)
    if _PLAIN_NAMES.fullmatch(listed) is None:
        return False
    names = []
    bound = []
    for part in listed.decode().split(","):
        words = part.split()
        if len(words) == 1 or (len(words) == 3 and words[1] == "as"):
            names.append(words[0])
            bound.append((words[-1], line))
        elif words or not names:
            return False
    outline.names += bound
    outline.imports.append(Import(found[2].decode(), len(found[1]), tuple(names), line))
    return True


def _read_class(cut: TopLevel, outline: Outline, statement: Statement) -> bool:
    """Read the imports that run with a class statement: those in none of its functions."""
    text, at, functions = cut.text, statement.start, None
    inside_class = Outline()  # the names of these are the class's, not the module's
    while (at := text.find(b"import", at + 1, statement.end)) >= 0:
        if inside := cut.string_at(at):
            at = inside[1]
            continue
        line = text.rfind(b"\n", 0, at)
        found = INNER_IMPORT.match(text, line)
        if found is None:
            if IMPORT_BEHIND.search(text, line, at + 8):
                return False
            continue
        if functions is None:
            functions = _find_functions(cut, statement)
        if b"\t" in found[1]:
            return False
        if _is_inside_function(cut, functions, line, len(found[1])):
            continue
        if not _read_class_import(cut, inside_class, statement, found):
            return False
        at = text.find(b"\n", at)  # the names after it may hold the word too
    outline.imports += inside_class.imports
    return True


def _read_class_import(
    cut: TopLevel, outline: Outline, statement: Statement, found: re.Match[bytes]
) -> bool:
    """Read an import that is a statement of a class itself, not of a block in it."""
    text = cut.text
    head = _CLASS_HEAD.match(text, statement.start)
    body = _FIRST_IN_BODY.match(text, head.end()) if head else None
    if body is None or body[1] != found[1]:
        return False
    start = found.end(1)
    end = text.find(b"\n", start)
    if text.find(b"(", start, end) >= 0:
        end = text.find(b"\n", text.find(b")", start))
    line = statement.line + text.count(b"\n", statement.start, start)
    return _read_import(cut, outline, Statement(start, end, line))


def _find_functions(cut: TopLevel, statement: Statement) -> list[tuple[int, int]]:
    """The line end before each function inside a statement, and its indent."""
    text = cut.text
    found = []
    for word in _DEF.finditer(text, statement.start, statement.end):
        line = text.rfind(b"\n", statement.start, word.start())
        before = text[line + 1 : word.start()]
        if before[:1] == b" " and before.strip() in (b"", b"async") and not cut.string_at(line):
            found.append((line, len(before) - len(before.lstrip(b" "))))
    return found


def _is_inside_function(
    cut: TopLevel, functions: list[tuple[int, int]], place: int, indent: int
) -> bool:
    """Whether a line, which begins after `place`, is in one of the functions before it."""
    for start, deep in reversed(functions[: bisect_left(functions, (place, 0))]):
        if deep < indent:
            if _is_all_inside(cut, start, deep, place):
                return True
            indent = deep
    return False


def _is_all_inside(cut: TopLevel, start: int, indent: int, end: int) -> bool:
    """Whether no line between two places has left a function that is so far indented."""
    line_out = re.compile(rb"\n {0,%d}(?=[^\s#)\]}])" % indent)
    return not any(
        not cut.string_at(one.start()) for one in line_out.finditer(cut.text, start + 1, end)
    )


_READERS = {
    "import": _read_import,
    "typing": _read_typing_imports,
    "value": _read_assignment,
    "annotated": _read_annotated,
    "call": _read_call,
}
