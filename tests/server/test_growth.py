"""What a change costs must not grow with its channel, and whole pages follow without hurry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from sqlalchemy import insert

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, new_place
from twofold.index import repodata
from twofold.server.app import open_registry
from twofold.server.context import Registry
from twofold.server.model import View, now
from twofold.server.pages import conda_pages, page_refresh
from twofold.server.pages.page_cache import BUCKET_SIZE, ShardIndexBuilder
from twofold.server.pages.page_refresh import PageKey
from twofold.server.registry import lifecycle
from twofold.server.store import channels, pages
from twofold.server.store.schema import files, labels, projects, shards

SHARDS = "repodata_shards.msgpack.zst"


def fill(registry: Registry, count: int) -> None:
    """Records of so many packages, each with a name of its own."""
    at, numbers = "2026-01-01T00:00:00.000000Z", range(1, count + 1)
    names = [{"channel_id": 1, "created_at": at, "name": f"name{n}"} for n in numbers]
    with registry.database.write() as db:
        channels.lock_channel(db, 1)
        db.execute(
            insert(projects),
            [
                {**row, "id": n, "key": row["name"], "lookalike": f"filler{n}"}
                for n, row in zip(numbers, names, strict=True)
            ],
        )
        db.execute(insert(files), [_package(n, at) for n in numbers])
        db.execute(
            insert(labels), [{"channel_id": 1, "file_id": n, "label": "main"} for n in numbers]
        )
        place = {"channel_id": 1, "label": "main", "subdir": "noarch", "serial": 1}
        db.execute(
            insert(shards), [{**place, "name": f"name{n}", "sha256": f"{n:064x}"} for n in numbers]
        )


def _package(number: int, at: str) -> dict[str, object]:
    name = f"name{number}"
    record = {"name": name, "version": "1", "build": "0", "build_number": 0, "depends": []}
    return {
        "id": number,
        "channel_id": 1,
        "project_id": number,
        "subdir": "noarch",
        "filename": f"{name}-1-0.conda",
        "kind": "conda",
        "name": name,
        "version": "1",
        "size": 1,
        "sha256": f"{number:064x}",
        "md5": f"{number:032x}",
        "metadata": b"{}",
        "record": json.dumps(record, sort_keys=True, separators=(",", ":")),
        "uploaded_at": at,
    }


@contextmanager
def counted(registry: Registry) -> Iterator[list[int]]:
    """How much SQLite worked, in hundreds of instructions of its machine: the same on any day."""
    from sqlalchemy import event

    steps = [0]

    def one() -> int:
        steps[0] += 1
        return 0

    def watch(connection: object, _record: object, _proxy: object) -> None:
        connection.set_progress_handler(one, 100)  # type: ignore[attr-defined]

    event.listen(registry.database.engine, "checkout", watch)
    yield steps
    event.remove(registry.database.engine, "checkout", watch)


def test_adding_yanking_and_deleting_cost_the_database_as_much_in_a_large_channel(
    tmp_path: Path, place: Place
) -> None:
    """A query that walks the channel would show: it did, when packages were sorted by SQLite."""
    work: dict[int, list[int]] = {}
    for size in (50, 5000):
        settings = type(place.settings)(tmp_path / f"r{size}")
        mine = new_place(settings)
        fill(mine.registry, size)
        mine.publish(make_wheel(tmp_path / "in", "warm-up"))
        work[size] = []
        with counted(mine.registry) as steps:
            for verb in ("publish", "yank", "delete"):
                before = steps[0]
                if verb == "publish":
                    mine.publish(make_wheel(tmp_path / "in", "added"))
                elif verb == "yank":
                    lifecycle.yank(mine.registry, mine.owner, "main", "added", "1.0.0")
                else:
                    lifecycle.delete_release(mine.registry, mine.owner, "main", "added")
                work[size].append(steps[0] - before)
        mine.registry.database.close()
    for small, large in zip(work[50], work[5000], strict=True):
        assert large <= small * 1.5 + 5, work


def test_a_release_reads_no_more_files_in_a_large_project(place: Place, tmp_path: Path) -> None:
    """Counted as SQLite's work: twenty releases more must not double it."""
    for number in range(3):
        place.publish(make_wheel(tmp_path, "my_package", f"0.{number}"))
    with counted(place.registry) as few:
        place.publish(make_wheel(tmp_path, "my_package", "1.0"))
    for number in range(20):
        place.publish(make_wheel(tmp_path, "my_package", f"2.{number}"))
    with counted(place.registry) as many:
        place.publish(make_wheel(tmp_path, "my_package", "3.0"))
    assert many[0] < 1.5 * few[0]


