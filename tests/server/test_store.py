"""What every store must keep, whatever happens: races, several processes, damage, absence."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from twofold.errors import Refused, Unreachable
from twofold.server.app import open_registry
from twofold.server.model import View
from twofold.server.registry import queries
from twofold.server.store import database

JSON = "application/vnd.pypi.simple.v1+json"


def test_fifty_clients_race_two_files_for_one_name_and_one_wins(
    served: Place, tmp_path: Path
) -> None:
    variants = [make_wheel(tmp_path / str(n), code=f"x = {n}\n") for n in range(2)]
    answers: list[tuple[int, int, str]] = []
    barrier = threading.Barrier(50)

    def client(number: int) -> None:
        barrier.wait()
        answer = served.upload(variants[number % 2])
        answers.append((number % 2, answer.status_code, answer.reason))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = served.get("/main/simple/my-package/", accept=JSON).json()["files"]
    bodies = [path.read_bytes() for path in variants]
    body = served.get(f"/main/simple/my-package/{file['url']}").content
    winner = bodies.index(body)
    counts = Counter((number == winner, status) for number, status, _ in answers)
    assert counts == {(True, 200): 25, (False, 400): 25}
    assert all("File already exists" in reason for _, status, reason in answers if status == 400)
    assert len(served.get("/main/noarch/repodata.json").json()["packages.conda"]) == 1


def test_several_processes_on_one_store_see_each_others_changes(
    served: Place, tmp_path: Path
) -> None:
    """Two registries with connections and caches of their own, as two processes have them."""
    other = Place(open_registry(served.settings), served.settings, served.token, served.owner)
    with serve(other):
        for number in range(4):
            here, there = (served, other) if number % 2 else (other, served)
            wheel = make_wheel(tmp_path, "my_package", f"1.{number}")
            assert here.upload(wheel).status_code == 200
            for place in (here, there):
                page = place.get("/main/simple/my-package/", accept=JSON).json()
                assert len(page["files"]) == number + 1
                packages = place.get("/main/noarch/repodata.json").json()["packages.conda"]
                assert len(packages) == number + 1
    other.registry.database.close()


def test_writers_of_different_projects_do_not_lose_each_others_pages(
    served: Place, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, f"p{n % 3}", f"1.{n}") for n in range(18)]
    threads = [threading.Thread(target=served.upload, args=(wheel,)) for wheel in wheels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        page = served.get(f"/main/simple/p{number}/", accept=JSON).json()
        assert len(page["files"]) == 6
    assert len(served.get("/main/noarch/repodata.json").json()["packages.conda"]) == 18


def test_a_request_that_gets_no_connection_is_answered_to_try_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a long change of a channel lets many writers wait: never a 500."""
    monkeypatch.setattr(database, "POOL_TIMEOUT", 0.1)
    small = database.Database(place.settings.database_url)
    with ExitStack() as stack, pytest.raises(Unreachable, match="every connection is in use"):
        for _ in range(100):
            stack.enter_context(small.read())
    small.close()


def test_an_upload_whose_record_fails_leaves_nothing_to_see(place: Place, tmp_path: Path) -> None:
    """The blob is written before the record; a reader who lost rights in between sees none."""
    wheel = make_wheel(tmp_path)
    stranger = Place(place.registry, place.settings, "", type(place.owner)())
    with pytest.raises(Refused):
        stranger.publish(wheel)
    with pytest.raises(Refused, match="no project"):
        queries.get_simple_page(place.registry, View(place.owner, "main"), "my-package", "json")
    assert list(place.registry.blobs.list_all()) == []
