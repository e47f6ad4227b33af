"""kill -9 at random moments of uploads, deletions, yanks, labels and promotions, on both stores."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.server.workload import Worker, check_pages
from tests.servers.processes import run_server, store_options
from twofold.server.app import open_registry
from twofold.server.registry import maintenance
from twofold.server.settings import Settings
from twofold.server.store.numbers.download_counts import count_by_file


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


#: Counts one download of each file a batch, and prints a line before and after each batch.
COUNTING = """
import sys
from pathlib import Path
from twofold.server.app import open_registry
from twofold.server.settings import Settings
registry = open_registry(Settings(Path(sys.argv[1]), *sys.argv[2:4]))
ids = [int(one) for one in sys.argv[4].split(",")]
for number in range(int(sys.argv[5])):
    order = ids if number % 2 else ids[::-1]
    for one in order:
        registry.download_counter.count(registry.database, one, "pip/26")
    print("begun", number + 1, flush=True)
    registry.download_counter.flush(registry.database)
    if not registry.download_counter._counts:
        print("written", number + 1, flush=True)
"""


@pytest.mark.slow
def test_a_kill_during_a_batch_of_downloads_leaves_whole_batches(
    place: Place, tmp_path: Path
) -> None:
    """Three processes count each file as often; two of them are killed; no batch is half there."""
    made = [place.publish(make_wheel(tmp_path, version=f"{n}.0")).file for n in range(12)]
    ids = [file.id for file in made]
    settings = place.settings
    words = [str(settings.data), settings.database or "", settings.objects or ""]
    words.append(",".join(map(str, ids)))
    command = [sys.executable, "-c", COUNTING, *words]
    running = [
        subprocess.Popen([*command, count], stdout=subprocess.PIPE, text=True)
        for count in ("9999", "9999", "30")
    ]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "begun 1\n"
    time.sleep(0.5)
    for process in running[:2]:
        process.kill()
    outs = [process.communicate(timeout=300)[0] for process in running]
    begun, written = (
        sum(max(map(int, re.findall(rf"{word} (\d+)", f"begun 1 written 0 {out}"))) for out in outs)
        for word in ("begun", "written")
    )
    with place.registry.database.read() as db:
        counted = count_by_file(db, made[0].project_id)
    (total,) = {counted[one] for one in ids}
    print(f"begun {begun}, written {written}, there {total}")
    assert 30 <= written <= total <= begun
