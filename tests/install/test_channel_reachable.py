"""A channel that answers is told from one that does not, without waiting long."""

from __future__ import annotations

import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from twofold.install.conda import is_channel_reachable


def test_a_server_that_answers_counts_even_without_the_file(tmp_path: Path) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert is_channel_reachable(f"http://127.0.0.1:{server.server_port}/channel")
        server.shutdown()


def test_a_port_nobody_listens_on_and_one_that_stays_silent_do_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/channel"
        assert not is_channel_reachable(address, timeout=0.3)
    assert not is_channel_reachable(address, timeout=0.3)
