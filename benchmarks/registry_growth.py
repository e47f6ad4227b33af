"""What adding one package costs in a channel of 1,000, 10,000 and 100,000 packages.

    python benchmarks/registry_growth.py [--runs 15] [SIZES ...]

Each package has a name of its own, which is the worst case for the list of shards. Times are
milliseconds, medians of some runs: the publication of one small wheel with its twin (and the
processor time it took, which other work of the machine disturbs least); after it what a
shard-reading client asks for: the shard index and the shard; both together are when the package is
visible. A reader asked for repodata.json.zst before, so that it follows in the background
meanwhile, as it would; how long until it has the last package is told in seconds. Takes some two
minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgpack
import zstandard
from measure import record_results
from registry_servers import make_wheel
from sqlalchemy import insert

from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Actor, Page, View
from twofold.server.pages import conda_pages
from twofold.server.registry.publish import Upload, publish
from twofold.server.settings import Settings
from twofold.server.store import channels, pages
from twofold.server.store.schema import files, labels, projects, shards

SHARDS = "repodata_shards.msgpack.zst"


def fill(registry: Registry, count: int) -> None:
    """Records of `count` packages; their objects are not needed here."""
    at = "2026-01-01T00:00:00.000000Z"
    numbers = range(1, count + 1)
    with registry.database.write() as db:
        channels.lock_channel(db, 1)
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
        db.execute(insert(files), [_make_row(n, at) for n in numbers])
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


def _make_row(number: int, at: str) -> dict[str, object]:
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


@dataclass(frozen=True)
class GrowingRegistry:
    """A registry with a channel of some size."""

    registry: Registry
    owner: Actor
    folder: Path

    def add(self, number: int) -> tuple[float, float]:
        """(milliseconds, milliseconds of processor) of a publication."""
        wheel = make_wheel(f"added{number}", "1.0", 10_000)
        path = self.folder / "upload"
        path.write_bytes(wheel.data)
        begun, worked = time.perf_counter(), time.process_time()
        publish(self.registry, self.owner, "main", Upload(path, wheel.filename))
        now, worked_now = time.perf_counter(), time.process_time()
        return (now - begun) * 1000, (worked_now - worked) * 1000

    def read_page(self, name: str) -> tuple[Page, float]:
        begun = time.perf_counter()
        view = View(self.owner, "main")
        page, _ = conda_pages.get_repodata(self.registry, view, "noarch", name)
        return page, (time.perf_counter() - begun) * 1000

    def read_shard(self, index: Page, name: str) -> float:
        """The shard of a name that the index must list."""
        packed = zstandard.ZstdDecompressor().decompress(index.body)
        sha256 = msgpack.unpackb(packed)["shards"][name].hex()
        begun = time.perf_counter()
        conda_pages.get_shard(self.registry, self.owner, "main", sha256)
        return (time.perf_counter() - begun) * 1000

    def wait_for_page(self) -> float:
        """Seconds until repodata.json.zst has the last package."""
        begun = time.perf_counter()
        while True:
            page, _ = self.read_page("repodata.json.zst")
            with self.registry.database.read() as db:
                if page.serial >= pages.get_last_change(db, 1, "main", "noarch"):
                    return time.perf_counter() - begun
            time.sleep(0.05)


def measure(size: int, runs: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="bench-growth-"))
    try:
        registry = open_registry(Settings(folder / "data"))
        token = accounts.bootstrap_owner(registry)
        assert token is not None
        place = GrowingRegistry(registry, accounts.identify(registry, token), folder)
        fill(registry, size)
        place.add(0)
        place.read_page(SHARDS)
        place.read_page("repodata.json.zst")
        rows = []
        for number in range(1, runs + 1):
            added, worked = place.add(number)
            index, index_ms = place.read_page(SHARDS)
            shard_ms = place.read_shard(index, f"added{number}")
            rows.append((added, worked, index_ms, shard_ms, added + index_ms + shard_ms))
        columns = ("publish_ms", "publish_cpu_ms", "shard_index_ms", "shard_ms", "visible_ms")
        found = {
            name: round(statistics.median(row[n] for row in rows), 1)
            for n, name in enumerate(columns)
        }
        found["visible_worst_ms"] = round(max(row[-1] for row in rows), 1)
        found["repodata_follows_s"] = round(place.wait_for_page(), 2)
        registry.database.close()
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def format_table(results: dict[int, dict[str, float]]) -> str:
    names = list(next(iter(results.values())))
    lines = ["| packages | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for size, row in results.items():
        lines.append(f"| {size:,} | " + " | ".join(f"{row[name]:g}" for name in names) + " |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    options.add_argument("--runs", type=int, default=15)
    args = options.parse_args()
    load = [os.getloadavg()[0]] if hasattr(os, "getloadavg") else []
    results = {size: measure(size, args.runs) for size in args.sizes}
    load += [os.getloadavg()[0]] if load else []
    print(format_table(results))
    small, large = min(results), max(results)
    growth = results[large]["publish_ms"] / results[small]["publish_ms"]
    print(f"\npublication, {large:,} beside {small:,}: {growth:.2f} times (aim: at most 1.25)")
    print(f"visible at {large:,}: {results[large]['visible_ms']:g} ms (aim: at most 1000)")
    if len(results) > 1:
        value = {"runs": args.runs, "load_before_and_after": load, "sizes": results}
        record_results("registry-growth", ("sqlalchemy", "zstandard"), value)


if __name__ == "__main__":
    main()
