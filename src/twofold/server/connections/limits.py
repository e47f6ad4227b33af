"""How many connections there may be, of one client and in all, and what makes room for one more."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

from twofold.errors import TwofoldError
from twofold.server.client_address import one_client
from twofold.server.connections.slow_readers import SlowReaders

#: The most connections: half of the files that the process may open, or this where that is unknown.
DEFAULT_CONNECTIONS = 500


class Connection(Protocol):
    """What is counted: `address` is its client's, '' where that is unknown."""

    address: str

    def give_way(self) -> None:
        """Close the connection, which waits for a request, for another one."""


@dataclass
class ConnectionLimits:
    """The limits of one server, and its connections.

    `max_head` is the size of a request line with its headers (bytes), `head_timeout` the time until
    they are complete (seconds). When there are too many connections, the oldest that waits for a
    request makes room; without one, the new connection is refused. A network of IPv6 addresses
    counts as one. `exempt` are addresses of proxies, from which everybody's requests come.
    """

    max_head: int = 64 << 10
    head_timeout: float = 30.0
    per_address: int = 256
    total: int = DEFAULT_CONNECTIONS
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()
    slow_readers: SlowReaders = field(default_factory=SlowReaders)
    _by_client: Counter[str] = field(default_factory=Counter)
    _waiting: dict[Connection, None] = field(default_factory=dict)

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; False when it has to be refused."""
        address = connection.address
        client = one_client(address)
        full = self._by_client.total() >= self.total
        full_here = self._by_client[client] >= self.per_address and not self._is_exempt(address)
        self._by_client[client] += 1
        if not (full or full_here):
            return True
        rivals = (one for one in self._waiting if full or one_client(one.address) == client)
        oldest = next(rivals, None)
        if oldest is not None:
            self._waiting.pop(oldest)  # its end comes later, and the next one needs another's place
            oldest.give_way()
        return oldest is not None

    def _is_exempt(self, address: str) -> bool:
        return bool(address) and any(ip_address(address) in one for one in self.exempt)

    def forget(self, connection: Connection) -> None:
        """Stop counting a connection that was closed."""
        client = one_client(connection.address)
        self._by_client[client] -= 1
        if self._by_client[client] <= 0:
            del self._by_client[client]
        self._waiting.pop(connection, None)

    def set_waiting(self, connection: Connection, waits: bool) -> None:
        """Record whether a connection waits for a request."""
        self._waiting.pop(connection, None)
        if waits:
            self._waiting[connection] = None


def parse_proxies(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse addresses and networks of proxies; `*` is every one. Raises TwofoldError."""
    try:
        named = [text.strip() for text in texts]
        every = ["0.0.0.0/0", "::/0"] if "*" in named else named
        return tuple(ip_network(text, strict=False) for text in every)
    except ValueError as error:
        raise TwofoldError(str(error), "give an address or a network, as 10.0.0.0/8") from error


def raise_file_limit() -> int:
    """Raise the limit of open files as far as allowed; return how many connections fit."""
    if sys.platform == "win32":
        return DEFAULT_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return DEFAULT_CONNECTIONS if soft == resource.RLIM_INFINITY else max(8, soft // 2)
