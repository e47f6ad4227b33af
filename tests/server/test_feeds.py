"""Atom feeds: read by a parser of others, complete, escaped, and revalidated."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from tests.factories.described import make_described_wheel
from tests.factories.packages import make_conda
from tests.server.conftest import Place, serve
from twofold.server.model import Channel
from twofold.server.registry import lifecycle
from twofold.server.registry.browsing.feeds import Feed
from twofold.server.store.search.listings import Listing
from twofold.server.store.search.releases import Release
from twofold.server.web.pages.feeds import render_feed

feedparser = pytest.importorskip("feedparser", reason="feedparser (group test) is not installed")

ATOM = "{http://www.w3.org/2005/Atom}"


#: The elements of RFC 4287 that a feed and an entry may have, with how often at most.
ONCE = {"id", "title", "updated", "published", "generator", "icon", "logo", "rights", "subtitle"}
ONCE |= {"summary", "content", "source"}
MANY = {"author", "contributor", "category", "link"}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def check_feed(body: bytes, address: str = "") -> list[str]:
    """Check what RFC 4287 demands of a feed and of its entries; returns the ids of the entries."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{ATOM}feed" and b"xml:base" not in body
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        names = [child.tag.removeprefix(ATOM) for child in element]
        allowed = ONCE | MANY | ({"entry"} if element is root else set())
        assert set(names) <= allowed, names
        assert {"id", "title", "updated"} <= set(names)  # 4.1.1, 4.1.2
        for name in ONCE & set(names):
            assert names.count(name) == 1, name
        for name in ("updated", "published"):  # RFC 3339, 3.3
            found = element.findtext(f"{ATOM}{name}")
            assert found is None or _TIME.fullmatch(found), found
        for one in element.findall(f"{ATOM}link"):  # 4.2.7
            assert urlsplit(one.attrib["href"]).scheme in ("http", "https"), one.attrib
        kept = [one.attrib for one in element.findall(f"{ATOM}link")]
        alternate = [(one["type"], one["rel"]) for one in kept if one["rel"] == "alternate"]
        assert len(alternate) == len(set(alternate)) == 1
        for one in element.findall(f"{ATOM}category"):
            assert one.attrib["term"]
        for name in ("title", "summary"):  # 3.1.1.1: a text construct of type text has no element
            assert not list(element.find(f"{ATOM}{name}") or ())
        identity = element.findtext(f"{ATOM}id", "")
        assert urlsplit(identity).scheme and identity == identity.strip()  # 4.2.6: an absolute IRI
    authors = [one.findtext(f"{ATOM}name") for one in root.findall(f"{ATOM}author")]
    assert authors and all(authors)  # 4.1.1: or each entry has one
    (own,) = [one for one in root.findall(f"{ATOM}link") if one.attrib["rel"] == "self"]
    assert own.attrib["href"] == (address or root.findtext(f"{ATOM}id"))
    ids = [one.findtext(f"{ATOM}id", "") for one in entries]
    assert len({*ids, root.findtext(f"{ATOM}id")}) == len(ids) + 1
    times = [one.findtext(f"{ATOM}updated", "") for one in entries]
    assert all(time <= root.findtext(f"{ATOM}updated", "") for time in times)
    return ids


