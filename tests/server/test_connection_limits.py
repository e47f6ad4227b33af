"""What one client may take of the server before, and without, a request."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from tests.factories.packages import make_wheel, sha256_of
from tests.server.conftest import Place, serve
from twofold.server.client_address import one_client, plain_address
from twofold.server.connections.http_protocol import MAX_PIPELINED
from twofold.server.connections.limits import ConnectionLimits, parse_proxies


def fetch_status(url: str, bundle: Path) -> int:
    """A response that is kept keeps the connection, and TLS waits half a minute for its end."""
    return requests.get(url, verify=str(bundle), timeout=20).status_code


@contextmanager
def connect(place: Place) -> Iterator[socket.socket]:
    where = urlsplit(place.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as client:
        yield client


def read_answer(client: socket.socket) -> bytes:
    answer = b""
    try:
        while block := client.recv(65536):
            answer += block
    except ConnectionError:
        return answer
    return answer


def send_until_refused(client: socket.socket, start: bytes, block: bytes, most: int) -> bytes:
    client.sendall(start)
    client.setblocking(False)
    sent = 0
    while sent < most:
        try:
            sent += client.send(block)
        except BlockingIOError:
            time.sleep(0.01)
        except ConnectionError:
            break
    client.settimeout(20)
    assert sent < most, "the server took everything"
    return read_answer(client)


ENDLESS = {
    "headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-Filler: " + b"a" * 1000 + b"\r\n"),
    "one header": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Filler: ", b"a" * 4096),
    "a header's name": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a" * 4096),
    "the request line": (b"GET /", b"a" * 4096),
    "a chunk's extension": (
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=",
        b"a" * 4096,
    ),
    "a trailer": (
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\na\r\n0\r\nX-Filler: ",
        b"a" * 4096,
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_no_endless_part_of_a_request_is_kept(served: Place, name: str) -> None:
    start, block = ENDLESS[name]
    with connect(served) as client:
        send_until_refused(client, start, block, 32 << 20)
    assert served.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 40_000 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 60_000 + b"\r\n\r\n", b"200"),
    ],
)
def test_a_head_that_is_too_large_is_refused(served: Place, head: bytes, status: bytes) -> None:
    with connect(served) as client:
        client.sendall(head)
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]


@pytest.fixture
def hasty(place: Place) -> Iterator[Place]:
    """A server with a short time for a head."""
    place.settings = replace(place.settings, head_timeout=0.4)
    with serve(place):
        yield place


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"GET / HTTP/1.1\r\nX-a: ", b"HTTP/1.1 408"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-a: ", b"HTTP/1.1 200"),
    ],
)
def test_a_connection_without_a_whole_head_is_closed(
    hasty: Place, start: bytes, status: bytes
) -> None:
    begun = time.monotonic()
    with connect(hasty) as client:
        client.sendall(start)
        for _ in range(20):
            time.sleep(0.1)
            try:
                client.sendall(b"a" if b"X-a" in start else b"\r\n" if start else b"")
            except ConnectionError:
                break
        assert read_answer(client).startswith(status)
    assert time.monotonic() - begun < 15


def test_a_request_that_takes_its_time_after_the_head_is_not_cut_off(hasty: Place) -> None:
    head = b"POST /_/oidc/mint-token HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    with connect(hasty) as client:
        client.sendall(head)
        time.sleep(1.0)
        client.sendall(b"{}")
        assert client.recv(100).startswith(b"HTTP/1.1 422")


def test_connections_without_a_request_make_room_for_others(place: Place) -> None:
    place.settings = replace(place.settings, connections_per_address=8, trusted_proxies=())
    with serve(place), ExitStack() as stack:
        waiting = [stack.enter_context(connect(place)) for _ in range(20)]
        for client in waiting[10:]:
            client.sendall(b"GET / HTTP/1.1\r\nX-a: ")
        assert place.get("/healthz").status_code == 200
        waiting[0].settimeout(10)
        assert read_answer(waiting[0]) == b""


def test_connections_without_a_handshake_make_room_for_others(place: Place, tmp_path: Path) -> None:
    authority, pem, bundle = trustme.CA(), tmp_path / "own.pem", tmp_path / "ca.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(bundle))
    place.settings = replace(
        place.settings, connections_per_address=8, trusted_proxies=(), tls_certificate=pem
    )
    with serve(place), ExitStack() as stack:
        waiting = [stack.enter_context(connect(place)) for _ in range(20)]
        for client in waiting[10:]:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        for _ in range(3):
            assert fetch_status(f"{place.url}/healthz", bundle) == 200
        waiting[0].settimeout(10)
        assert read_answer(waiting[0]) == b""


@pytest.mark.parametrize(
    ("address", "plain", "client"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::/64"),
        ("", "", ""),
    ],
)
def test_a_network_of_ipv6_addresses_is_one_client(address: str, plain: str, client: str) -> None:
    assert (plain_address(address), one_client(address)) == (plain, client)


def test_busy_connections_stay_and_one_more_is_refused(place: Place) -> None:
    place.settings = replace(place.settings, connections_per_address=3, trusted_proxies=())
    head = b"POST /_/oidc/mint-token HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    with serve(place), ExitStack() as stack:
        busy = [stack.enter_context(connect(place)) for _ in range(3)]
        for client in busy:
            client.sendall(head)
        time.sleep(0.3)
        with connect(place) as one_more:
            assert read_answer(one_more).startswith(b"HTTP/1.1 503 There are too many connections")
        for client in busy:
            client.sendall(b"{}")
            assert client.recv(100).startswith(b"HTTP/1.1 422")


def test_proxies_may_open_any_number_of_connections(place: Place) -> None:
    place.settings = replace(place.settings, connections_per_address=2)
    with serve(place), ExitStack() as stack:
        clients = [stack.enter_context(connect(place)) for _ in range(6)]
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_networks_of_proxies_are_read() -> None:
    limits = ConnectionLimits(exempt=parse_proxies(["10.0.0.0/8", "::1"]))
    assert limits.exempt[0].num_addresses == 1 << 24
    assert len(parse_proxies(["*"])) == 2


def test_files_are_served_byte_for_byte_whatever_they_hold(served: Place, tmp_path: Path) -> None:
    """A block that looks like the head of a refusal, at the beginning of what is sent at once."""
    evil = b"HTTP/1.1 404 Not Found\r\nx-reason: this line stays\r\n\r\n"
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with zipfile.ZipFile(wheel, "a") as archive:
        record = next(name for name in archive.namelist() if name.endswith("RECORD"))
        rows = archive.read(record).decode()
    padded = tmp_path / "padded" / wheel.name
    padded.parent.mkdir()
    content = evil * 30_000
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(padded, "w") as new:
        for info in old.infolist():
            if info.filename != record:
                new.writestr(info, old.read(info))
        new.writestr("my_package/evil.bin", content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        new.writestr(record, f"{rows}my_package/evil.bin,sha256={digest},{len(content)}\n")
    done = served.publish(padded)
    stored = padded.read_bytes()
    url = f"{served.channel}/files/{sha256_of(padded)}/{wheel.name}"
    assert done.is_new and requests.get(url, timeout=20).content == stored
    offset = stored.index(evil)
    for start in (offset, offset + len(evil) * 7):
        headers = {"Range": f"bytes={start}-{start + 4096}"}
        part = requests.get(url, headers=headers, timeout=20)
        assert (part.status_code, part.content) == (206, stored[start : start + 4097])


PAGE = b"GET /main/simple/ HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("count", [MAX_PIPELINED, 5000])
def test_some_requests_may_come_before_their_responses_and_then_the_connection_ends(
    served: Place, count: int
) -> None:
    last = PAGE.replace(b"Host", b"Connection: close\r\nHost")
    with connect(served) as client:
        client.sendall(PAGE * count + last)
        answer = read_answer(client)
    assert answer.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1
    assert answer.count(b"</html>") == MAX_PIPELINED + 1 and answer.endswith(b"</html>\n")


def test_the_body_of_a_request_that_is_not_taken_reaches_no_other_one(served: Place) -> None:
    post = b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with connect(served) as client:
        client.sendall(PAGE * MAX_PIPELINED + post * 200)
        answer = read_answer(client)
    assert answer.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED
    assert answer.count(b"HTTP/1.1 401 ") == 1


def test_a_client_that_sends_requests_and_reads_nothing_takes_no_memory(served: Place) -> None:
    """Ten megabytes of requests made some 300,000 of them wait, in a gigabyte."""
    with ExitStack() as stack:
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        for _ in range(3):
            client = stack.enter_context(connect(served))
            client.settimeout(0.1)
            with suppress(OSError):
                for _ in range(100):
                    client.sendall(PAGE * 1000)
        assert requests.get(f"{served.url}/healthz", timeout=20).status_code == 200
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
