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
import base64
import hashlib
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

CLIENTS = 16
RESULTS = Path(__file__).parent / "results" / "registry.json"


@dataclass(frozen=True)
class Wheel:
    name: str
    version: str
    data: bytes

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-py3-none-any.whl"


def make_wheel(name: str, version: str, size: int = 100_000) -> Wheel:
    """A sound pure wheel of about `size` bytes that does not compress."""
    info = f"{name}-{version}.dist-info"
    noise = random.Random(f"{name}{version}").randbytes(size * 3 // 4)
    members = {
        f"{name}/__init__.py": b'DATA = "' + base64.b85encode(noise).replace(b"\\", b"/") + b'"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        + b"Summary: made for a benchmark\nRequires-Python: >=3.8\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    lines = []
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    members[f"{info}/RECORD"] = ("".join(lines) + f"{info}/RECORD,,\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data, 8)
    return Wheel(name, version, out.getvalue())


@dataclass
class Server:
    """A running server: where its pages are, how a wheel goes in (seconds it took)."""

    page: Callable[[str], str]
    put: Callable[[Wheel], float]
    pid: int


def form(wheel: Wheel) -> tuple[bytes, str]:
    """twine's upload form."""
    digest = hashlib.sha256(wheel.data).hexdigest()
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": wheel.name,
        "version": wheel.version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "sha256_digest": digest,
        "md5_digest": hashlib.md5(wheel.data).hexdigest(),
    }
    mark = "----benchmark"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="content"; '
    head += f'filename="{wheel.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    body = b"".join([*parts, head.encode(), wheel.data, f"\r\n--{mark}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={mark}"


def poster(url: str, user: str, password: str) -> Callable[[Wheel], float]:
    import requests

    session = requests.Session()
    session.trust_env = False

    def put(wheel: Wheel) -> float:
        body, kind = form(wheel)
        begun = time.perf_counter()
        answer = session.post(
            url, data=body, headers={"Content-Type": kind}, auth=(user, password), timeout=60
        )
        seconds = time.perf_counter() - begun
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code} {answer.text[:300]}")
        return seconds

    return put


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    import requests

    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server for {url} ended")
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"no answer at {url}")


