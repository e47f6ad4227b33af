"""What adding one package costs in a channel of 1,000, 10,000 and 100,000 packages.

    python benchmarks/registry_growth.py [SIZES ...]

Each package has a name of its own, which is the worst case for the list of shards. Times, in
milliseconds and as medians of nine: the publication of one small wheel with its twin; the first
read of the shard index after it; the first read of repodata.json.zst (the last page, while the new
one is rendered). Then, in seconds, how long until repodata.json.zst has the package.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from registry import make_wheel
from sqlalchemy import insert

from twofold.server.app import open_registry
from twofold.server.model import View
from twofold.server.registry import Registry, conda_pages, people
from twofold.server.registry.publishing import Upload, publish
from twofold.server.settings import Settings
from twofold.server.store.schema import files, labels, projects, shards

RESULTS = Path(__file__).parent / "results" / "registry-growth.json"


def fill(registry: Registry, count: int) -> None:
    """Records of `count` packages; their objects are not needed here."""
    at = "2026-01-01T00:00:00.000000Z"
    numbers = range(1, count + 1)
    with registry.database.write() as db:
        db.execute(
            insert(projects),
            [
                {
                    "id": n,
                    "channel_id": 1,
                    "key": f"name{n}",
                    "name": f"name{n}",
                    "lookalike": f"filler{n}",
                    "conda_name": f"name{n}",
                    "created_at": at,
                }
                for n in numbers
            ],
        )
        db.execute(insert(files), [_file(n, at) for n in numbers])
        db.execute(
            insert(labels), [{"channel_id": 1, "file_id": n, "label": "main"} for n in numbers]
        )
        db.execute(
            insert(shards),
            [
                {
                    "channel_id": 1,
                    "label": "main",
                    "subdir": "noarch",
                    "name": f"name{n}",
                    "sha256": f"{n:064x}",
                    "serial": 1,
                }
                for n in numbers
            ],
        )


def _file(number: int, at: str) -> dict[str, object]:
    record = {
        "build": "py_0",
        "build_number": 0,
        "depends": ["python >=3.9", f"name{number // 2} >=1.0"],
        "md5": f"{number:032x}",
        "name": f"name{number}",
        "noarch": "python",
        "sha256": f"{number:064x}",
        "size": 100_000,
        "subdir": "noarch",
        "timestamp": 1_700_000_000_000,
        "version": "1.0",
    }
    return {
        "id": number,
        "channel_id": 1,
        "project_id": number,
        "subdir": "noarch",
        "filename": f"name{number}-1.0-py_0.conda",
        "kind": "conda",
        "name": f"name{number}",
        "version": "1.0",
        "build": "py_0",
        "size": 100_000,
        "sha256": f"{number:064x}",
        "md5": f"{number:032x}",
        "metadata": b"{}",
        "record": json.dumps(record),
        "uploaded_at": at,
    }


def measure(size: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="bench-growth-"))
    try:
        registry = open_registry(Settings(folder / "data"))
        token = people.first_start(registry)
        owner = people.identify(registry, token)
        fill(registry, size)
        view = View(owner, "main")

        def add(number: int) -> float:
            wheel = make_wheel(f"added{number}", "1.0", 10_000)
            path = folder / "upload"
            path.write_bytes(wheel.data)
            begun = time.perf_counter()
            publish(registry, owner, "main", Upload(path, wheel.filename))
            return (time.perf_counter() - begun) * 1000

        def read(name: str) -> float:
            begun = time.perf_counter()
            conda_pages.repodata(registry, view, "noarch", name)
            return (time.perf_counter() - begun) * 1000

        add(0)
        read("repodata_shards.msgpack.zst")
        read("repodata.json.zst")
        added, index, full = [], [], []
        for number in range(1, 10):
            added.append(add(number))
            index.append(read("repodata_shards.msgpack.zst"))
            full.append(read("repodata.json.zst"))
        begun = time.perf_counter()
        newest = conda_pages.pages
        while True:
            page, _ = conda_pages.repodata(registry, view, "noarch", "repodata.json.zst")
            with registry.database.read() as db:
                if page.serial >= newest.last_change(db, 1, "main", "noarch"):
                    break
            time.sleep(0.01)
        return {
            "publish_ms": round(statistics.median(added), 1),
            "shard_index_ms": round(statistics.median(index), 1),
            "repodata_read_ms": round(statistics.median(full), 1),
            "repodata_follows_s": round(time.perf_counter() - begun, 2),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1_000, 10_000, 100_000]
    results = {}
    for size in sizes:
        results[size] = measure(size)
        print(size, json.dumps(results[size]), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
