"""Static simple indexes on loopback."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_request(self, *_: object) -> None:
        return None


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serves a folder of wheels as `<address>/simple/NAME/`; returns the address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        for wheel in folder.glob("*.whl"):
            name = wheel.name.partition("-")[0].replace("_", "-")
            page = folder / "simple" / name / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            text = page.read_text() if page.exists() else ""
            page.write_text(f'{text}<a href="../../{wheel.name}">{wheel.name}</a>\n')
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
