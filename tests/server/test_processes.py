"""Several `twofold serve` processes on one store at once, as behind a load balancer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_wheel
from tests.server.test_serve import server
from tests.server.workload import JSON, conda_names
from twofold.server.settings import Settings

PROCESSES = 2


@dataclass(frozen=True)
class Fleet:
    """Servers on one store, begun at the same moment on an empty one."""

    urls: list[str]
    tokens: list[str]

    def upload(self, number: int, wheel: Path) -> requests.Response:
        return requests.post(
            f"{self.urls[number % PROCESSES]}/main/legacy/",
            data={":action": "file_upload", "protocol_version": "1"},
            files={"content": (wheel.name, wheel.read_bytes())},
            auth=("__token__", self.tokens[0]),
            timeout=120,
        )


@pytest.fixture
def fleet(store: Settings, tmp_path: Path) -> Iterator[Fleet]:
    """Each has a folder of its own for what waits; the store is given by address to all."""
    where = ["--database", store.database or f"sqlite:///{(tmp_path / 'db.sqlite').as_posix()}"]
    where += ["--objects", store.objects or str(tmp_path / "objects")]
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        begun = [server(tmp_path / f"data{n}", *where) for n in range(PROCESSES)]
        started = list(pool.map(stack.enter_context, begun))
        ready = [told for _, told in started]
        yield Fleet([told["url"] for told in ready], [t["token"] for t in ready if "token" in t])


def test_servers_that_start_at_once_on_an_empty_store_tell_one_token_between_them(
    fleet: Fleet,
) -> None:
    (token,) = fleet.tokens
    for url in fleet.urls:
        answer = requests.get(f"{url}/main/whoami", auth=("__token__", token), timeout=120)
        assert answer.json() == {"user": "owner"}


def test_fifty_clients_of_several_processes_race_for_one_name_and_one_file_wins_everywhere(
    fleet: Fleet, tmp_path: Path
) -> None:
    variants = [make_wheel(tmp_path / str(n), code=f"x = {n}\n") for n in range(2)]
    barrier = threading.Barrier(50)

    def client(number: int) -> tuple[int, int, str]:
        barrier.wait()
        answer = fleet.upload(number // 2, variants[number % 2])
        return number % 2, answer.status_code, answer.reason

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(client, range(50)))
    shown = set()
    for url in fleet.urls:
        page = f"{url}/main/simple/my-package/"
        (file,) = requests.get(page, headers=JSON, timeout=120).json()["files"]
        body = requests.get(requests.compat.urljoin(page, file["url"]), timeout=120).content
        shown.add((file["hashes"]["sha256"], body))
        assert len(conda_names(f"{url}/main")) == 1
    ((_, body),) = shown
    winner = [path.read_bytes() for path in variants].index(body)
    told = Counter((number == winner, status) for number, status, _ in answers)
    assert told == {(True, 200): 25, (False, 400): 25}
    assert all("File already exists" in reason for _, status, reason in answers if status == 400)


def test_what_one_process_acknowledged_every_other_one_shows_at_once(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Each page is read everywhere before, so that whatever a process keeps would be stale."""
    manage = "/api/manage/channels/main/projects/my-package/releases"
    login = ("__token__", fleet.tokens[0])
    wheels = [make_wheel(tmp_path, "my_package", f"{n}.0") for n in range(6)]
    versions: set[str] = set()
    for number, wheel in enumerate(wheels):
        assert fleet.upload(number, wheel).status_code == 200
        versions.add(f"{number}.0")
        _assert_shown(fleet, versions)
    for number in range(3):
        url = fleet.urls[(number + 1) % PROCESSES]
        answer = requests.delete(f"{url}{manage}/{number}.0", auth=login, timeout=60)
        assert answer.status_code == 200, answer.text
        versions.remove(f"{number}.0")
        _assert_shown(fleet, versions)
        gone = f"/main/noarch/my_package-{number}.0-py_0.conda"
        assert {requests.get(f"{one}{gone}", timeout=120).status_code for one in fleet.urls} == {
            404
        }


def _assert_shown(fleet: Fleet, versions: set[str]) -> None:
    for url in fleet.urls:
        page = f"{url}/main/simple/my-package/"
        files = requests.get(page, headers=JSON, timeout=120).json()["files"]
        assert {file["filename"].split("-")[1] for file in files} == versions
        assert requests.get(page, timeout=120).text.count("<a ") == len(versions)
        assert {name.split("-")[1] for name in conda_names(f"{url}/main")} == versions
        for file in files:
            assert requests.get(requests.compat.urljoin(page, file["url"]), timeout=120).ok


def test_writers_in_several_processes_do_not_lose_each_others_pages(
    fleet: Fleet, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, f"p{n % 3}", f"1.{n}") for n in range(24)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda job: fleet.upload(*job), enumerate(wheels)))
    assert {answer.status_code for answer in answers} == {200}
    for url in fleet.urls:
        assert len(conda_names(f"{url}/main")) == 24
        for number in range(3):
            page = requests.get(f"{url}/main/simple/p{number}/", headers=JSON, timeout=120)
            assert len(page.json()["files"]) == 8
