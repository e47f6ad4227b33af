"""The registry beside its peers: the same wheels, the same machine, the same clients.

    python benchmarks/registry.py [--wheels 1000] [--projects 200] [--seconds 5] [--only NAME ...]

Each server runs as one process. 1,000 wheels of 100 kB of 200 projects go in through the door it
has (`twine`'s form; pypiserver: a folder). Then 16 clients with a connection each ask for project
pages and for files, picked at random, for some seconds; a request that is not 200 stops the run.
Prints a table and writes benchmarks/results/registry.json.
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
from contextlib import contextmanager
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


async def read_body(reader: asyncio.StreamReader, head: bytes) -> None:
    """By its length, by chunks, or to the end of the connection."""
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if length is not None:
        await reader.readexactly(int(length[1]))
    elif re.search(rb"(?i)transfer-encoding: chunked", head):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.read()


async def ask(urls: list[str], seconds: float) -> tuple[float, float, float]:
    """(requests a second, median, 99th percentile in ms) of 16 clients on these addresses."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        pick = random.Random(number)
        parts = urlsplit(urls[0])
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
        while time.perf_counter() < end:
            path = urlsplit(pick.choice(urls)).path
            begun = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{path}: {head[:200]!r}")
            await read_body(reader, head)
            took.append(time.perf_counter() - begun)
            if re.search(rb"(?i)connection: close", head):
                writer.close()
                reader, writer = await asyncio.open_connection(
                    parts.hostname, parts.port, limit=1 << 22
                )
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    took.sort()
    rate = len(took) / seconds
    return rate, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000


def memory(pid: int) -> float:
    """Resident memory of a process and its children, in MB."""
    import psutil

    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(own.memory_info().rss for own in every) / 1e6


def measure(name: str, wheels: list[Wheel], seconds: float) -> dict[str, float]:
    import requests

    folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    try:
        with SERVERS[name](folder / "data") as server:
            session = requests.Session()
            session.trust_env = False
            uploads = [server.put(wheel) for wheel in wheels]
            pages = [server.page(wheel.name) for wheel in wheels]
            files = []
            for page in sorted(set(pages)):
                text = session.get(page, timeout=60).text
                links = re.findall(r'href="([^"#]+\.whl)', text)
                files += [urljoin(page, link) for link in links]
            if len(files) != len(wheels):
                raise SystemExit(f"{name} lists {len(files)} of {len(wheels)} files")
            page_rate, page_median, page_p99 = asyncio.run(ask(pages, seconds))
            file_rate, file_median, file_p99 = asyncio.run(ask(files, seconds))
            return {
                "page_rps": round(page_rate),
                "page_median_ms": round(page_median, 2),
                "page_p99_ms": round(page_p99, 2),
                "file_rps": round(file_rate),
                "file_median_ms": round(file_median, 2),
                "file_p99_ms": round(file_p99, 2),
                "upload_median_ms": round(statistics.median(uploads) * 1000, 1),
                "upload_p99_ms": round(sorted(uploads)[int(len(uploads) * 0.99)] * 1000, 1),
                "memory_mb": round(memory(server.pid)),
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--wheels", type=int, default=1000)
    options.add_argument("--projects", type=int, default=200)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--only", action="append", choices=sorted(SERVERS))
    told = options.parse_args()
    wheels = [
        make_wheel(f"project{n % told.projects}", f"1.{n // told.projects}")
        for n in range(told.wheels)
    ]
    results = {}
    for name in told.only or SERVERS:
        results[name] = measure(name, wheels, told.seconds)
        print(name, json.dumps(results[name]), flush=True)
    if set(results) == set(SERVERS):
        RESULTS.parent.mkdir(exist_ok=True)
        setting = {"wheels": told.wheels, "projects": told.projects, "clients": CLIENTS}
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        value = {"setting": {**setting, "cores": os.cpu_count(), "load": load}, **results}
        RESULTS.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
