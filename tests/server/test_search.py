"""The search over all channels: what is found, in which order, by whom, and whatever is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.described import make_described_conda, make_described_wheel
from tests.factories.packages import make_sdist
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.model import ANONYMOUS, Actor
from twofold.server.registry import lifecycle
from twofold.server.registry.browsing.search import (
    ProjectPage,
    SearchQuery,
    list_newest_uploads,
    search_projects,
)
from twofold.server.store.search.words import Document, make_facet, split_words


def search(place: Place, text: str = "", actor: Actor | None = None, **filters: str) -> list[str]:
    found = search_projects(place.registry, actor or place.owner, SearchQuery(text, **filters))
    return [one.listing.key for one in found.projects]


@pytest.fixture
def filled(place: Place, tmp_path: Path) -> Place:
    """A registry of five projects of both worlds."""
    place.publish(
        make_described_wheel(
            tmp_path,
            "requests-toolbelt",
            Summary="Utilities for HTTP",
            Keywords="multipart,upload",
            License_Expression="Apache-2.0 OR MIT",
            Requires_Python=">=3.9",
        )
    )
    place.publish(
        make_described_wheel(
            tmp_path,
            "pydantic",
            Summary="Data validation using type hints",
            Classifier="Framework :: Hypothesis\nLicense :: OSI Approved :: MIT License",
            text="# Models\n\nCoerces and serializes naïve values.",
        )
    )
    place.publish(make_described_wheel(tmp_path, "validation", Summary="Nothing more"))
    place.publish(
        make_described_wheel(
            tmp_path, "fastbin", tag="cp312-cp312-manylinux_2_17_x86_64", Summary="Compiled"
        )
    )
    place.publish(
        make_described_conda(
            tmp_path,
            "tzish",
            "2024b",
            summary="Time zones of the world",
            license="LicenseRef-Public-Domain",
            description="Rules of daylight saving",
        )
    )
    return place


def test_each_field_is_searched_and_the_name_counts_most(filled: Place) -> None:
    assert search(filled, "validation") == ["validation", "pydantic"]
    assert search(filled, "toolbelt http") == ["requests-toolbelt"]
    assert search(filled, "multipart") == ["requests-toolbelt"]  # a keyword
    assert search(filled, "hypothesis") == ["pydantic"]  # a classifier
    assert search(filled, "NAIVE serializes") == ["pydantic"]  # a description; no case, no accents
    assert search(filled, "daylight") == ["tzish"]  # about.json of a conda package
    assert search(filled, "oolbel") == ["requests-toolbelt"]  # a part of a name
    assert search(filled, "valid") == ["validation", "pydantic"]  # beginnings
    assert search(filled, "requests_toolbelt")[0] == "requests-toolbelt"
    assert search(filled, "http zones") == []


def test_names_are_ranked_by_how_much_of_them_was_asked_for(place: Place, tmp_path: Path) -> None:
    for name in ("my-plots", "plots-tools", "xplotsx", "plots"):
        place.publish(make_described_wheel(tmp_path, name, Summary="x"))
    place.publish(make_described_wheel(tmp_path, "client", Summary="speaks plots"))
    place.publish(make_described_wheel(tmp_path, "other", text="plots"))
    ranked = search(place, "plots")
    assert ranked == ["plots", "plots-tools", "my-plots", "xplotsx", "client", "other"]


def test_filters_restrict_a_search_and_a_list(filled: Place) -> None:
    assert "tzish" in search(filled, world="conda")
    assert "tzish" not in search(filled, world="pip")
    assert search(filled, "compiled", platform="linux-64") == ["fastbin"]
    assert search(filled, "compiled", platform="osx-arm64") == []
    assert "pydantic" in search(filled, platform="osx-arm64")  # runs everywhere
    assert set(search(filled, license="mit")) == {
        "requests-toolbelt",
        "pydantic",
    }
    assert search(filled, "fastbin", python="3.12") == ["fastbin"]
    assert search(filled, "fastbin", python="3.11") == []
    assert search(filled, "toolbelt", python="3.8") == []
    assert search(filled, "tzish", python="3.8") == ["tzish"]  # needs no Python
    assert search(filled, "validation", channel="main") == ["validation", "pydantic"]


def test_private_channels_and_quarantined_projects_are_found_by_nobody_else(
    filled: Place, tmp_path: Path
) -> None:
    registry, owner = filled.registry, filled.owner
    assert owner.user is not None
    accounts.add_channel(registry, "owner", "secret", owner.user, public=False)
    filled.publish(make_described_wheel(tmp_path, "hidden", Summary="validation"), "secret")
    assert "hidden" in search(filled, "validation")
    assert "hidden" not in search(filled, "validation", ANONYMOUS)
    assert search(filled, "hidden", ANONYMOUS) == search(filled, "hid", ANONYMOUS) == []
    newest = [one.listing.key for one in list_newest_uploads(registry, ANONYMOUS)]
    assert "hidden" not in newest and "tzish" in newest
    lifecycle.set_status(registry, owner, "main", "pydantic", "quarantined")
    assert search(filled, "validation", ANONYMOUS) == ["validation"]
    lifecycle.set_status(registry, owner, "main", "pydantic", "active")
    assert search(filled, "validation", ANONYMOUS) == ["validation", "pydantic"]


HOSTILE = [
    '"', "'", "*", "a*", "**", "(", ")", "a AND", "NEAR(a b)", "a NEAR/3 b", "NOT", "-a", "^a",
    "tokens:a", "t:python", "{a b}: c", "a\x00b", "\x00", "a" * 10_000, "a " * 5_000, "\\", "%",
    "_", "'; DROP TABLE files; --", "&", "|", "!", "<->", ":*", "a:*b", "\ud800", "\u202e",
    "💥",     "ß İ ŉ", "１２３", "e\u0301" * 300, "a\u0300" * 5000, "\n\t ",
    "C++", "日本語", "0", "q" * 39 + "é" * 3,
]  # fmt: skip


def test_no_query_is_an_error(filled: Place) -> None:
    for text in HOSTILE:
        for channel in ("", "main"):
            found = search(filled, text, channel=channel)
            assert isinstance(found, list), text
        for name in ("world", "platform", "license", "python"):
            search(filled, "validation", **{name: text})
    assert search(filled, "C++ validation") == []
    assert search(filled, "validation'\"*()\x00") == ["validation", "pydantic"]


def test_a_yanked_and_a_deleted_release_leave_and_a_newer_one_describes(
    filled: Place, tmp_path: Path
) -> None:
    registry, owner = filled.registry, filled.owner
    filled.publish(make_described_wheel(tmp_path, "validation", "2.0", Summary="Checks forms"))
    assert search(filled, "forms") == ["validation"]
    assert search(filled, "nothing more") == []
    lifecycle.yank(registry, owner, "main", "validation", "2.0")
    assert search(filled, "forms") == [] and search(filled, "nothing more") == ["validation"]
    lifecycle.delete_release(registry, owner, "main", "validation")
    assert search(filled, "validation") == ["pydantic"]
    assert search(filled, "validation", world="pip") == ["pydantic"]


def test_pages_follow_each_other_without_gaps(place: Place, tmp_path: Path) -> None:
    for number in range(7):
        place.publish(make_sdist(tmp_path, f"same{number}"))

    def page(number: int) -> ProjectPage:
        query = SearchQuery("same")
        return search_projects(place.registry, ANONYMOUS, query, number, size=3)

    pages = [page(number) for number in (1, 2, 3)]
    keys = [one.listing.key for each in pages for one in each.projects]
    assert keys == [f"same{number}" for number in range(7)]
    assert [each.total for each in pages] == [7, 7, 7] and pages[0].page_count == 3
    assert page(9).projects == [] and page(-5).projects == pages[0].projects


def test_words_are_cut_and_counted() -> None:
    assert split_words("Straße, CAFÉ_au-lait 2.0") == ["strasse", "cafe", "au", "lait", "2", "0"]
    assert split_words("a" * 100) == ["a" * 40]
    assert len(split_words(" ".join(map(str, range(5000))))) == 500
    tokens = Document(("Scikit-Learn",), "Machine learning", "x", frozenset({"c:1"})).tokens
    assert {"k:scikitlearn", "w:scikit", "s:learn", "s:machine", "t:x", "i:learn", "c:1"} <= set(
        tokens
    )
    assert make_facet("l", "Apache-2.0") == "l:apache20"
