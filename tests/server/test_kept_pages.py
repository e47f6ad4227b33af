"""Merged pages of a channel with an upstream are kept until either side may have changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.raw_upstream import RawUpstream, make_entry, make_page
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, advance_clock
from twofold.server.proxy import config, upstream_simple
from twofold.server.proxy.policy import Policy
from twofold.server.registry import administration, lifecycle
from twofold.server.store.fast_reads import LARGE, MAX_CACHE_BYTES, MAX_LARGE_BYTES, Cache

PAGE = "/main/simple/spam/"


@pytest.fixture
def front(served: Place, static: StaticServer, tmp_path: Path) -> Place:
    """`main` in front of an index with spam 1.0 and 2.0, of which 1.0 was fetched."""
    static.publish(make_wheel(tmp_path, "spam", "1.0"), make_wheel(tmp_path, "spam", "2.0"))
    add_upstream(served, f"{static.url}/simple")
    url = served.get(PAGE, Accept=JSON).json()["files"][0]["url"].removeprefix("../..")
    served.get(f"/main{url}").raise_for_status()
    for accept in (JSON, "text/html"):
        served.get(PAGE, Accept=accept).raise_for_status()
        served.get(PAGE, Accept=accept).raise_for_status()
    return served


def fail(*_: object) -> None:
    raise AssertionError("the page is merged again")


@pytest.mark.parametrize("accept", [JSON, "text/html"])
def test_an_unchanged_page_is_not_merged_again(
    front: Place, static: StaticServer, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    long = front.get(f"{PAGE}?long", Accept=accept)
    static.requested.clear()
    monkeypatch.setattr(upstream_simple, "merge_page", fail)
    kept = front.get(PAGE, Accept=accept)
    assert kept.status_code == 200 and kept.content == long.content
    for header in ("etag", "content-type", "cache-control", "vary", "x-pypi-last-serial"):
        assert kept.headers[header] == long.headers[header]
    assert front.get(PAGE, Accept=accept, If_None_Match=kept.headers["etag"]).status_code == 304
    assert static.requested == []


def test_a_page_of_many_megabytes_is_kept_too(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = RawUpstream()
    entries = [
        make_entry(f"spam-{number}.0-py3-none-any.whl", b"", yanked="x" * 50_000)
        for number in range(100)
    ]
    upstream.answers["/simple/spam/"] = make_page(*entries)
    add_upstream(served, f"{upstream.url}/simple")
    body = served.get(PAGE, Accept=JSON).content
    assert len(body) > LARGE
    served.get(PAGE, Accept=JSON).raise_for_status()
    monkeypatch.setattr(upstream_simple, "merge_page", fail)
    assert served.get(PAGE, Accept=JSON).content == body
    upstream.close()


def test_large_pages_are_bounded_and_push_out_no_small_ones() -> None:
    cache, size = Cache(), MAX_LARGE_BYTES // 3
    cache.renew(1)
    cache.put(1, "small", "s", 100)
    for number in range(5):
        assert cache.put(1, number, f"page {number}", size)
    kept = [number for number in range(5) if cache.get(number) is not None]
    assert kept == [2, 3, 4] and cache.get("small") == "s"
    assert not cache.put(1, "too large", "x", MAX_LARGE_BYTES + 1)
    for number in range(MAX_CACHE_BYTES // 1_000_000 + 1):  # small ones push out no large ones
        cache.put(1, f"s{number}", "s", 1_000_000)
    assert cache.get(4) == "page 4" and cache.get("small") is None
    cache.renew(2)
    assert cache.get(4) is None


def yank(place: Place) -> None:
    lifecycle.yank(place.registry, place.owner, "main", "spam", "1.0", "bad")


def deny(place: Place) -> None:
    config.set_policy(place.registry, "owner", "main", Policy(deny=("spam",)))


@pytest.mark.parametrize("change", [yank, deny])
def test_a_change_here_is_seen_by_the_next_request(
    front: Place, change: Callable[[Place], None]
) -> None:
    before = front.get(PAGE, Accept=JSON).content
    change(front)
    assert front.get(PAGE, Accept=JSON).content != before


def test_a_file_of_ones_own_ends_the_page_at_once(front: Place, tmp_path: Path) -> None:
    front.publish(make_wheel(tmp_path / "own", "spam", "0.1"))
    names = [file["filename"] for file in front.get(PAGE, Accept=JSON).json()["files"]]
    assert "spam-2.0-py3-none-any.whl" not in names and len(names) == 2


def test_the_upstream_is_asked_again_when_the_page_is_too_old(
    front: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "3.0"))
    assert "spam-3.0" not in front.get(PAGE).text
    advance_clock(front)
    assert "spam-3.0" in front.get(PAGE).text


def test_a_channel_that_became_private_is_closed_at_once(front: Place) -> None:
    administration.change_rule(front.registry, "operator", "main", "public", "no")
    assert front.get(PAGE).status_code == 401
    assert front.get(PAGE, token=front.token).status_code == 200


def test_conda_pages_of_a_channel_with_an_index_notice_every_fetch(front: Place) -> None:
    def listed() -> set[str]:
        return set(front.get("/main/noarch/repodata.json").json()["packages.conda"])

    assert listed() == listed() == {"spam-1.0-py_0.conda"}
    url = front.get(PAGE, Accept=JSON).json()["files"][1]["url"].removeprefix("../..")
    front.get(f"/main{url}").raise_for_status()
    assert listed() == {"spam-1.0-py_0.conda", "spam-2.0-py_0.conda"}