@contextmanager
def running(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def twofold(folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
    command += ["--data", str(folder)]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        base = f"{ready['url']}/main"
        put = poster(f"{base}/legacy/", "__token__", ready["token"])
        yield Server(lambda name: f"{base}/simple/{name}/", put, process.pid)


@contextmanager
def devpi(folder: Path) -> Iterator[Server]:
    port = free_port()
    tools = Path(sys.executable).parent
    subprocess.run(
        [tools / "devpi-init", "--serverdir", folder, "--no-root-pypi"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    command = [str(tools / "devpi-server"), "--serverdir", str(folder), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, **quiet) as process:
        import requests

        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/+api", process)
        login = requests.post(f"{base}/+login", json={"user": "root", "password": ""}, timeout=20)
        secret = login.json()["result"]["password"]
        token = base64.b64encode(f"root:{secret}".encode()).decode()
        requests.put(
            f"{base}/root/bench",
            json={"bases": [], "volatile": True, "type": "stage"},
            headers={"X-Devpi-Auth": token},
            timeout=20,
        ).raise_for_status()
        put = poster(f"{base}/root/bench/", "root", secret)
        yield Server(lambda name: f"{base}/root/bench/+simple/{name}/", put, process.pid)


@contextmanager
def pypiserver(folder: Path) -> Iterator[Server]:
    port = free_port()
    folder.mkdir(parents=True)
    command = [str(Path(sys.executable).parent / "pypi-server"), "run", "-p", str(port), "-i"]
    command += ["127.0.0.1", "-P", ".", "-a", ".", "--server", "auto", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, **quiet) as process:
        base = f"http://127.0.0.1:{port}"
        wait_for(base, process)
        put = poster(f"{base}/", "", "")
        yield Server(lambda name: f"{base}/simple/{name}/", put, process.pid)


SERVERS = {"twofold": twofold, "devpi": devpi, "pypiserver": pypiserver}


class Client(asyncio.BufferedProtocol):
    """One connection that asks and asks again; it counts the bytes of a body and keeps none.

    Bodies end by their length, by the last chunk, or with the connection, which is then made anew.
    """

    def __init__(self, paths: list[str], number: int, end: float) -> None:
        self.paths = paths
        self.pick = random.Random(number)
        self.end = end
        self.took: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self.closed = asyncio.get_running_loop().create_future()
        self.buffer = bytearray(1 << 18)
        self.path = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.closed = asyncio.get_running_loop().create_future()
        self._ask()

    def _ask(self) -> None:
        if time.perf_counter() >= self.end:
            if not self.done.done():
                self.done.set_result(None)
            self.transport.close()
            return
        self.path = self.pick.choice(self.paths)
        self.head, self.left, self.chunked, self.closes = b"", None, False, False
        self.begun = time.perf_counter()
        head = f"GET {self.path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
        self.transport.write(head.encode())  # type: ignore[attr-defined]

    def get_buffer(self, _hint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        if self.left is None and not self.chunked and not self.closes:
            self.head += bytes(self.buffer[:count])
            at = self.head.find(b"\r\n\r\n")
            if at < 0:
                return
            if not self.head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(SystemExit(f"{self.path}: {self.head[:200]!r}"))
                return
            head, count = self.head[:at], len(self.head) - at - 4
            last = self.head[-5:]
            length = re.search(rb"(?i)content-length: (\d+)", head)
            self.chunked = re.search(rb"(?i)transfer-encoding: chunked", head) is not None
            self.closes = re.search(rb"(?i)connection: close", head) is not None
            if length is not None:
                self.left = int(length[1])
        else:
            last = bytes(self.buffer[max(0, count - 5) : count])
        if self.left is not None:
            self.left -= count
        if self.left == 0 or (self.chunked and last == b"0\r\n\r\n"):
            self._answered()

    def _answered(self) -> None:
        self.took.append(time.perf_counter() - self.begun)
        if self.closes:
            self.transport.close()
        else:
            self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.closes and self.left is None:
            self.took.append(time.perf_counter() - self.begun)
        if not self.closed.done():
            self.closed.set_result(None)


async def ask(urls: list[str], seconds: float) -> tuple[float, float, float]:
    """(requests a second, median, 99th percentile in ms) of 16 clients on these addresses."""
    end = time.perf_counter() + seconds
    parts = urlsplit(urls[0])
    paths = [urlsplit(url).path for url in urls]
    loop = asyncio.get_running_loop()

    async def stay(client: Client) -> None:
        while not client.done.done():
            await loop.create_connection(lambda: client, parts.hostname, parts.port)
            await asyncio.wait([client.done, client.closed], return_when="FIRST_COMPLETED")
        client.done.result()

    clients = [Client(paths, number, end) for number in range(CLIENTS)]
    await asyncio.gather(*(stay(client) for client in clients))
    took = sorted(one for client in clients for one in client.took)
    rate = len(took) / seconds
    return rate, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000


def memory(pid: int) -> float:
    """Resident memory of a process and its children, in MB."""
    import psutil

    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(own.memory_info().rss for own in every) / 1e6


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


def filled(name: str, server: Server, wheels: list[Wheel]) -> Contender:
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


def read(contender: Contender, seconds: float) -> None:
    """One round."""
    page_rate, page_median, page_p99 = asyncio.run(ask(contender.pages, seconds))
    file_rate, file_median, file_p99 = asyncio.run(ask(contender.files, seconds))
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


def summary(contender: Contender) -> dict[str, float]:
    keys = contender.rounds[0]
    found = {key: statistics.median(one[key] for one in contender.rounds) for key in keys}
    uploads = sorted(contender.uploads)
    found["upload_median_ms"] = statistics.median(uploads) * 1000
    found["upload_p99_ms"] = uploads[int(len(uploads) * 0.99)] * 1000
    found["memory_mb"] = memory(contender.server.pid)
    return {key: round(value, 2) for key, value in found.items()}


def start_with(count: int) -> dict[str, float]:
    """Seconds until `twofold serve` takes connections on a store of so many files, and its memory
    after pages of both worlds were read.
    """
    import requests
    from registry_growth import fill

    from twofold.server.app import open_registry
    from twofold.server.registry import people
    from twofold.server.settings import Settings

    folder = Path(tempfile.mkdtemp(prefix="bench-start-"))
    try:
        registry = open_registry(Settings(folder))
        people.first_start(registry)
        fill(registry, count)
        registry.database.close()
        took, used = [], 0.0
        command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
        command += ["--data", str(folder)]
        for _ in range(5):
            begun = time.perf_counter()
            quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            with running(command, **quiet) as process:
                assert process.stdout is not None
                url = json.loads(process.stdout.readline())["url"]
                took.append(time.perf_counter() - begun)
                for page in (
                    "simple/",
                    "noarch/repodata.json",
                    "noarch/repodata_shards.msgpack.zst",
                ):
                    requests.get(f"{url}/main/{page}", timeout=60).raise_for_status()
                used = max(used, memory(process.pid))
        return {"seconds": round(statistics.median(took), 2), "memory_mb": round(used)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judged(results: dict[str, dict[str, float]], started: dict[str, float]) -> dict[str, float]:
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


def table(results: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(results.values())))
    lines = ["| server | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for server, row in results.items():
        lines.append(f"| {server} | " + " | ".join(f"{row[name]:g}" for name in names) + " |")
    return "\n".join(lines)


def table_of_aims(found: dict[str, float]) -> str:
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
    told = options.parse_args()
    wheels = [
        make_wheel(f"project{n % told.projects}", f"1.{n // told.projects}")
        for n in range(told.wheels)
    ]
    load = [os.getloadavg()[0]] if hasattr(os, "getloadavg") else []
    names = told.only or list(SERVERS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-registry-")))
        contenders = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](folder / name))
            contenders[name] = filled(name, server, wheels)
        for _ in range(told.rounds):
            for contender in contenders.values():
                read(contender, told.seconds)
        results = {name: summary(contender) for name, contender in contenders.items()}
    print(table(results), flush=True)
    started = start_with(20_000)
    print(f"\nstart with 20,000 files: {json.dumps(started)}\n")
    load += [os.getloadavg()[0]] if load else []
    if "devpi" not in results or "twofold" not in results:
        return
    found = judged(results, started)
    print(table_of_aims(found))
    if set(results) == set(SERVERS):
        RESULTS.parent.mkdir(exist_ok=True)
        setting = {"wheels": told.wheels, "projects": told.projects, "clients": CLIENTS}
        setting |= {"seconds": told.seconds, "rounds": told.rounds}
        setting |= {"cores": os.cpu_count(), "load_before_and_after": load}
        value = {"setting": setting, **results, "start_with_20000": started, "judged": found}
        RESULTS.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
