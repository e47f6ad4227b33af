"""What a server can do wrong on the wire: the message names what happened, and holds no secret."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.raw_server import OK, repeat, run_raw_server, send
from twofold.errors import Refused, TwofoldError, Unreachable
from twofold.publish.addresses import Secret
from twofold.publish.http import HeaderAuth, HttpClient
from twofold.publish.responses import RetryPolicy, TransientError
from twofold.publish.targets.lookup import fetch_page

SECRET = "token-1f7e"
HASTY = RetryPolicy(attempts=1, connect=2, read=0.3, total=0.1, slowest=1 << 30)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends the servers that would send for ever."""
    event = threading.Event()
    yield event
    event.set()


def get(url: str, policy: RetryPolicy = HASTY) -> str:
    """The message of the error that a request and a fetch of a file both end with."""
    messages = []
    for verb in ("get", "fetch_sha256"):
        client = HttpClient(policy, secrets=[Secret(SECRET)])
        auth = HeaderAuth("Authorization", f"Bearer {SECRET}")
        with pytest.raises(TwofoldError) as caught:
            client.get(url, auth) if verb == "get" else client.fetch_sha256(url, auth, 1000)
        client.close()
        assert caught.value.hint
        assert SECRET not in str(caught.value)
        messages.append(str(caught.value))
    assert messages[0].partition(" too slow")[0] == messages[1].partition(" too slow")[0]
    return messages[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "closed the connection without an answer"),
        (HEAD + b"Content-Len", "closed the connection in the head of its answer"),
        (HEAD + b"X: y\r\n", "closed the connection in the head of its answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP server: it sent 'SSH-2.0-OpenSSH_9.2'"),
        (b"\x15\x03\x03\x00\x02\x02\x46", r"no HTTP server: it sent '\x15\x03"),
        (b"220 mail.example.org ESMTP\r\n", "no HTTP server: it sent '220 mail.example.org"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "is malformed: it begins with 'HTTP/1.1 abc OK'"),
        (b"HTTP/1.1 2", "is malformed: it begins with 'HTTP/1.1 2'"),
        (HEAD + b"Content-Length: 100\r\n\r\nabc", "was cut off: 3 of 100 bytes came"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc", "multiple unmatching"),
        (CHUNKED + b"zz\r\nabc\r\n", "malformed: a chunk has no valid length"),
        (CHUNKED + b"-3\r\nabc\r\n", "malformed: a chunk has no valid length"),
        (CHUNKED + b"10\r\nabc", "was cut off: 3 of 16 bytes came"),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "is damaged"),
        (HEAD + b"X: " + b"a" * 70000 + b"\r\n\r\n", "malformed: got more than 65536 bytes"),
        (HEAD + b"X: y\r\n" * 120 + b"\r\n", "malformed: got more than 100 headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed the connection without an answer"),
    ],
)
def test_an_answer_that_is_none_is_named(data: bytes, message: str) -> None:
    with run_raw_server(send(data)) as server:
        assert message in get(f"http://{server}/f")


def test_interim_answers_are_passed_over_until_there_are_too_many(stop: threading.Event) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with run_raw_server(send(hints * 3 + OK)) as server:
        assert HttpClient(HASTY).get(f"http://{server}/f").body == b"ok"
    with run_raw_server(repeat(b"", hints * 100, stop)) as server:
        policy = RetryPolicy(attempts=1)
        assert "its head has more than 256 KiB" in get(f"http://{server}/f", policy)


@pytest.mark.parametrize(
    "head", [b"", HEAD, HEAD + b"X: ", HEAD + b"Content-Length: 9000\r\n\r\n", CHUNKED]
)
def test_an_answer_byte_by_byte_ends_at_the_limit(head: bytes, stop: threading.Event) -> None:
    with run_raw_server(repeat(head, b"1", stop, wait=0.02)) as server:
        assert "is too slow" in get(f"http://{server}/f")


def test_a_file_without_an_end_is_read_up_to_a_limit(stop: threading.Event) -> None:
    client = HttpClient(RetryPolicy(attempts=1))
    with (
        run_raw_server(repeat(HEAD + b"\r\n", b"x" * (1 << 20), stop)) as server,
        pytest.raises(TwofoldError, match=r"more than 64 MiB for a file that has 1000 bytes"),
    ):
        client.fetch_sha256(f"http://{server}/f", None, 1000)


def test_a_server_that_is_silent_is_named_with_the_time(stop: threading.Event) -> None:
    with run_raw_server(send(b"", hold=stop)) as server:
        policy = RetryPolicy(attempts=1, read=0.2)
        assert "did not answer within 0.2 s" in get(f"http://{server}/f", policy)


def test_who_refuses_and_who_is_unknown_is_not_called_slow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("http", "https"):
        assert f"127.0.0.1:{port} refused the connection" in get(f"{scheme}://127.0.0.1:{port}/")
        assert "the host no-such.invalid is unknown" in get(f"{scheme}://no-such.invalid/")
    with pytest.raises(TransientError) as caught:
        HttpClient(HASTY).get(f"http://127.0.0.1:{port}/")
    assert caught.value.no_server


@pytest.mark.parametrize(
    "location",
    [
        "http://host:notaport/",
        "http://[bad/",
        "http://host:99999/",
        "http://host:0/",
        "ftp://host/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        f"https://me:{SECRET}@[bad/",
    ],
)
def test_a_redirect_to_no_url_is_a_refusal(location: str) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with run_raw_server(send(head.encode())) as server:
        assert "which is no valid URL" in get(f"http://{server}/f")


def test_a_redirect_in_a_circle_ends() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /f\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with run_raw_server(send(head)) as server:
        client = HttpClient(HASTY)
        with pytest.raises(Refused, match="redirects more than 5 times"):
            client.fetch_sha256(f"http://{server}/f", None, 1000)
        with pytest.raises(Refused, match="redirects more than 5 times"):
            fetch_page(client, f"http://{server}/simple", "my_package", None)


def test_a_login_is_not_sent_to_the_server_that_another_redirects_to() -> None:
    requests = []

    def listen(connection: socket.socket) -> None:
        requests.append(connection.recv(1 << 16))
        connection.sendall(OK)

    with run_raw_server(listen) as other:
        head = f"HTTP/1.1 307 T\r\nLocation: http://{other}/f\r\nContent-Length: 0\r\n\r\n"
        with run_raw_server(send(head.encode())) as server:
            auth = HeaderAuth("Authorization", f"Bearer {SECRET}")
            assert HttpClient(HASTY).fetch_sha256(f"http://{server}/f", auth, 2)
    assert len(requests) == 1
    assert SECRET.encode() not in requests[0]


def test_an_upload_that_the_server_takes_byte_by_byte_ends_at_the_limit(tmp_path: Path) -> None:
    (tmp_path / "f.whl").write_bytes(b"x" * (1 << 20))
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while not done.wait(0.05) and connection.recv(2048):
            pass

    with run_raw_server(drip) as server:
        with pytest.raises(Unreachable, match=r"is too slow|did not answer"):
            HttpClient(HASTY).send_file("PUT", f"http://{server}/f", None, tmp_path / "f.whl")
        done.set()


def test_a_page_behind_a_redirect_without_a_place_is_a_refusal() -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with run_raw_server(send(head)) as server, pytest.raises(Refused, match=r"refused \(302\)"):
        fetch_page(HttpClient(HASTY), f"http://{server}/simple", "my_package", None)
