"""Signs in a module's text that its expressions may need a newer Python: quicker than its tree."""

from __future__ import annotations

import sys

from twofold.check.stdlib_versions import BUILTINS
from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from twofold.source_analysis.model import Import

#: A star after a comma or a bracket, or at the beginning of a line: behind a `[` it may be new
#: (`a[b, *c]`).
_STAR = expression(rb"[\[,][ \t]*\*[ \t]*[\w(\[\x80-\xff]")
_STAR_FIRST = expression(rb"[ \t]*\*[ \t]*[\w(\[\x80-\xff]")
_TEMPLATE = expression(rb"\b(?:[tT][rR]?|[rR][tT])[\"\']")
_NEW_WORDS = [b":=", *map(str.encode, BUILTINS)]
#: An f-string on one line with its own quote, a backslash, a comment or a line end inside braces;
#: of those in three quotes any: PEP 701 may be needed for them.
MAY_BE_PEP701 = expression(
    rb"(?:[fF][rR]?|[rR][fF])(?:\"\"\"|\'\'\'|([\"\'])"
    rb"(?>(?:(?!\1)[^\n{]|\{(?>(?:(?!\1)[^}\n\\#])*)\})*)\{(?>(?:(?!\1)[^}\n\\#])*)(?:\1|[\\#\n]))"
)


def has_lazy_annotations(imports: Iterable[Import]) -> bool:
    """Whether the annotations of a module that imports these are not evaluated."""
    return any(one.module == "__future__" and "annotations" in one.names for one in imports)


def may_hold_new_expression(source: bytes) -> bool:
    """Whether an expression of a module may be new, from its text: it is much quicker than to look
    at all of them."""
    if any(word in source for word in _NEW_WORDS):
        return True
    if b"*" in source and has_star_in_brackets(source):
        return True
    return sys.version_info >= (3, 14) and _TEMPLATE.search(source) is not None


def has_star_in_brackets(source: bytes) -> bool:
    """Whether a star may be inside square brackets: each line is looked at once, so that the time
    is linear in the length of the source."""
    continues = False  # whether the last line of code may go on in this one
    opened = 0  # brackets of earlier lines that this one may be inside
    for line in source.splitlines():
        text = line.lstrip(b" \t")
        if not text or text.startswith(b"#"):
            continue
        if continues and _STAR_FIRST.match(line):
            return True
        bracket = line.find(b"[")
        if (opened > 0 or bracket >= 0) and _STAR.search(line, 0 if opened > 0 else bracket):
            return True
        continues = bracket >= 0 or b"," in line
        opened = max(0, opened + line.count(b"[") - line.count(b"]"))
    return False
