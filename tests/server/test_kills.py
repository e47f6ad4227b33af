"""kill -9 at random moments of uploads, deletions, yanks, labels and promotions, on both stores."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.server.workload import Worker, check_pages
from tests.servers.processes import run_server, store_options
from twofold.server.app import open_registry
from twofold.server.registry import maintenance
from twofold.server.settings import Settings


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_loses_nothing_acknowledged_and_shows_nothing_half_done(
    store: Settings, tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(rounds)
    workers = [Worker(n, tmp_path / f"in{n}", random.Random(n)) for n in range(3)]
    kills, token = 0, ""
    while True:
        with run_server(store.data, *store_options(store)) as (process, ready):
            url, token = ready["url"], ready.get("token", token)
            if not kills:
                made = {"name": "stable"}
                login = ("__token__", token)
                requests.post(
                    f"{url}/api/manage/channels", json=made, auth=login, timeout=120
                ).raise_for_status()
            check_pages(url, workers)
            assert_sound(store)
            if kills == rounds:
                break
            threads = [
                threading.Thread(target=worker.work, args=(url, token)) for worker in workers
            ]
            for thread in threads:
                thread.start()
            wait_for_changes(workers, chance.randrange(16))
            time.sleep(chance.uniform(0.0, 0.08))
            process.kill()
            process.wait(120)
            for thread in threads:
                thread.join()
            assert not [wrong for worker in workers for wrong in worker.wrong]
            kills += 1
    done, cut = Counter[str](), Counter[str]()
    for worker in workers:
        done.update(worker.done)
        cut.update(worker.cut)
    print(f"\n{kills} kills; acknowledged {dict(done)}; cut off {dict(cut)}")
    assert sum(cut.values()) == 3 * rounds


def wait_for_changes(workers: list[Worker], count: int) -> None:
    """Until so many more are acknowledged: how long that takes depends on the machine."""
    begun = sum(worker.done.total() for worker in workers)
    deadline = time.monotonic() + 300
    while sum(worker.done.total() for worker in workers) - begun < count:
        assert time.monotonic() < deadline, [worker.wrong for worker in workers]
        time.sleep(0.001)


def assert_sound(store: Settings) -> None:
    """As `twofold admin verify`: every object whole, every page as the records are."""
    registry = open_registry(store)
    verdict = maintenance.verify(registry)
    registry.database.close()
    assert verdict.is_sound, verdict
