"""Clients that ask one server as fast as it answers, a connection each."""

from __future__ import annotations

import asyncio
import random
import re
import time
from urllib.parse import urlsplit

CLIENTS = 16


class Client(asyncio.BufferedProtocol):
    """One connection that asks and asks again; it counts the bytes of a body and keeps none.

    Bodies end by their length, by the last chunk, or with the connection, which is then made anew.
    """

    def __init__(
        self, paths: list[str], number: int, end: float, headers: str = "", expected: int = 200
    ) -> None:
        self.paths = paths
        self.headers = headers
        self.expected = f"HTTP/1.1 {expected}".encode()
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
        head = f"GET {self.path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n{self.headers}\r\n"
        self.transport.write(head.encode())  # type: ignore[attr-defined]

    def get_buffer(self, _hint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        if self.left is None and not self.chunked and not self.closes:
            self.head += bytes(self.buffer[:count])
            at = self.head.find(b"\r\n\r\n")
            if at < 0:
                return
            if not self.head.startswith(self.expected):
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


async def run_clients(
    urls: list[str], seconds: float, headers: str = "", expected: int = 200
) -> tuple[float, float, float]:
    """(requests a second, median, 99th percentile in ms) of 16 clients on these addresses.

    `headers` are lines that each end with CRLF; `expected` is the status of every response.
    """
    end = time.perf_counter() + seconds
    parts = urlsplit(urls[0])
    paths = [urlsplit(url).path for url in urls]
    loop = asyncio.get_running_loop()

    async def stay(client: Client) -> None:
        while not client.done.done():
            await loop.create_connection(lambda: client, parts.hostname, parts.port)
            await asyncio.wait([client.done, client.closed], return_when="FIRST_COMPLETED")
        client.done.result()

    clients = [Client(paths, number, end, headers, expected) for number in range(CLIENTS)]
    await asyncio.gather(*(stay(client) for client in clients))
    took = sorted(one for client in clients for one in client.took)
    rate = len(took) / seconds
    return rate, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
