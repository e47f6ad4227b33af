"""Fits the sanitized HTML of a description into a page: headings, links, tables, images.

nh3 writes every tag in one form: lower case, attributes in double quotes with `"`, `<` and `&`
escaped. So the tags can be rewritten by expressions, without parsing the document again. Ids begin
with `user-content-` already, as none of the page does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape

#: How much deeper headings become: the page has an h1, and the description an h2 of its own.
HEADING_SHIFT = 2

_ATTRIBUTE = r'\s+[^\s"=<>]+(?:="[^"]*")?'
_ATTRIBUTES = rf"(?:{_ATTRIBUTE})*\s*"
_HEADING = re.compile(rf"<(/?)h([1-6])({_ATTRIBUTES})>")
_EMPTY_LINK = re.compile(rf"<a({_ATTRIBUTES})>\s*</a>")
_LANGUAGE = re.compile(rf"(<(?:pre|code|div|span)(?:{_ATTRIBUTE})*)\s+lang=\"[^\"]*\"")
_CHECKBOX = re.compile(rf"<input({_ATTRIBUTES})/?>")
_TABLE = re.compile(rf"<(/?)table({_ATTRIBUTES})>")
_IMAGE = re.compile(rf"<img({_ATTRIBUTES})/?>")
_LINKED_IMAGE = re.compile(rf"(<a{_ATTRIBUTES}>\s*)<img({_ATTRIBUTES})/?>")
_SOURCE = re.compile(r'\ssrc="([^"]*)"')
_ALT = re.compile(r'\salt="([^"]*)"')
_SIZE = re.compile(r'\s(width|height)="([0-9]{1,4}%?)"')


def fit_into_page(html: str) -> str:
    """Fit the sanitized HTML of a description into a page that has headings of its own."""
    html = _EMPTY_LINK.sub(_keep_id, html)
    html = _HEADING.sub(_shift_heading, html)
    html = _LANGUAGE.sub(r"\1", html)
    html = _CHECKBOX.sub(lambda found: "☑" if " checked" in found[1] else "☐", html)
    html = _TABLE.sub(_wrap_table, html)
    return _LINKED_IMAGE.sub(_name_linked_image, html)


def _keep_id(found: re.Match[str]) -> str:
    """Replace a link without text, which nobody can see or name, by the place it marks."""
    mark = re.search(r'\sid="[^"]*"', found[1])
    return f"<span{mark[0]}></span>" if mark else ""


def _shift_heading(found: re.Match[str]) -> str:
    level = min(6, int(found[2]) + HEADING_SHIFT)
    return f"<{found[1]}h{level}{found[3]}>"


def _wrap_table(found: re.Match[str]) -> str:
    """Let a wide table scroll by itself, with the keyboard too."""
    if found[1]:
        return "</table></div>"
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Table"><table{found[2]}>'


def _name_linked_image(found: re.Match[str]) -> str:
    """Name a link that holds nothing but an image without a text."""
    alt = _ALT.search(found[2])
    if alt and alt[1].strip():
        return found[0]
    return f'{found[1]}<img{_ALT.sub("", found[2])} alt="image">'


def find_images(html: str) -> list[str]:
    """Return the addresses of a description's images, in their order."""
    sources = [_SOURCE.search(found[1]) for found in _IMAGE.finditer(html)]
    return [unescape(source[1]) if source else "" for source in sources]


def replace_images(html: str, addresses: Sequence[str] = ()) -> str:
    """Let each image come from the address of its place, or replace it by its text: '' or none."""
    rest = iter(addresses)

    def replace(found: re.Match[str]) -> str:
        address = next(rest, "")
        text = _ALT.search(found[1])
        alt = text[1] if text else ""
        if not address:
            return f'<span class="no-image">{alt}</span>' if alt.strip() else ""
        size = "".join(f' {name}="{value}"' for name, value in _SIZE.findall(found[1]))
        return f'<img src="{escape(address)}" alt="{alt}"{size} loading="lazy" decoding="async">'

    return _IMAGE.sub(replace, html)
