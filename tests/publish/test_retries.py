"""How the outside world is waited for: growing waits, Retry-After heard, refusals never repeated;
and the order in which files go to several targets."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path

import pytest

from tests.factories.releases import Release, make_conda
from tests.servers.package_servers import TOKEN, FakeServer, PrefixServer, run_server
from twofold.errors import TwofoldError
from twofold.publish.http import HttpClient
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy, parse_retry_after


class Busy(PrefixServer):
    """Answers the first uploads with `status`, and with Retry-After where one is set."""

    def do_POST(self) -> None:
        left = int(self.store.other.get("busy", 0))
        if not left:
            return super().do_POST()
        assert self.body
        self.store.other["busy"] = left - 1
        self.send_response(int(self.store.other["status"]))
        if self.store.other.get("after"):
            self.send_header("Retry-After", str(self.store.other["after"]))
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@pytest.mark.parametrize(
    ("status", "after", "waits"),
    [
        (429, "7", [7.0, 7.0, 7.0]),
        (503, "", [0.5, 1.0, 2.0]),
        (500, "", [0.5, 1.0, 2.0]),
        (429, "3600", [30.0, 30.0, 30.0]),
    ],
)
def test_a_busy_server_is_waited_for(
    status: int, after: str, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    file = make_conda(tmp_path, "my_package", "1.0")
    waited: list[float] = []
    with run_server(Busy) as (address, store):
        store.other |= {"busy": 3, "status": status, "after": after}
        order = Order(
            [file], [f"prefix+{address}/lab"], retry_policy=RetryPolicy(sleep=waited.append)
        )
        with prepare(order) as publication:
            assert len(publication.carry_out(lambda _: None)) == 1
    assert waited == waits


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 501])
def test_a_refusal_is_never_waited_for(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    file = make_conda(tmp_path, "my_package", "1.0")
    waited: list[float] = []
    with run_server(Busy) as (address, store):
        store.other |= {"busy": 2, "status": status}
        order = Order(
            [file], [f"prefix+{address}/lab"], retry_policy=RetryPolicy(sleep=waited.append)
        )
        with prepare(order) as publication, pytest.raises(TwofoldError):
            publication.carry_out(lambda _: None)
        assert store.other["busy"] == 1
    assert waited == []


def test_a_servers_wait_may_be_a_date() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    found = parse_retry_after(format_datetime(tomorrow, usegmt=True))
    assert found is not None
    assert 23 * 3600 < found <= 24 * 3600


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e3", "\xb2", "Wed, 99 Oct 2015 07:28:00 GMT"]
)
def test_a_wait_that_is_none_is_passed_over(value: str) -> None:
    assert parse_retry_after(value) is None


def test_wheels_go_to_every_target_before_any_conda_package(
    release: Release, tmp_path: Path
) -> None:
    places = [str(tmp_path / name) for name in ("one", "two")]
    with prepare(Order(release.files, places)) as publication:
        uploads = publication.carry_out(lambda _: None)
    order = [(Path(s.target.settings.name).name, s.file.artifact.kind.value) for s in uploads]
    assert order == [
        ("one", "wheel"),
        ("two", "wheel"),
        ("one", "sdist"),
        ("two", "sdist"),
        ("one", "conda"),
        ("two", "conda"),
    ]


class Endless(FakeServer):
    """A server whose answer does not end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" " * (1 << 20))


def test_an_endless_answer_is_not_read_into_memory() -> None:
    with (
        run_server(Endless) as (address, _),
        pytest.raises(TwofoldError, match="sent an answer of more than 64 MiB"),
    ):
        HttpClient().get(f"{address}/simple/")


class BusyFiles(FakeServer):
    """Sends a file after it has refused the first request with a short body."""

    def do_GET(self) -> None:
        seen = self.store.other.setdefault("seen", [])
        seen.append(self.client_address)
        status, body = (503, b"try later") if len(seen) == 1 else (200, b"file")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.flush()
        time.sleep(0.05)  # the body comes in a packet of its own, when nobody reads it any more
        self.wfile.write(body)


def test_no_attempt_is_spent_on_a_connection_with_an_unread_body() -> None:
    waited: list[float] = []
    with run_server(BusyFiles) as (address, store):
        client = HttpClient(RetryPolicy(sleep=waited.append))
        for _ in range(3):
            assert client.fetch_sha256(f"{address}/file", None, 4) == sha256(b"file").hexdigest()
        client.close()
        assert (len(waited), len(store.other["seen"])) == (1, 4)
        assert len(set(store.other["seen"][1:])) == 1  # a body that was read frees its connection
