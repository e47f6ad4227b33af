"""The start tags of an HTML page, in time proportional to its size.

`html.parser` of the standard library needs the square of it for tags and comments without an end:
60 kB of them hold a processor for 40 s. Follows the tokenization of the HTML standard (13.2.5) as
far as start tags and their attributes go; tags inside comments, scripts, styles and the other
elements that hold text are none, and neither is a tag that the page ends in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

#: What begins markup: a comment, other declarations, a start tag. End tags have nothing to read.
_MARKUP = re.compile(r"<(?:(!--)|([!?])|([A-Za-z][^\s/>]*))")
_COMMENT_END = re.compile(r"--!?>")
#: Elements whose content is text up to their end tag.
_TEXT_ELEMENTS = frozenset(
    ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"]
)
_SPACE = re.compile(r"[\s/]*")
_NAME = re.compile(r"=?[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_UNQUOTED = re.compile(r"[^\s>]*")


def iter_start_tags(text: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Yield the name of each start tag and its attributes, both in lower case.

    Of an attribute written twice the first counts; one without a value has None.
    """
    at = 0
    while (found := _MARKUP.search(text, at)) is not None:
        at = found.end()
        is_comment, is_declaration, name = found.groups()
        if is_comment:
            # `<!-->` and `<!--->` are whole comments
            end = _COMMENT_END.search(text, at - 2)
            at = end.end() if end is not None else len(text)
        elif is_declaration:
            end_at = text.find(">", at)
            at = end_at + 1 if end_at >= 0 else len(text)
        else:
            attributes, tag_end = _read_attributes(text, at)
            if tag_end is None:
                return
            yield name.lower(), attributes
            at = _skip_text(text, name.lower(), tag_end)


def _skip_text(text: str, name: str, at: int) -> int:
    """Return where the content of an element ends that holds text, else `at`."""
    if name not in _TEXT_ELEMENTS:
        return at
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, at)
    return end.end() if end is not None else len(text)


def _read_attributes(text: str, at: int) -> tuple[dict[str, str | None], int | None]:
    """Return the attributes of a tag and where it ends; None where the page ends before it."""
    attributes: dict[str, str | None] = {}
    while True:
        at = _match_end(_SPACE, text, at)
        if at >= len(text):
            return attributes, None
        if text[at] == ">":
            return attributes, at + 1
        start, at = at, _match_end(_NAME, text, at)
        name = text[start:at].lower()
        value: str | None = None
        equals = _EQUALS.match(text, at)
        if equals is not None:
            at = equals.end()
            quote = text[at : at + 1]
            if quote in ("'", '"'):
                end = text.find(quote, at + 1)
                if end < 0:
                    return attributes, None
                value, at = text[at + 1 : end], end + 1
            else:
                start, at = at, _match_end(_UNQUOTED, text, at)
                value = text[start:at]
            value = html.unescape(value)
        attributes.setdefault(name, value)


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the match at a place ends; the pattern matches nothing as well."""
    found = pattern.match(text, at)
    return found.end() if found is not None else at