def test_the_patched_list_of_shards_is_what_the_index_would_pack() -> None:
    hashes = {f"name{n}": f"{n:064x}" for n in range(3 * BUCKET_SIZE)}
    made = ShardIndexBuilder()
    made.change(hashes.items())
    changes = {"name7": "f" * 64, "aaa": "1" * 64, "zzz": "2" * 64, "name9": ""}
    changes |= {f"name1{n:05}": f"{n:064x}" for n in range(2 * BUCKET_SIZE)}
    made.change(changes.items())
    hashes |= changes
    del hashes["name9"]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    raw = {name: bytes.fromhex(sha256) for name, sha256 in hashes.items()}
    expected = repodata.make_shard_index("noarch", raw, created_at=at)
    assert _unpacked(made.render("noarch", at)) == _unpacked(expected)
    made.change((name, "") for name in hashes)
    assert _unpacked(made.render("noarch", at)) == _unpacked(
        repodata.make_shard_index("noarch", {}, created_at=at)
    )


def _unpacked(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


def test_two_servers_give_the_same_shard_index_with_the_same_etag(
    place: Place, tmp_path: Path
) -> None:
    """A client that is sent now here, now there does not fetch the list again."""
    other = Place(open_registry(place.settings), place.settings, place.token, place.owner)
    view = View(place.owner, "main")
    for number in range(3):
        (place, other)[number % 2].publish(make_wheel(tmp_path, f"p{number}"))
        reported = [
            conda_pages.get_repodata(one.registry, view, "noarch", SHARDS)[0]
            for one in (place, other)
        ]
        assert reported[0].body == reported[1].body
        assert reported[0].etag == reported[1].etag
    other.registry.database.close()


def test_a_large_page_is_rendered_by_one_of_several_servers_and_then_rests(
    place: Place, tmp_path: Path
) -> None:
    place.publish(make_wheel(tmp_path))
    database, at = place.registry.database, now()
    conda_pages.get_repodata(place.registry, View(place.owner, "main"), "noarch", "repodata.json")
    with database.read() as db:
        channel = channels.get_channel(db, 1)
    wanted = PageKey(channel, "main", "noarch", "repodata.json")
    turns: list[float] = []

    def ask() -> None:
        with database.write() as db:
            until = at + timedelta(seconds=60)
            turns.append(pages.acquire_page_lease(db, channel.id, wanted.text, at, until))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns)[0] == 0
    assert [turn > 0 for turn in sorted(turns)] == [False] + [True] * 7
    with database.write() as db:
        pages.extend_page_lease(db, channel.id, wanted.text, at + timedelta(seconds=1))
        later = at + timedelta(seconds=2)
        assert pages.acquire_page_lease(db, channel.id, wanted.text, later, later) == 0


def test_a_large_repodata_is_refreshed_after_a_change_without_a_request(
    served: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_refresh, "LARGE_PAGE", 1)
    served.publish(make_wheel(tmp_path, "one"))
    assert served.get("/main/noarch/repodata.json").status_code == 200
    served.publish(make_wheel(tmp_path, "two"))
    with served.registry.database.read() as db:
        channel = channels.get_channel(db, 1)
    wanted = PageKey(channel, "main", "noarch", "repodata.json")
    for _ in range(600):
        with served.registry.database.read() as db:
            if wanted.is_fresh(db):
                break
        threading.Event().wait(0.05)
    with served.registry.database.read() as db:
        kept = pages.find_page(db, channel.id, wanted.text)
    assert kept is not None
    assert len(json.loads(kept.body)["packages.conda"]) == 2


def test_a_file_added_is_in_the_shards_at_once(served: Place, tmp_path: Path) -> None:
    fill(served.registry, 2000)
    first = served.get(f"/main/noarch/{SHARDS}")
    assert b"name1999" in _unpacked(first.content)
    served.upload(make_wheel(tmp_path, "added")).raise_for_status()
    second = served.get(f"/main/noarch/{SHARDS}", if_none_match=first.headers["etag"])
    assert second.status_code == 200
    assert b"added" in _unpacked(second.content)