def test_a_feed_lists_the_newest_releases(served: Place, tmp_path: Path) -> None:
    evil = 'A <script>alert("1")</script> & "é" \u0001\x0b\u2028 ]]>'
    served.publish(make_described_wheel(tmp_path, "alpha", "1.0", Summary=evil))
    served.publish(make_conda(tmp_path, "beta", "2.0"))
    served.publish(make_described_wheel(tmp_path, "alpha", "1.1", Summary=evil))
    served.publish(make_described_wheel(tmp_path, "gone", "1.0", Summary="x"))
    lifecycle.yank(served.registry, served.owner, "main", "gone", "1.0")
    answer = served.get("/main/-/feed.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    check_feed(answer.content)
    feed = feedparser.parse(answer.content)
    assert not feed.bozo and feed.version == "atom10"
    titles = [entry.title for entry in feed.entries]
    assert titles == ["alpha 1.1", "beta 2.0", "alpha 1.0"]
    assert "<script>" in ElementTree.fromstring(answer.content).findtext(f".//{ATOM}summary", "")
    assert b"<script" not in answer.content
    [tag] = [link.href for link in feed.feed.links if link.rel == "self"]
    assert tag == f"{served.channel}/-/feed.atom"
    assert feed.entries[1].link == f"{served.channel}/project/beta/2.0"
    assert {tag.term for tag in feed.entries[1].tags} == {"conda"}
    again = served.get("/main/-/feed.atom", if_none_match=answer.headers["etag"])
    assert again.status_code == 304
    served.publish(make_described_wheel(tmp_path, "alpha", "1.2", Summary="x"))
    assert served.get("/main/-/feed.atom", if_none_match=answer.headers["etag"]).ok
    one = served.get("/main/project/Alpha/-/feed.atom")
    check_feed(one.content)
    versions = [entry.title for entry in feedparser.parse(one.content).entries]
    assert versions == ["alpha 1.2", "alpha 1.1", "alpha 1.0"]
    assert served.get("/main/project/nosuch/-/feed.atom").status_code == 404
    lifecycle.set_status(served.registry, served.owner, "main", "alpha", "quarantined")
    assert b"alpha" not in served.get("/main/-/feed.atom").content
    assert served.get("/main/project/alpha/-/feed.atom").status_code == 404


def test_an_empty_feed_is_one_and_links_have_the_public_url(place: Place) -> None:
    public = replace(place.settings, public_url="https://packages.example/pkgs")
    place.settings = public
    with serve(place):
        body = place.get("/pkgs/main/-/feed.atom").content
    check_feed(body)
    feed = feedparser.parse(body)
    assert not feed.bozo and feed.entries == []
    assert feed.feed.id == "https://packages.example/pkgs/main/-/feed.atom"


HOSTILE = (
    "",
    " ",
    "\u202ereversed\u202c \u2066isolated\u2069",
    "]]>&lt;![CDATA[ <!-- --> <?xml?> &amp;amp; \u0085\u2029",
    "\x00\x08\x1b[31m red \ufffe\uffff",
    "\N{FAMILY} \N{REGIONAL INDICATOR SYMBOL LETTER D}\U0001f469\u200d\U0001f680",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "w" * 5000,
    "javascript:alert(1) <a href='x'>",
)


@pytest.mark.parametrize("summary", HOSTILE, ids=range(len(HOSTILE)))
def test_a_feed_is_valid_whatever_a_summary_holds(summary: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    listing = Listing(1, 1, "a-b", "A.b", summary, "", "", "1", at, ("pip",), (), (), None)
    versions = ("1!2.0+local.1", "2024b", "1.1.1w_3", "1/2 ?#%", "\u202e1", "<1>")
    found = [Release(listing, version, at, at, ("pip", "conda")) for version in versions]
    channel = Channel(1, "main", 1, True, 1, 1, {})
    for project in ("", "a-b"):
        body = render_feed(Feed(channel, project, found, at), "https://packages.example/pkgs")
        assert len(check_feed(body)) == len(versions)
        assert not feedparser.parse(body).bozo


def test_ids_of_entries_stay_as_they_are(served: Place, tmp_path: Path) -> None:
    def read(path: str = "/main/-/feed.atom") -> list[str]:
        return check_feed(served.get(path).content)

    for version in ("1.0", "1.1"):
        served.publish(make_described_wheel(tmp_path, "alpha", version, Summary="x"))
    first = read()
    lifecycle.yank(served.registry, served.owner, "main", "alpha", "1.1", "")
    assert read() == first[1:]
    lifecycle.unyank(served.registry, served.owner, "main", "alpha", "1.1")
    served.publish(make_described_wheel(tmp_path, "alpha", "1.2", Summary="another"))
    assert read()[1:] == first and read("/main/project/alpha/-/feed.atom")[1:] == first
