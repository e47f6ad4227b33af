"""A server that answers every connection with bytes of the test's choice."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def send(data: bytes, *, hold: threading.Event | None = None) -> Answer:
    """Read a request and send the bytes; keep the connection open until `hold` is set."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(data)
        if hold is not None:
            hold.wait(10)

    return answer


def repeat(head: bytes, block: bytes, stop: threading.Event, wait: float = 0) -> Answer:
    """Read a request, send the head, then the block again and again until `stop` is set."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(head)
        while not stop.wait(wait):
            connection.sendall(block)

    return answer


def send_over_tls(context: ssl.SSLContext, data: bytes = OK) -> Answer:
    """The same after a TLS handshake."""

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1 << 16)
            secure.sendall(data)

    return answer


@contextlib.contextmanager
def run_raw_server(answer: Answer) -> Iterator[str]:
    """Serve on a free port of the loopback interface; yields host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=respond, args=(connection,), daemon=True).start()

        def respond(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
