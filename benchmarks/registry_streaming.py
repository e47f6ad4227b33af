"""How long the first byte and the whole of a file take that the channel has to fetch.

    python benchmarks/registry_streaming.py [--runs 9] [--sizes 300 192000] [--delays 0 20 50 100]

An index on loopback, a process of its own, answers each request after a delay. Its projects have a
wheel for each run, so that the channel lacks every one of them; half of their bytes are random. In
turn a client reads a wheel through `twofold serve` and from the index itself, each over a new
connection; between the runs the server converts what it fetched. Sizes are kilobytes, delays and
times milliseconds, times medians. Takes some four minutes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import http.server
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urljoin

from measure import record_results

from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.proxy import config
from twofold.server.settings import Settings

JSON_MEDIA = "application/vnd.pypi.simple.v1+json"


class Wheels:
    """Wheels of one project that share all but their last bytes: many large ones fit in memory."""

    def __init__(self, name: str, kilobytes: int, count: int) -> None:
        noise = os.urandom(kilobytes * 500)
        data = noise + bytes(len(noise))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{name}/data.bin", data)
            start = packed.tell()
        self.shared = packed.getvalue()[:start]
        hashed = hashlib.sha256(self.shared)
        listed = _make_row(f"{name}/data.bin", data)
        self.name = name
        self.ends: dict[str, bytes] = {}
        self.entries: list[dict[str, object]] = []
        for number in range(count):
            filename = f"{name}-1.{number}-py3-none-any.whl"
            end = self.ends[filename] = _make_end(packed, start, (name, number, listed))
            whole = hashed.copy()
            whole.update(end)
            self.entries.append(
                {
                    "filename": filename,
                    "url": f"/files/{filename}",
                    "hashes": {"sha256": whole.hexdigest()},
                }
            )

    def make_page(self) -> bytes:
        value = {"meta": {"api-version": "1.0"}, "name": self.name, "files": self.entries}
        return json.dumps(value).encode()


def _make_end(base: io.BytesIO, start: int, what: tuple[str, int, str]) -> bytes:
    """Return what follows the data of a wheel: its metadata and the central directory."""
    name, number, listed = what
    info = f"{name}-1.{number}.dist-info"
    packed = io.BytesIO(base.getvalue())
    with zipfile.ZipFile(packed, "a") as archive:
        texts = {
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}\n",
        }
        rows = [_make_row(f"{info}/{one}", text.encode()) for one, text in texts.items()]
        texts["RECORD"] = "".join([listed, *rows, f"{info}/RECORD,,\n"])
        for entry, text in texts.items():
            archive.writestr(f"{info}/{entry}", text)
    return packed.getvalue()[start:]


def _make_row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


class _Index(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wheels: ClassVar[dict[str, Wheels]] = {}
    delay = 0.0

    def do_GET(self) -> None:
        time.sleep(_Index.delay)
        _, kind, name = self.path.rstrip("/").split("/")
        if kind == "delay":
            _Index.delay = int(name) / 1000
            parts, media = [b"{}"], "application/json"
        elif kind == "simple":
            parts, media = [_Index.wheels[name].make_page()], JSON_MEDIA
        else:
            found = _Index.wheels[name.partition("-")[0]]
            parts, media = [found.shared, found.ends[name]], "application/octet-stream"
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve_index(sizes: list[int], count: int) -> None:
    _Index.wheels = {f"s{size}": Wheels(f"s{size}", size, count) for size in sizes}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    print(server.server_address[1], flush=True)
    server.serve_forever()


@contextmanager
def run(command: list[str], stderr: object = None) -> Iterator[str]:
    """Run a server as a process, and yield the line that it prints first."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)  # type: ignore[call-overload]
    try:
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def read(port: int, path: str) -> tuple[float, float]:
    """Read a file; return milliseconds to its first byte and to its last one."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.connect()
    begun = time.perf_counter()
    client.request("GET", path)
    answer = client.getresponse()
    answer.read(1)
    first = time.perf_counter() - begun
    while answer.read(1 << 20):
        pass
    whole = time.perf_counter() - begun
    if answer.status != 200 or answer.length:
        raise SystemExit(f"{path}: {answer.status}, {answer.length} bytes are missing")
    client.close()
    return first * 1000, whole * 1000


def read_links(port: int, project: str) -> list[str]:
    """Return the paths of the wheels on the channel's page."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    path = f"/main/simple/{project}/"
    client.request("GET", path, headers={"Accept": JSON_MEDIA})
    page = json.load(client.getresponse())
    client.close()
    return [urljoin(path, file["url"]) for file in page["files"]]


def count_converted(port: int) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", "/main/noarch/repodata.json")
    found = json.load(client.getresponse())
    client.close()
    return len(found["packages.conda"])


def measure(
    ports: tuple[int, int], size: int, delays: list[int], runs: int
) -> list[dict[str, Any]]:
    ours, index = ports
    links = iter(read_links(ours, f"s{size}"))
    done, rows = count_converted(ours), []
    for delay in delays:
        read(index, f"/delay/{delay}")
        times: dict[str, list[tuple[float, float]]] = {"channel": [], "index": []}
        for number in range(runs + 1):
            link = next(links)
            one = {
                "channel": read(ours, link),
                "index": read(index, f"/files/{link.rpartition('/')[2]}"),
            }
            if number:
                for name, found in one.items():
                    times[name].append(found)
            done += 1
            while count_converted(ours) < done:
                time.sleep(0.2)
            time.sleep(0.3)
        row: dict[str, Any] = {"kilobytes": size, "delay_ms": delay}
        for name, every in times.items():
            row[f"{name}_first_ms"] = round(statistics.median(one[0] for one in every), 1)
            row[f"{name}_whole_ms"] = round(statistics.median(one[1] for one in every), 1)
        row["ratio"] = round(row["channel_first_ms"] / row["index_first_ms"], 2)
        row["load"] = round(os.getloadavg()[0], 1)
        print(row, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--sizes", type=int, nargs="+", default=[300, 192_000])
    options.add_argument("--delays", type=int, nargs="+", default=[0, 20, 50, 100])
    options.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.serve:
        serve_index(args.sizes, args.serve)
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-streaming-"))
    count = len(args.delays) * (args.runs + 1)
    sizes = [str(size) for size in args.sizes]
    command = [sys.executable, __file__, "--serve", str(count), "--sizes", *sizes]
    try:
        with run(command) as line:
            index = int(line)
            registry = open_registry(Settings(folder / "data"))
            accounts.bootstrap_owner(registry)
            url = f"http://127.0.0.1:{index}/simple"
            config.add(registry, "owner", "main", config.UpstreamConfig(url, "pypi"))
            registry.database.close()
            words = ["serve", "--port", "0", "--json", "--data", str(folder / "data")]
            with run([sys.executable, "-m", "twofold", *words], None) as ready:
                ours = int(json.loads(ready)["url"].rpartition(":")[2])
                rows = [
                    row
                    for size in args.sizes
                    for row in measure((ours, index), size, args.delays, args.runs)
                ]
        record_results("registry-streaming", ("starlette", "uvicorn"), {"rows": rows})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
