"""What it costs to offer 20,000 projects of an index by metadata alone, and what follows from it.

    python benchmarks/registry_offers.py [--projects 20000] [--releases 1] [--runs 15]

A synthetic index on loopback (a process of its own, on the same machine) lists pure wheels with
METADATA. `twofold admin offer --by-metadata` of all its projects is killed half way and run again:
projects a second, of wall clock and of its processor time, and its peak memory. Then, in turn,
what a publication, the shard index and a shard cost in that channel and in one with as many stored
packages (`registry_growth.py`), and the same of `/lazy`. Takes some three minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import record_results
from registry_growth import SHARDS, GrowingRegistry, fill

from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.model import Actor, View
from twofold.server.proxy import config, lazy
from twofold.server.registry import administration
from twofold.server.settings import Settings
from twofold.server.store import offers


class Index(asyncio.Protocol):
    """Answers for pages (PEP 691) and METADATA (PEP 658) of projects `pN`; keeps connections."""

    count, releases = 0, 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1].decode()
        name = path.split("/")[2].partition("-")[0]
        is_page = path.startswith("/simple/")
        body = _make_page(name, self.releases) if is_page else _make_metadata(name, path)
        media = "application/vnd.pypi.simple.v1+json" if is_page else "application/octet-stream"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f'{head}ETag: "{len(body)}"\r\n\r\n'.encode() + body)


def _make_metadata(name: str, path: str) -> bytes:
    number, version = int(name[1:]), path.split("-")[1]
    required = "".join(
        f"Requires-Dist: p{number // factor} >=1.0\n" for factor in (2, 3, 5) if number >= factor
    )
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: of a benchmark\n"
        f"Requires-Python: >=3.9\n{required}\n{'A description of some length. ' * 60}\n"
    ).encode()


def _make_page(name: str, releases: int) -> bytes:
    files = []
    for release in range(releases):
        filename = f"{name}-1.{release}-py3-none-any.whl"
        metadata = hashlib.sha256(_make_metadata(name, filename)).hexdigest()
        files.append(
            {
                "filename": filename,
                "url": f"/files/{filename}",
                "hashes": {"sha256": hashlib.sha256(filename.encode()).hexdigest()},
                "core-metadata": {"sha256": metadata},
                "requires-python": ">=3.9",
                "size": 100_000,
                "upload-time": "2026-01-01T00:00:00Z",
            }
        )
    value = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}
    return json.dumps(value).encode()


async def _serve(releases: int) -> None:
    Index.releases = releases
    server = await asyncio.get_running_loop().create_server(Index, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def measure_offer(folder: Path, count: int, releases: int) -> dict[str, float]:
    """Offer all projects, with a kill half way; the channel stays in `folder`."""
    command = [sys.executable, __file__, "--serve", "--releases", str(releases)]
    upstream = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert upstream.stdout is not None
        url = f"http://127.0.0.1:{int(upstream.stdout.readline())}/simple"
        place = _open(folder)
        config.add(place.registry, "owner", "main", config.UpstreamConfig(url, "pypi"))
        administration.change_rule(place.registry, "owner", "main", "lazy", "yes")
        names = folder / "requirements.txt"
        names.write_text("".join(f"p{number}\n" for number in range(count)))
        words = ["offer", "main", "--from", str(names), "--by-metadata", "--data"]
        offering = [sys.executable, "-m", "twofold", "admin", *words, str(folder / "data")]
        begun = time.perf_counter()
        process = subprocess.Popen(offering, stderr=subprocess.DEVNULL)
        while _count(place) < count // 2:
            if process.poll() is not None:
                raise SystemExit("the offer ended early")
            time.sleep(0.2)
        process.kill()
        process.wait()
        kept = _count(place)
        subprocess.run(offering, check=True, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if _count(place) != count:
            raise SystemExit(f"{_count(place)} of {count} are offered")
        place.registry.database.close()
        return {
            "kept_at_the_kill": kept,
            "projects_per_s": round(count / wall, 1),
            "projects_per_processor_s": round(count / (used.ru_utime + used.ru_stime), 1),
            "peak_mb": round(used.ru_maxrss / 1024, 1),
        }
    finally:
        upstream.kill()
        upstream.wait()


def _open(folder: Path) -> GrowingRegistry:
    registry = open_registry(Settings(folder / "data"))
    accounts.bootstrap_owner(registry)
    return GrowingRegistry(registry, Actor(accounts.get_user(registry, "owner")), folder)


def _count(place: GrowingRegistry) -> int:
    with place.registry.database.read() as db:
        return offers.count_read(db, 1)


def measure_growth(folders: dict[str, Path], count: int, runs: int) -> dict[str, dict[str, float]]:
    """Publications and readers in turn: a channel with offers, and one with stored packages."""
    places = {name: _open(folder) for name, folder in folders.items()}
    fill(places["stored"].registry, count)
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in [*places, "lazy"]}
    for number in range(runs + 1):
        for name, place in places.items():
            added, worked = place.add(number)
            index, index_ms = place.read_page(SHARDS)
            shard_ms = place.read_shard(index, f"added{number}")
            rows[name].append((added, worked, index_ms, shard_ms, added + index_ms + shard_ms))
            if name == "offered":
                index_ms, shard_ms = _read_lazy(place, number % count)
                rows["lazy"].append(
                    (added, worked, index_ms, shard_ms, added + index_ms + shard_ms)
                )
    columns = ("publish_ms", "publish_cpu_ms", "shard_index_ms", "shard_ms", "visible_ms")
    return {
        name: {
            column: round(statistics.median(row[n] for row in found[1:]), 1)
            for n, column in enumerate(columns)
        }
        for name, found in rows.items()
    }


def _read_lazy(place: GrowingRegistry, number: int) -> tuple[float, float]:
    """(milliseconds for the index at /lazy after a publication, for the shard of an offer)."""
    view = View(place.owner, "main")
    begun = time.perf_counter()
    lazy.get_page(place.registry, view, "noarch", SHARDS)
    index_ms = (time.perf_counter() - begun) * 1000
    with place.registry.database.read() as db:
        every = dict(offers.list_shards(db, 1))
    sha256 = every[f"p{number}"]["noarch"][1]
    begun = time.perf_counter()
    lazy.get_shard(place.registry, view, "noarch", sha256)
    return index_ms, (time.perf_counter() - begun) * 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--projects", type=int, default=20_000)
    options.add_argument("--releases", type=int, default=1)
    options.add_argument("--runs", type=int, default=15)
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.serve:
        asyncio.run(_serve(args.releases))
        return
    load = [os.getloadavg()[0]]
    folder = Path(tempfile.mkdtemp(prefix="bench-offers-"))
    try:
        places = {"stored": folder / "stored", "offered": folder / "offered"}
        for one in places.values():
            one.mkdir()
        offer = measure_offer(places["offered"], args.projects, args.releases)
        print(json.dumps(offer, indent=1))
        growth = measure_growth(places, args.projects, args.runs)
        print(json.dumps(growth, indent=1))
        value = {"projects": args.projects, "releases": args.releases, "offer": offer}
        value |= {"growth": growth, "load_before_and_after": [*load, os.getloadavg()[0]]}
        record_results("registry-offers", ("sqlalchemy", "msgpack"), value)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
