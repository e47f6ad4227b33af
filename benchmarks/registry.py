"""The registry beside its peers: the same wheels, the same machine, the same clients.

    python benchmarks/registry.py [--wheels 1000] [--projects 200] [--seconds 5] [--rounds 3]
                                  [--only NAME ...]

Each server runs as one process. 1,000 wheels of 100 kB of 200 projects go in through the door it
has (`twine`'s form; pypiserver: a folder). Then 16 clients with a connection each ask for project
pages and for files, picked at random, for some seconds; a request that is not 200 stops the run.
All servers run at once and are asked in turn, round by round, so that the machine's mood is the
same for all; of the rounds the median counts. Then twofold is started on a store of 20,000 files.
Prints a table beside the aims and, when every server took part, writes
benchmarks/results/registry.json. Takes some five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from measure import record_results
from registry_clients import CLIENTS, run_clients
from registry_servers import SERVERS, Server, Wheel, make_wheel, measure_memory, start_process

#: What the project promises, beside devpi-server on the same machine in the same run.
AIMS = {
    "page rate / devpi's": (5, "at least"),
    "page p99 / devpi's": (0.2, "at most"),
    "file rate / devpi's": (5, "at least"),
    "file p99 / devpi's": (0.2, "at most"),
    "upload median, ms": (50, "at most"),
    "start with 20,000 files, s": (1.5, "at most"),
    "memory, MB": (150, "at most"),
}


@dataclass
class Contender:
    """A server with the wheels in it: where they are shown, how long their uploads took."""

    server: Server
    pages: list[str]
    files: list[str]
    uploads: list[float]
    rounds: list[dict[str, float]]


def fill_server(name: str, server: Server, wheels: list[Wheel]) -> Contender:
    import requests

    session = requests.Session()
    session.trust_env = False
    uploads = [server.put(wheel) for wheel in wheels]
    pages = [server.page(wheel.name) for wheel in wheels]
    files = []
    for page in sorted(set(pages)):
        text = session.get(page, timeout=60).text
        files += [urljoin(page, link) for link in re.findall(r'href="([^"#]+\.whl)', text)]
    if len(files) != len(wheels):
        raise SystemExit(f"{name} lists {len(files)} of {len(wheels)} files")
    return Contender(server, pages, files, uploads, [])


def measure_reads(contender: Contender, seconds: float) -> None:
    """One round."""
    page_rate, page_median, page_p99 = asyncio.run(run_clients(contender.pages, seconds))
    file_rate, file_median, file_p99 = asyncio.run(run_clients(contender.files, seconds))
    contender.rounds.append(
        {
            "page_rps": page_rate,
            "page_median_ms": page_median,
            "page_p99_ms": page_p99,
            "file_rps": file_rate,
            "file_median_ms": file_median,
            "file_p99_ms": file_p99,
        }
    )


def summarize(contender: Contender) -> dict[str, float]:
    keys = contender.rounds[0]
    found = {key: statistics.median(one[key] for one in contender.rounds) for key in keys}
    uploads = sorted(contender.uploads)
    found["upload_median_ms"] = statistics.median(uploads) * 1000
    found["upload_p99_ms"] = uploads[int(len(uploads) * 0.99)] * 1000
    found["memory_mb"] = measure_memory(contender.server.pid)
    return {key: round(value, 2) for key, value in found.items()}


def measure_start(count: int) -> dict[str, float]:
    """Seconds until `twofold serve` takes connections on a store of so many files, and its memory
    after pages of both worlds were read.
    """
    import requests
    from registry_growth import fill

    from twofold.server.app import open_registry
    from twofold.server.auth import accounts
    from twofold.server.settings import Settings

    folder = Path(tempfile.mkdtemp(prefix="bench-start-"))
    try:
        registry = open_registry(Settings(folder))
        accounts.bootstrap_owner(registry)
        fill(registry, count)
        registry.database.close()
        took, used = [], 0.0
        command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
        command += ["--data", str(folder)]
        for _ in range(5):
            begun = time.perf_counter()
            quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            with start_process(command, **quiet) as process:
                assert process.stdout is not None
                url = json.loads(process.stdout.readline())["url"]
                took.append(time.perf_counter() - begun)
                for page in (
                    "simple/",
                    "noarch/repodata.json",
                    "noarch/repodata_shards.msgpack.zst",
                ):
                    requests.get(f"{url}/main/{page}", timeout=60).raise_for_status()
                used = max(used, measure_memory(process.pid))
        return {"seconds": round(statistics.median(took), 2), "memory_mb": round(used)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare_with_aims(
    results: dict[str, dict[str, float]], started: dict[str, float]
) -> dict[str, float]:
    """What the aims are about."""
    mine, theirs = results["twofold"], results["devpi"]
    return {
        "page rate / devpi's": mine["page_rps"] / theirs["page_rps"],
        "page p99 / devpi's": mine["page_p99_ms"] / theirs["page_p99_ms"],
        "file rate / devpi's": mine["file_rps"] / theirs["file_rps"],
        "file p99 / devpi's": mine["file_p99_ms"] / theirs["file_p99_ms"],
        "upload median, ms": mine["upload_median_ms"],
        "start with 20,000 files, s": started["seconds"],
        "memory, MB": max(mine["memory_mb"], started["memory_mb"]),
    }


def format_table(results: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(results.values())))
    lines = ["| server | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for server, row in results.items():
        lines.append(f"| {server} | " + " | ".join(f"{row[name]:g}" for name in names) + " |")
    return "\n".join(lines)


def format_aims(found: dict[str, float]) -> str:
    lines = ["| promise | aim | found | kept |", "|---|---|---|---|"]
    for name, value in found.items():
        aim, word = AIMS[name]
        kept = value >= aim if word == "at least" else value <= aim
        lines.append(f"| {name} | {word} {aim:g} | {value:.3g} | {'yes' if kept else 'no'} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--wheels", type=int, default=1000)
    options.add_argument("--projects", type=int, default=200)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", action="append", choices=sorted(SERVERS))
    args = options.parse_args()
    wheels = [
        make_wheel(f"project{n % args.projects}", f"1.{n // args.projects}")
        for n in range(args.wheels)
    ]
    load = [os.getloadavg()[0]] if hasattr(os, "getloadavg") else []
    names = args.only or list(SERVERS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-registry-")))
        contenders = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](folder / name))
            contenders[name] = fill_server(name, server, wheels)
        for _ in range(args.rounds):
            for contender in contenders.values():
                measure_reads(contender, args.seconds)
        results = {name: summarize(contender) for name, contender in contenders.items()}
    print(format_table(results), flush=True)
    started = measure_start(20_000)
    print(f"\nstart with 20,000 files: {json.dumps(started)}\n")
    load += [os.getloadavg()[0]] if load else []
    if "devpi" not in results or "twofold" not in results:
        return
    found = compare_with_aims(results, started)
    print(format_aims(found))
    if set(results) == set(SERVERS):
        setting = {"wheels": args.wheels, "projects": args.projects, "clients": CLIENTS}
        setting |= {"seconds": args.seconds, "rounds": args.rounds}
        setting |= {"load_before_and_after": load}
        value = {"setting": setting, **results, "start_with_20000": started, "judged": found}
        record_results("registry", ("devpi-server", "pypiserver", "uvicorn", "starlette"), value)


if __name__ == "__main__":
    main()
