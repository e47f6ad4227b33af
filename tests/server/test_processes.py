"""Several `twofold serve` processes on one store at once, as behind a load balancer."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.factories.packages import make_wheel
from tests.server.workload import JSON, conda_names
from tests.servers.processes import PROCESSES, Fleet


def test_servers_that_start_at_once_on_an_empty_store_print_one_token_between_them(
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
    counts = Counter((number == winner, status) for number, status, _ in answers)
    assert counts == {(True, 200): 25, (False, 400): 25}
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
