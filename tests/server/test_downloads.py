"""Downloads are counted once each, in batches, and shown as plots and as JSON."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.errors import StoreUnreachable
from twofold.server.auth import accounts
from twofold.server.model import ANONYMOUS
from twofold.server.registry.browsing import numbers
from twofold.server.registry.browsing.numbers import Day
from twofold.server.store.numbers import counter
from twofold.server.store.numbers.counter import classify_client
from twofold.server.store.numbers.download_counts import add_counts, list_channel_days
from twofold.server.web.pages.plots import plot_days, summarize_days


def flush(place: Place) -> None:
    place.registry.download_counter.flush(place.registry.database)


def read(place: Place, name: str = "my_package", days: int = 7) -> numbers.ProjectDownloads:
    flush(place)
    return numbers.get_project_downloads(place.registry, place.owner, "main", name, days)


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        ('pip/26.0 {"ci":null,"cpu":"x86_64"}', "pip"),
        ("uv/0.9.3 {}", "uv"),
        ("conda/25.1.0 requests/2.32 CPython/3.12 Linux/6.1 solver/libmamba", "conda"),
        ("mamba/2.0.5 libmamba/2.0.5", "mamba"),
        ("micromamba/2.3", "mamba"),
        ("pixi/0.50.0", "pixi"),
        ("poetry/2.1 CPython/3.12", "poetry"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        ("curl/8.0", "other"),
        ("", "other"),
        ("pipx", "other"),
    ],
)
def test_clients_are_told_by_their_user_agent(agent: str, client: str) -> None:
    assert classify_client(agent) == client


def test_whole_files_count_once_and_probes_and_parts_never(served: Place, tmp_path: Path) -> None:
    """On both roads: small files by the fast path, large ones by the normal route."""
    small = served.publish(make_wheel(tmp_path, version="1.0")).file
    code = "x = 1\n" + "".join(f"# {hash((n, 'x'))}\n" for n in range(200_000))
    large = served.publish(make_wheel(tmp_path, version="2.0", code=code)).file
    assert large.size > 1 << 20
    for file in (small, large):
        url = f"{served.channel}/files/{file.sha256}/{file.filename}"
        agent = {"user-agent": "pip/26.0"}
        assert len(requests.get(url, headers=agent, timeout=60).content) == file.size
        etag = f'"{file.sha256}"'
        for headers, status in (
            ({"range": "bytes=10-"}, 206),
            ({"range": "bytes=-10"}, 206),
            ({"range": "bytes=0-9"}, 206),
            ({"range": "bytes=99999999-"}, 416),
            ({"if-none-match": etag}, 304),
        ):
            found = requests.get(url, headers={**agent, **headers}, timeout=60)
            assert found.status_code == status
        assert requests.head(url, headers=agent, timeout=60).ok
        assert requests.get(f"{url}.metadata", headers=agent, timeout=60).ok
        assert requests.get(url, headers={"range": "bytes=0-"}, timeout=60).status_code == 206
    found = read(served)
    assert found.by_file == {small.id: 2, large.id: 2}
    assert dict(found.downloads.clients) == {"pip": 2, "other": 2}
    assert dict(found.downloads.versions) == {"1.0": 2, "2.0": 2}
    assert found.downloads.days[-1].pip == found.downloads.count == found.downloads.total == 4


def test_both_worlds_and_the_channel_add_up(served: Place, tmp_path: Path) -> None:
    file = served.publish(make_conda(tmp_path, "gamma")).file
    agent = {"user-agent": "conda/25.1 requests/2"}
    for _ in range(3):
        requests.get(f"{served.channel}/{file.basename}", headers=agent, timeout=60)
    url = "/api/downloads/main/gamma?days=2"
    flush(served)
    value = served.get(url).json()
    assert value["days"][-1]["conda"] == value["count"] == value["total"] == 3
    assert value["clients"] == {"conda": 3} and value["versions"] == {"1.0.0": 3}
    assert value["size"] == file.size and len(value["days"]) == 2
    assert served.get("/api/downloads/main").json()["count"] == 3
    assert served.get("/api/downloads/main/none").status_code == 404
    for days in ("0", "-3", "x", "99999", "1e3"):
        assert served.get(f"/api/downloads/main?days={days}").ok
    page = served.get("/main/project/gamma/-/downloads").text
    assert "3 downloads in the last 30 days" in page and 'role="img"' in page
    assert "Downloads from main" in served.get("/main/-/downloads?days=90").text


def test_administrators_see_what_takes_room(served: Place, tmp_path: Path) -> None:
    big = served.publish(make_wheel(tmp_path, "bigger", code="x = 1\n" * 9000))
    small = served.publish(make_wheel(tmp_path, "smaller"))
    sizes = [sum(file.size for file in (done.file, *done.converted)) for done in (big, small)]
    for path in ("/api/storage/main", "/main/-/storage"):
        assert served.get(path).status_code == 401
    found = served.get("/api/storage/main", token=served.token).json()
    assert found["size"] == sum(sizes) and found["quota"] is None
    assert found["largest"] == [
        {"project": "bigger", "size": sizes[0]},
        {"project": "smaller", "size": sizes[1]},
    ]
    assert "bigger" in served.get("/main/-/storage", token=served.token).text


def test_private_numbers_need_the_right(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_wheel(tmp_path), "secret")
    for path in (
        "/api/downloads/secret",
        "/api/downloads/secret/my-package",
        "/secret/-/downloads",
        "/secret/project/my-package/-/downloads",
        "/secret/-/feed.atom",
        "/secret/project/my-package/-/feed.atom",
    ):
        assert served.get(path).status_code == 401, path
        found = served.get(path, token=served.token)
        assert found.ok and "private" in found.headers["cache-control"], path


def test_a_batch_that_cannot_be_written_is_kept(place: Place, tmp_path: Path) -> None:
    file = place.publish(make_wheel(tmp_path)).file
    database = place.registry.database
    place.registry.download_counter.count(database, file.id, "uv/1")

    def fail(*_: object) -> None:
        raise StoreUnreachable("the database is busy")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write_soon", fail)
        flush(place)
    assert read(place).downloads.total == 1
    assert read(place).downloads.total == 1  # and not twice


def test_several_processes_add_up_and_old_days_are_dropped(place: Place, tmp_path: Path) -> None:
    file = place.publish(make_wheel(tmp_path)).file
    other = new_place_on(place)
    for each in (place, other, other):
        each.registry.download_counter.count(each.registry.database, file.id, "pip/26")
        each.registry.download_counter.count(
            each.registry.database, ("main", "", file.filename), "pip/26"
        )
        each.registry.download_counter.count(each.registry.database, ("main", "", "gone"), "")
        each.registry.download_counter.count(each.registry.database, 10**9, "")
    flush(other)
    other.registry.database.close()
    assert read(place).downloads.total == 6
    with place.registry.database.write() as db:
        add_counts(db, "2001-01-01", {(file.id, "pip"): 5})
        assert list_channel_days(db, 1, "2001-01-01")[0].count == 5
    place.registry.download_counter._pruned = ""
    place.registry.download_counter.count(place.registry.database, file.id, "pip/26")
    flush(place)
    with place.registry.database.read() as db:
        assert [one.count for one in list_channel_days(db, 1, "2001-01-01")] == [7]
    assert read(place).downloads.total == 12  # totals stay


def new_place_on(place: Place) -> Place:
    """A second server of the same store."""
    from twofold.server.app import open_registry

    return Place(open_registry(place.settings), place.settings, place.token, place.owner)


def test_a_batch_is_written_by_itself(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr(counter, "INTERVAL", 0.05)
    file = place.publish(make_wheel(tmp_path)).file
    place.registry.download_counter.count(place.registry.database, file.id, "pip/26")
    limit = time.monotonic() + 20
    total = 0
    while not total and time.monotonic() < limit:
        time.sleep(0.02)
        found = numbers.get_project_downloads(place.registry, ANONYMOUS, "main", "my_package")
        total = found.downloads.total or 0
    assert total == 1


def test_a_plot_is_wellformed_and_says_what_it_shows() -> None:
    days = [Day(f"2026-01-{n:02d}", n * 7, n % 3) for n in range(1, 31)]
    svg = plot_days(days, 'A "title" & more <x>')
    root = ElementTree.fromstring(str(svg))
    assert root.attrib["aria-label"] == 'A "title" & more <x>'
    bars = [one for one in root.iter() if one.tag == "rect"]
    assert len(bars) == 30 + 20 and all(float(one.attrib["height"]) > 0 for one in bars)
    assert all(0 <= float(one.attrib["y"]) <= 160 for one in bars)
    assert "the most on 2026-01-30: 210" in summarize_days(days)
    assert summarize_days([]) == "No downloads in the last 0 days."
    ElementTree.fromstring(str(plot_days([], "none")))
