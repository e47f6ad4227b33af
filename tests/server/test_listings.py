"""The rows of lists follow every change, and a store of an older version gets them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.described import make_described_conda, make_described_wheel
from tests.factories.packages import make_sdist
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.model import ANONYMOUS
from twofold.server.pages.listing_updates import update_listing
from twofold.server.registry import labels, lifecycle, undelete
from twofold.server.registry.browsing.search import Order, list_projects_page
from twofold.server.registry.browsing.search_index import fill_search_index
from twofold.server.store import channels
from twofold.server.store.search import find, listings
from twofold.server.store.search.listings import Listing


def read_all(place: Place) -> dict[str, tuple[Listing, list[str]]]:
    """Each project's row, and the words of a list of them that find it."""
    words = ["first", "second", "about", "wheel", "other", "linux", "zones", "moved"]
    filters = [{"platform": one} for one in ("linux-64", "osx-arm64")]
    filters += [{"python": one} for one in ("3.9", "3.12")]
    filters += [{"world": one} for one in ("pip", "conda")]
    with place.registry.database.read() as db:
        ids = [one.id for one in channels.list_channels(db)]
        rows = listings.list_page(db, ids, Order.NAME, 0, 100)
        found: dict[str, tuple[Listing, list[str]]] = {one.key: (one, []) for one in rows}
        for word in words:
            for restriction in [{}, *filters]:
                named = find.SearchFilter(ids, **restriction)
                for one in find.find_projects(db, word, named, 0, 100).listings:
                    found[one.key][1].append(f"{word} {restriction}")
    return found


def refill(place: Place) -> None:
    with place.registry.database.write() as db:
        listings.reset(db)
    assert fill_search_index(place.registry) > 0


def test_every_change_leaves_the_rows_that_filling_anew_gives(place: Place, tmp_path: Path) -> None:
    """A walk of random changes; now and then all rows are made from nothing and compared."""
    chance = random.Random(17)
    registry, owner = place.registry, place.owner
    folders = (tmp_path / str(number) for number in range(1000))
    tags = ["py3-none-any", "cp312-cp312-manylinux_2_17_x86_64", "cp39-abi3-macosx_11_0_arm64"]
    texts = ["first", "second zones", "moved other", ""]

    def wheel(name: str, version: str) -> None:
        summary = chance.choice(texts) or "x"
        fields = {"Summary": summary, "Requires_Python": chance.choice([">=3.8", ">=3.11,<3.13"])}
        tag = chance.choice(tags)
        place.publish(make_described_wheel(next(folders), name, version, tag=tag, **fields))

    def sdist(name: str, version: str) -> None:
        folder = next(folders)
        folder.mkdir()
        place.publish(make_sdist(folder, name, version))

    def conda(name: str, version: str) -> None:
        depends = chance.choice([(), ("python >=3.10",), ("python 3.12.*",)])
        about = {"summary": f"about {chance.choice(texts)}"}
        place.publish(make_described_conda(next(folders), name, version, depends, **about))

    steps: list[Callable[[str, str], object]] = [
        *[wheel] * 4,
        *[sdist] * 2,
        *[conda] * 3,
        lambda name, version: lifecycle.yank(registry, owner, "main", name, version),
        lambda name, version: lifecycle.unyank(registry, owner, "main", name, version),
        lambda name, version: lifecycle.delete_release(registry, owner, "main", name, version),
        lambda name, _: lifecycle.delete_release(registry, owner, "main", name),
        lambda name, _: undelete.undelete(registry, owner, "main", name),
        lambda name, version: labels.add_label(
            registry, owner, "main", "dev", labels.Selection(name, version)
        ),
        lambda name, version: labels.unlabel(
            registry, owner, "main", "main", labels.Selection(name, version)
        ),
        lambda name, _: lifecycle.set_status(registry, owner, "main", name, "quarantined"),
        lambda name, _: lifecycle.set_status(registry, owner, "main", name, "active"),
        lambda name, _: lifecycle.describe_project(
            registry, owner, "main", name, {"summary": chance.choice(texts)}
        ),
    ]
    done = 0
    for number in range(70):
        name, version = chance.choice(["aa", "bb", "cc"]), chance.choice(["1.0", "1.1", "2.0rc1"])
        try:
            chance.choice(steps)(name, version)
            done += 1
        except Refused:
            continue
        if number % 7 == 0:
            before = read_all(place)
            refill(place)
            assert read_all(place) == before
    assert done > 25


def test_a_row_shows_what_each_side_installs(place: Place, tmp_path: Path) -> None:
    place.publish(make_described_wheel(tmp_path, "both", "1.0", Summary="One\nAuthor: Two"))
    place.publish(make_described_wheel(tmp_path, "both", "2.0rc1", Summary="Later"))
    place.publish(make_described_conda(tmp_path, "both", "3.0", summary="conda's"))
    [one] = list_projects_page(place.registry, ANONYMOUS, "main").projects
    row = one.listing
    assert (row.pip_version, row.conda_version, row.newest) == ("1.0", "3.0", "3.0")
    assert row.summary == "One" and row.worlds == ("pip", "conda")
    with place.registry.database.read() as db:
        project = channels.find_project(db, one.channel.id, "both")
    assert project is not None and project.summary == "One"


def test_lists_are_sorted_and_paged(place: Place, tmp_path: Path) -> None:
    for name in ("bb", "aa", "cc"):
        place.publish(make_described_wheel(tmp_path, name, Summary="x"))
    place.publish(make_described_wheel(tmp_path, "aa", "2.0", Summary="x"))

    def keys(order: Order) -> list[str]:
        page = list_projects_page(place.registry, ANONYMOUS, "main", order)
        assert page.total == 3 and page.page_count == 1
        return [one.listing.key for one in page.projects]

    assert keys(Order.NAME) == ["aa", "bb", "cc"]
    assert keys(Order.NEWEST) == ["aa", "cc", "bb"]
    assert list_projects_page(place.registry, ANONYMOUS, "main", number=2).projects == []


def test_an_older_store_is_filled_from_its_files_and_after_a_kill_goes_on(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """about.json of packages recorded without it is read from the packages themselves."""
    for number in range(5):
        place.publish(make_described_conda(tmp_path, f"old{number}", summary=f"From {number}"))
    with place.registry.database.write() as db:
        listings.reset(db)
        db.exec_driver_sql("UPDATE files SET about = NULL")
        db.exec_driver_sql("UPDATE projects SET summary = ''")
    monkeypatch.setattr("twofold.server.registry.browsing.search_index.BATCH", 2)
    calls = []

    def killed(*args: object) -> None:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        update_listing(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("twofold.server.registry.browsing.search_index.update_listing", killed)
        with pytest.raises(KeyboardInterrupt):
            fill_search_index(place.registry)
    assert fill_search_index(place.registry) == 3  # the first batch stayed
    assert fill_search_index(place.registry) == 0
    page = list_projects_page(place.registry, ANONYMOUS, "main")
    assert [one.listing.summary for one in page.projects] == [f"From {n}" for n in range(5)]


def test_a_package_that_cannot_be_read_stops_no_start(place: Place, tmp_path: Path) -> None:
    done = place.publish(make_described_conda(tmp_path, "gone", summary="Lost"))
    with place.registry.database.write() as db:
        listings.reset(db)
        db.exec_driver_sql("UPDATE files SET about = NULL, sha256 = md5")
    assert fill_search_index(place.registry) == 1
    [one] = list_projects_page(place.registry, ANONYMOUS, "main").projects
    assert one.listing.source_id == done.file.id
    assert replace(one.listing, summary="") != one.listing  # the upload's summary was kept
