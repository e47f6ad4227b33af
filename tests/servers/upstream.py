"""A second registry on loopback, and a static server with faults, as upstreams of the first."""

from __future__ import annotations

import functools
import hashlib
import http.server
import itertools
import os
import threading
import time
import zipfile
from pathlib import Path

from tests.server.conftest import Place, new_place
from twofold.server.proxy import config
from twofold.server.settings import Settings


def second_registry(tmp_path: Path) -> Place:
    return new_place(Settings(tmp_path / "upstream-registry"))


def add_upstream(place: Place, url: str, kind: str = "pypi", *prefixes: str) -> None:
    """Put `main` of a place in front of an address."""
    config.add(place.registry, "owner", "main", config.UpstreamConfig(url, kind, prefixes))


class StaticServer:
    """`python -m http.server` over a folder, with faults to order.

    `fault` is None, a status to answer with, 'silent' (no answer), 'hangs up', 'cut' (half
    a body) or ('redirect', address). `requested` are the paths of all requests, `statuses` those of
    the answers. `login` is the required Authorization; `token` must begin every path. `gate` holds
    the second half of a file back until it is set. `serves_parts`: it answers a Range (206).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault: object = None
        self.requested: list[str] = []
        self.statuses: list[int] = []
        self.login = ""
        self.token = ""
        self.gate: threading.Event | None = None
        self.serves_parts = False
        folder.mkdir(parents=True, exist_ok=True)
        handler = functools.partial(_Handler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.static = self  # type: ignore[attr-defined]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)

    def publish(
        self, *paths: Path, sha256: str | None = None, url: str = "", with_metadata: bool = False
    ) -> None:
        """Put files on the pages of their projects (PEP 503, HTML), wheels with METADATA (658)."""
        for path in paths:
            key = path.name.split("-")[0].replace("_", "-").lower()
            (self.folder / "files").mkdir(exist_ok=True)
            data = path.read_bytes()
            (self.folder / "files" / path.name).write_bytes(data)
            digest = sha256 or hashlib.sha256(data).hexdigest()
            page = self.folder / "simple" / key / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            before = page.read_text() if page.exists() else ""
            address = url or f"../../files/{path.name}"
            more = self._publish_metadata(path) if with_metadata and path.suffix == ".whl" else ""
            page.write_text(f'{before}<a href="{address}#sha256={digest}"{more}>{path.name}</a>\n')
            set_old_time(page)

    def _publish_metadata(self, wheel: Path) -> str:
        """Put a wheel's METADATA beside it; return the attribute of its link."""
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
            data = archive.read(name)
        (self.folder / "files" / f"{wheel.name}.metadata").write_bytes(data)
        return f' data-core-metadata="sha256={hashlib.sha256(data).hexdigest()}"'


_TIMES = itertools.count(1_600_000_000)


def set_old_time(path: Path) -> None:
    """Old, and a second newer than the file before: `http.server` tells changes by that."""
    at = next(_TIMES)
    os.utime(path, (at, at))


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        static: StaticServer = self.server.static  # type: ignore[attr-defined]
        static.requested.append(self.path)
        fault = static.fault
        if static.login and self.headers.get("Authorization") != static.login:
            fault = 401
        if static.token and not self.path.startswith(f"/t/{static.token}/"):
            fault = 403
        self.path = self.path.removeprefix(f"/t/{static.token}")
        if isinstance(fault, int):
            self.send_error(fault)
        elif fault == "silent":
            time.sleep(2)
        elif fault == "hangs up":
            self.close_connection = True
        elif isinstance(fault, tuple):
            self.send_response(302)
            self.send_header("Location", str(fault[1]))
            self.end_headers()
        elif fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"half")
        elif static.gate is not None and self.path.startswith("/files/"):
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            assert static.gate.wait(60)
            self.wfile.write(data[len(data) // 2 :])
        elif static.serves_parts and self.headers.get("Range"):
            data = Path(self.translate_path(self.path)).read_bytes()
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(data) - int(last))
            part = data[start : int(last) + 1 if first and last else len(data)]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)
        else:
            super().do_GET()

    def send_response(self, code: int, message: str | None = None) -> None:
        self.server.static.statuses.append(code)  # type: ignore[attr-defined]
        super().send_response(code, message)

    def log_message(self, format: str, *args: object) -> None:
        pass
