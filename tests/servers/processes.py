"""`twofold serve` as a process, one or several on a store, and what they serve."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from twofold.server.settings import Settings


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a condition: a request is counted and logged only after its response."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def run_server(
    data: Path, *words: str, within: Sequence[str] = (), stderr: Any = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `twofold serve`; `within` is a command that runs it."""
    command = [*within, sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
    command += ["--data", str(data), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(120)


def store_options(store: Settings) -> list[str]:
    """Return the options of `twofold serve` for a store that is not the default."""
    options = {"--database": store.database, "--objects": store.objects}
    return [word for option, value in options.items() if value for word in (option, value)]


def upload(ready: dict[str, str], token: str, wheel: Path) -> requests.Response:
    """Upload a wheel as twine does."""
    with wheel.open("rb") as file:
        return requests.post(
            f"{ready['url']}/main/legacy/",
            data={":action": "file_upload", "protocol_version": "1"},
            files={"content": (wheel.name, file)},
            auth=("__token__", token),
            timeout=120,
        )


def fetch_all_wheels(url: str) -> list[str]:
    """Fetch every listed wheel and its converted package, and return the wheels' names."""
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    names = []
    index = requests.get(f"{url}/main/simple/", headers=accept, timeout=120).json()
    for project in index["projects"]:
        base = f"{url}/main/simple/{project['name']}/"
        for file in requests.get(base, headers=accept, timeout=120).json()["files"]:
            body = requests.get(requests.compat.urljoin(base, file["url"]), timeout=120).content
            assert len(body) == file["size"]
            names.append(file["filename"])
    packages = requests.get(f"{url}/main/noarch/repodata.json", timeout=120).json()[
        "packages.conda"
    ]
    assert len(packages) == len(names)
    for name, record in packages.items():
        body = requests.get(f"{url}/main/noarch/{name}", timeout=120).content
        assert len(body) == record["size"]
    return names


PROCESSES = 2


@dataclass(frozen=True)
class Fleet:
    """Servers on one store, started at the same moment on an empty one."""

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
    """Several servers: each has its own data folder, and all have the URL of one store."""
    where = ["--database", store.database or f"sqlite:///{(tmp_path / 'db.sqlite').as_posix()}"]
    where += ["--objects", store.objects or str(tmp_path / "objects")]
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        starting = [run_server(tmp_path / f"data{n}", *where) for n in range(PROCESSES)]
        started = list(pool.map(stack.enter_context, starting))
        ready = [options for _, options in started]
        yield Fleet(
            [options["url"] for options in ready], [t["token"] for t in ready if "token" in t]
        )
