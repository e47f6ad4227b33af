"""Connections that are kept for the next request, and METADATA read by parts of a wheel."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.servers.upstream import StaticServer
from twofold.fetching.client import Endpoint, fetch_page, fetch_range
from twofold.fetching.connections import IdleConnections
from twofold.fetching.remote_wheel import fetch_metadata


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        body = b"" if self.path == "/empty" else b"page" * 1000
        self.send_response(404 if self.path == "/absent" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.daemon_threads = True
    made.connections = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(30)


def test_requests_use_one_connection_as_long_as_the_server_keeps_it(
    server: http.server.ThreadingHTTPServer,
) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    source = Endpoint(url, internal=True, idle=IdleConnections())
    connections = server.connections  # type: ignore[attr-defined]
    for path in ("/one", "/empty", "/two", "/two"):
        assert fetch_page(source, f"{url}{path}", "*/*") is not None
    assert len(connections) == 1
    connections[0].shutdown(2)  # as servers do with idle connections
    assert fetch_page(source, f"{url}/three", "*/*") is not None
    assert len(connections) == 2
    assert fetch_page(source, f"{url}/absent", "*/*") is None
    assert fetch_page(source, f"{url}/four", "*/*") is not None
    plain = Endpoint(url, internal=True)
    for _ in range(2):
        fetch_page(plain, f"{url}/five", "*/*")
    assert len(connections) >= 4


@pytest.mark.parametrize("padding", [0, 300_000])
def test_metadata_are_read_by_parts_of_a_wheel(
    static: StaticServer, tmp_path: Path, padding: int
) -> None:
    static.serves_parts = True
    text = "x" * padding
    wheel = make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs", f"Keywords: {text}")
    static.publish(wheel)
    source = Endpoint(static.url, internal=True)
    data = fetch_metadata(source, f"{static.url}/files/{wheel.name}")
    assert data is not None and b"Requires-Dist: eggs" in data and len(data) > padding
    assert set(static.statuses) == {206}


def test_a_server_without_ranges_and_a_file_that_is_no_wheel_give_nothing(
    static: StaticServer, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    source, url = Endpoint(static.url, internal=True), f"{static.url}/files/{wheel.name}"
    assert fetch_range(source, url, 0, 10) is None
    assert fetch_metadata(source, url) is None
    static.serves_parts = True
    (static.folder / "files" / wheel.name).write_bytes(b"no zip" * 100)
    assert fetch_metadata(source, url) is None
