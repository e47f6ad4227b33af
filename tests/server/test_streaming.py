"""Files of an upstream reach clients while they are fetched, once for all who want them."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import files_of
from twofold.server.store import downloads
from twofold.server.store.downloads import Download, Downloads


@pytest.fixture
def wheel(served: Place, static: StaticServer, tmp_path: Path) -> Iterator[Path]:
    """A wheel of half a megabyte whose second half waits for the gate of the upstream."""
    noise = random.Random(1).randbytes(250_000).hex()
    made = make_wheel(tmp_path, "spam", "1.0", code=f"x = '{noise}'\n")
    assert made.stat().st_size > 200_000
    static.publish(made)
    static.gate = threading.Event()
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    yield made
    static.gate.set()


def open_stream(place: Place, path: Path, **headers: str) -> requests.Response:
    url = f"{place.channel}/files/{sha256_of(path)}/{path.name}"
    return requests.get(url, stream=True, timeout=60, headers=headers)


def read_all(download: Download) -> Iterator[bytes]:
    """Yield a file as it grows, as a response does."""
    sent = 0
    while True:
        while not download.has_news(sent):
            time.sleep(0.01)
        block = download.read_block(sent)
        if not block:
            return
        sent += len(block)
        yield block


def open_gate(static: StaticServer) -> None:
    assert static.gate is not None
    static.gate.set()


def count_fetches(static: StaticServer, wheel: Path) -> int:
    return static.requested.count(f"/files/{wheel.name}")


def test_bytes_arrive_before_the_upstream_has_sent_all(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    with open_stream(served, wheel) as got:
        assert got.headers["content-length"] == str(wheel.stat().st_size)
        assert got.headers["etag"] == f'"{sha256_of(wheel)}"'
        blocks = got.iter_content(10_000)
        first = next(blocks)
        assert wheel.read_bytes().startswith(first)
        open_gate(static)
        assert first + b"".join(blocks) == wheel.read_bytes()
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert list(packages) == ["spam-1.0-py_0.conda"]


def test_many_clients_share_one_fetch(served: Place, static: StaticServer, wheel: Path) -> None:
    with ThreadPoolExecutor(12) as pool:
        streams = [pool.submit(open_stream, served, wheel) for _ in range(11)]
        whole = pool.submit(open_stream, served, wheel, Range="bytes=0-9")
        time.sleep(0.2)
        open_gate(static)
        assert {stream.result().content for stream in streams} == {wheel.read_bytes()}
        assert whole.result().content == wheel.read_bytes()[:10]
    assert count_fetches(static, wheel) == 1


def test_a_fetch_goes_on_when_its_client_leaves(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    with open_stream(served, wheel) as got:
        next(got.iter_content(1000))
    open_gate(static)
    assert open_stream(served, wheel).content == wheel.read_bytes()
    assert count_fetches(static, wheel) == 1


def test_other_bytes_than_the_pinned_ones_never_arrive_whole(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    data = bytearray(wheel.read_bytes())
    data[-100] ^= 1
    (static.folder / "files" / wheel.name).write_bytes(data)
    with open_stream(served, wheel) as got:
        assert got.status_code == 200
        open_gate(static)
        with pytest.raises(requests.exceptions.RequestException):
            assert len(got.content) < len(data)
    again = open_stream(served, wheel)
    assert (again.status_code, again.json()["code"]) == (502, "upstream-changed")


def test_a_file_that_the_registry_refuses_never_arrives_whole(
    served: Place, static: StaticServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "ham-1.0-py3-none-any.whl"
    bad.write_bytes(b"PK no zip" + os.urandom(300_000))
    static.publish(bad)
    static.gate = threading.Event()
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "ham")
    with open_stream(served, bad) as got:
        assert got.status_code == 200
        open_gate(static)
        with pytest.raises(requests.exceptions.RequestException):
            assert len(got.content) < 300_000
    assert open_stream(served, bad).status_code == 403
    assert not any(record.exc_info for record in caplog.records)  # a reason, and no traceback
    assert any("a download was cut off" in record.message for record in caplog.records)


def test_an_upstream_that_hangs_up_cuts_the_clients_and_the_next_one_begins_anew(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    static.fault = "cut"
    response = open_stream(served, wheel)
    if response.status_code != 503:  # the first bytes were there before the end was
        with pytest.raises(requests.RequestException):
            _ = response.content
    static.fault = None
    open_gate(static)
    assert open_stream(served, wheel).content == wheel.read_bytes()
    assert list(served.registry.spool.iterdir()) == []


# Between processes: two tables of downloads with one spool


def test_another_process_follows_the_fetch_and_fetches_nothing(tmp_path: Path) -> None:
    data, gate, began = os.urandom(300_000), threading.Event(), threading.Event()

    def fetch(download: Download) -> None:
        download.begin(len(data))  # of a known size: the first bytes are sent at once
        download.write(data[:1000])
        began.set()
        assert gate.wait(30)
        download.write(data[1000:])
        download.mark_checked()

    def never(download: Download) -> None:
        raise AssertionError(f"{download.path} fetched twice")

    key, place = (1, "", "spam.whl"), (tmp_path, "00" * 32)
    first = Downloads().start(key, place, fetch)
    assert began.wait(30)
    second = Downloads().start(key, place, never)
    second.wait_readable()
    assert second.total == len(data)
    blocks = read_all(second)
    start = next(blocks)
    assert data.startswith(start)
    gate.set()
    assert start + b"".join(blocks) == data
    assert b"".join(read_all(first)) == data
    for download in (first, second):
        download.wait()


def test_a_process_whose_predecessor_failed_fetches_itself(tmp_path: Path) -> None:
    data, gate, began = os.urandom(300_000), threading.Event(), threading.Event()

    def fail(download: Download) -> None:
        download.begin(None)  # of an unknown size: the last bytes so far are held back
        download.write(data[:200_000])
        began.set()
        assert gate.wait(30)
        raise OSError("gone")

    def fetch(download: Download) -> None:
        download.begin(len(data))
        download.write(data)
        download.mark_checked()

    key, place = (1, "", "spam.whl"), (tmp_path, "00" * 32)
    first = Downloads().start(key, place, fail)
    assert began.wait(30)
    second = Downloads().start(key, place, fetch)
    second.wait_readable()
    blocks = read_all(second)
    start = next(blocks)
    gate.set()
    assert start + b"".join(blocks) == data
    with pytest.raises(OSError, match="gone"):
        first.wait()


def test_a_fetch_goes_on_once_its_reader_sent_the_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "FIRST_SECONDS", 60)
    data, asked, is_over = os.urandom(300_000), threading.Event(), threading.Event()

    def fetch(download: Download) -> None:
        download.begin(len(data))
        assert asked.wait(30)
        download.write(data[:1000])
        download.write(data[1000:])
        download.mark_checked()
        is_over.set()

    download = Downloads().start((1, "", "spam.whl"), (tmp_path, "00" * 32), fetch)
    threading.Timer(0.1, asked.set).start()
    download.wait_readable()
    assert not is_over.wait(0.1)
    assert download.size == 1000
    download.mark_begun()
    download.wait()
    assert download.size == len(data)
