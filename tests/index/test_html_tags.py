"""Start tags are read as html.parser reads them, and as fast for any page."""

from __future__ import annotations

import html.parser
import random
import time

import pytest

from twofold.index.html_tags import iter_start_tags

PARTS = (
    '<a href="x.whl#sha256=a">',
    "<a\nhref=y >",
    "<A HREF='z&amp;q' data-yanked>",
    "</a>",
    "<br/>",
    "text",
    "&lt;",
    "<!-- c <a href=no> -->",
    "<!DOCTYPE html>",
    '<script>if (a<b) {"<a href=no>"}</script>',
    "<style>a{}</style>",
    '<meta name="pypi:project-status" content=archived>',
    '<a href="a>b">',
    '<a data-requires-python="&gt;=3">',
    "<base href=/x/>",
    "<?xml v?>",
    '<p class=a id = "b" c>',
    "<a href=x/y/z>",
    "< a href=no>",
    '<a href="">',
    "<a =x y>",
    '<a href="1" href="2">',
)


class _Parser(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(reversed(attrs))))


def test_pages_are_read_as_the_standard_library_reads_them() -> None:
    draw = random.Random(1)
    for _ in range(500):
        page = "".join(draw.choice(PARTS) for _ in range(draw.randint(1, 8)))
        parser = _Parser()
        parser.feed(page)
        parser.close()
        assert list(iter_start_tags(page)) == parser.tags, page


@pytest.mark.parametrize(
    "part",
    [
        "<a ",
        "<!--",
        "<?",
        "<![CDATA[",
        "<script>",
        "<a href='",
        "<",
        "</",
        "<a/",
        "<a = ",
        "<a x= ",
    ],
)
def test_time_grows_with_the_page_and_no_faster(part: str) -> None:
    began = time.process_time()
    assert len(list(iter_start_tags(part * 100_000))) <= 1
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("<!--><a>", ["a"]),
        ("<!---><a>", ["a"]),
        ("<!-- --!><a>", ["a"]),
        ("<a href='x", []),
        ("<script><a></scripty><a></script><p>", ["script", "p"]),
        ("<title></TITLE ><a>", ["title", "a"]),
        ("", []),
    ],
)
def test_odd_pages_are_read_as_browsers_read_them(page: str, names: list[str]) -> None:
    assert [name for name, _ in iter_start_tags(page)] == names
