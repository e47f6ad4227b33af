"""Atom feeds: read by a parser of others, complete, escaped, and revalidated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.factories.described import make_described_wheel
from tests.factories.packages import make_conda
from tests.server.conftest import Place, serve
from twofold.server.registry import lifecycle

feedparser = pytest.importorskip("feedparser", reason="feedparser (group test) is not installed")

ATOM = "{http://www.w3.org/2005/Atom}"


def check_feed(body: bytes) -> None:
    """What RFC 4287 demands of a feed and of its entries."""
    root = ElementTree.fromstring(body)
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            [found] = element.findall(f"{ATOM}{name}")
            assert found.text
    assert root.findall(f"{ATOM}author/{ATOM}name")
    ids = [one.findtext(f"{ATOM}id") for one in root.iter(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)


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
