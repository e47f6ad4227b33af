"""Upstreams that are broken or mean harm: each costs what it concerns and nothing else."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.raw_upstream import JSON, RawUpstream, make_answer, make_entry, make_page
from tests.servers.upstream import add_upstream
from tests.servers.upstream_reads import advance_clock, audited, files_of
from twofold.errors import Unreachable
from twofold.fetching import exchange
from twofold.fetching.client import fetch_file, fetch_range
from twofold.fetching.server_limits import MAX_REQUESTS, parse_retry_after
from twofold.server.proxy import upstream_conda, upstream_simple
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_conda import is_sound_record

NAME = "spam-1.0-py3-none-any.whl"
GOOD = make_entry(NAME, b"spam")
LINK = f'<a href="/files/{NAME}#sha256={"0" * 64}">x</a>'


@pytest.fixture
def upstream(served: Place) -> Iterator[RawUpstream]:
    made = RawUpstream()
    add_upstream(served, f"{made.url}/simple")
    yield made
    made.close()


def other(**keys: Any) -> dict[str, Any]:
    """A second file, with something wrong."""
    return {**make_entry("spam-2.0-py3-none-any.whl", b"spam"), **keys}


#: What takes nothing else of its page with it.
ENTRIES: list[object] = [
    other(filename=5),
    other(filename=None),
    other(filename=["spam"]),
    {"url": "x"},
    "text",
    None,
    [],
    other(url="http://[bad/x"),
    other(url=7),
    other(hashes=None),
    other(hashes=[]),
    other(hashes={"sha256": 5}),
    other(filename="ham-1.0-py3-none-any.whl"),
    other(filename="../spam-2.0-py3-none-any.whl"),
    other(filename="sp\u0430m-2.0-py3-none-any.whl"),
    {**GOOD, "hashes": {"sha256": "1" * 64}},  # the same name again
]
#: Values that are not passed on: clients read no page that has one.
DETAILS: list[tuple[str, object]] = [
    ("requires-python", [1]),
    ("requires-python", {"a": 1}),
    ("requires-python", "\ud800"),
    ("requires-python", ">=3,\x00\x1b"),
    ("requires-python", ">=3," * 100_000),
    ("size", "big"),
    ("size", -1),
    ("size", 1.5),
    ("size", True),
    ("size", 10**100),
    ("upload-time", 5),
    ("upload-time", "yesterday"),
    ("upload-time", "2020-01-01\ud800"),
    ("core-metadata", {"sha256": '"><script>' + "x" * 54}),
    ("core-metadata", {"sha256": 5}),
]


def test_a_malformed_file_of_a_page_takes_no_other_with_it(
    served: Place, upstream: RawUpstream
) -> None:
    for number, entry in enumerate(ENTRIES):
        upstream.answers["/simple/spam/"] = make_page(GOOD, entry)
        advance_clock(served, number + 1)
        assert files_of(served, "spam") == [NAME], entry
        for path in ("/main/simple/spam/", "/main/pypi/spam/json", "/main/project/spam"):
            assert served.get(path).status_code == 200, (path, entry)


def test_a_value_that_no_client_can_read_is_not_passed_on(
    served: Place, upstream: RawUpstream
) -> None:
    for number, (key, value) in enumerate(DETAILS):
        upstream.answers["/simple/spam/"] = make_page({**GOOD, key: value})
        advance_clock(served, number + 1)
        (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
        assert listed["filename"] == NAME
        assert not listed.get(key), (key, value)
    for hours, (value, yanked) in enumerate([("\udfff", "?"), (["x"], True), (1, True)], 100):
        upstream.answers["/simple/spam/"] = make_page({**GOOD, "yanked": value})
        advance_clock(served, hours)
        (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
        assert listed["yanked"] == yanked


#: Answers in whose place a client gets 502, 503 or 404, each in no time.
ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"\0\1junk\r\n\r\n",
    "no status": b"HTTP/1.1 abc x\r\n\r\n",
    "long line": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "bad chunk": b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "negative chunk": b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n\r\n",
    "cut": b"HTTP/1.1 200 x\r\nContent-Length: 500\r\n\r\nabc",
    "redirect to no host": make_answer(b"", 302, Location="http://[x/"),
    "redirect to a file": make_answer(b"", 302, Location="file:///etc/passwd"),
    "redirect inside": make_answer(b"", 302, Location="http://127.0.0.1:1/"),
    "redirect inside, in hex": make_answer(b"", 302, Location="http://0x7f000001:1/"),
    "redirect to a cloud": make_answer(b"", 302, Location="http://169.254.169.254/"),
    "redirect to itself": make_answer(b"", 302, Location="/simple/spam/"),
    "redirect nowhere": make_answer(b"", 302),
    "deep": make_answer(b"[" * 200_000, Content_Type=JSON),
    "a long number": make_answer(b'{"files": [], "x": ' + b"9" * 10_000 + b"}", Content_Type=JSON),
    "no page": make_answer(b"[1]", Content_Type=JSON),
    "null": make_answer(b"null", Content_Type=JSON),
    "only malformed": make_page(None, 5),
    "not gzip": make_answer(b"{}", Content_Type=JSON, Content_Encoding="gzip"),
    "cut gzip": make_answer(
        gzip.compress(b'{"files": []}')[:-6], Content_Type=JSON, Content_Encoding="gzip"
    ),
    "another encoding": make_answer(b"{}", Content_Type=JSON, Content_Encoding="br"),
    "304 unasked": make_answer(b"", 304),
    "206 unasked": make_answer(b"", 206),
}


def test_an_answer_that_makes_no_sense_is_refused_and_the_last_page_stays(
    served: Place, upstream: RawUpstream
) -> None:
    for name, answer in ANSWERS.items():
        upstream.answers["/simple/spam/"] = answer
        began = time.monotonic()
        got = served.get("/main/simple/spam/")
        assert got.status_code in (502, 503, 404), (name, got.status_code)
        assert time.monotonic() - began < 5, name
    upstream.answers["/simple/spam/"] = make_page(GOOD)
    assert files_of(served, "spam") == [NAME]
    for number, (name, answer) in enumerate(ANSWERS.items()):
        upstream.answers["/simple/spam/"] = answer
        advance_clock(served, number + 1)
        assert files_of(served, "spam") == [NAME], name


def test_a_page_that_is_stored_compressed_is_read_within_limits(
    served: Place, upstream: RawUpstream
) -> None:
    body = json.dumps({"files": [GOOD]}).encode()
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    for hours, encoding in enumerate(["gzip", "x-gzip", "deflate"], 1):
        upstream.answers["/simple/spam/"] = make_answer(
            packed[encoding.removeprefix("x-")], Content_Type=JSON, Content_Encoding=encoding
        )
        advance_clock(served, hours)
        assert files_of(served, "spam") == [NAME]
    bomb = gzip.compress(bytes(upstream_simple.MAX_PAGE_SIZE + 1), 1)
    upstream.answers["/simple/bomb/"] = make_answer(bomb, Content_Encoding="gzip")
    got = served.get("/main/simple/bomb/")
    assert (got.status_code, "is larger than" in got.text) == (503, True)


def test_a_page_of_tags_without_an_end_costs_no_time(served: Place, upstream: RawUpstream) -> None:
    began = time.process_time()
    for hours, unended in enumerate(("<a ", "<!--", "<?", "<![CDATA[", "<a href='", "<title>"), 1):
        body = (LINK + unended * 30_000).encode()
        upstream.answers["/simple/spam/"] = make_answer(body, Content_Type="text/html")
        advance_clock(served, hours)
        assert files_of(served, "spam") == [NAME]
    assert time.process_time() - began < 4  # html.parser needs a minute


def test_an_upstream_that_asks_for_a_pause_gets_it(served: Place, upstream: RawUpstream) -> None:
    upstream.answers["/simple/spam/"] = make_answer(b"", 429, Retry_After="40")
    got = served.get("/main/simple/spam/")
    assert (got.status_code, got.headers["retry-after"]) == (503, "40")
    upstream.answers["/simple/spam/"] = make_page(GOOD)
    again = served.get("/main/simple/spam/")
    assert again.status_code == 503 and "asked for a pause" in again.json()["detail"]
    assert 30 < int(again.headers["retry-after"]) <= 40
    assert upstream.requested == ["/simple/spam/"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        ("999999999999999999999", 3600),
        ("-1", 0),
        ("²", 0),
        ("", 0),
        ("soon", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Fri, 99 Foo 9999", 0),
    ],
)
def test_a_wish_for_a_pause_is_read_as_the_standard_has_it(value: str, seconds: float) -> None:
    assert parse_retry_after(value) == seconds


def test_an_upstream_that_hangs_holds_up_no_other_request(
    served: Place, upstream: RawUpstream, tmp_path: Path
) -> None:
    released = threading.Event()

    def hang(_line: socket.socket) -> None:
        released.wait(60)

    upstream.default = hang
    served.publish(make_wheel(tmp_path, "own", "1.0"))
    count = MAX_REQUESTS + 40  # more than the common threads
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(served.get, f"/main/simple/p{number}/") for number in range(count)]
        while len(upstream.requested) < MAX_REQUESTS:
            time.sleep(0.01)
        began = time.monotonic()
        assert served.get("/readyz").status_code == 200
        assert served.get("/main/whoami", served.token).status_code == 200
        assert time.monotonic() - began < 5
        released.set()
        assert {done.result().status_code for done in waiting} == {503}


def test_a_response_that_comes_byte_by_byte_ends_at_its_deadline() -> None:
    upstream = RawUpstream()

    def drip(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 x\r\n")
        for _ in range(1000):
            line.sendall(b"a: b\r\n")
            time.sleep(0.02)

    upstream.default = drip
    source = exchange.Endpoint(upstream.url, internal=True)
    request = exchange.Request(upstream.url, {}, seconds=0.2)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no response"), exchange.open_response(source, request):
        pass
    assert time.monotonic() - began < 2
    upstream.close()


def test_a_page_of_too_many_files_is_refused(
    served: Place, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_simple, "MAX_FILES", 3)
    names = [f"spam-{number}.0.tar.gz" for number in range(4)]
    upstream.answers["/simple/spam/"] = make_page(*(make_entry(name, b"") for name in names))
    got = served.get("/main/simple/spam/")
    assert (got.status_code, "lists more than" in got.text) == (503, True)
    upstream.answers["/simple/spam/"] = make_page(*(make_entry(name, b"") for name in names[1:]))
    assert files_of(served, "spam") == names[1:]


def test_a_full_disk_is_not_taken_for_a_fault_of_the_upstream() -> None:
    upstream = RawUpstream()
    upstream.default = make_answer(b"x" * 1000)

    class Full:
        def begin(self, total: int | None) -> None:
            assert total == 1000

        def write(self, block: bytes) -> None:
            raise OSError(errno.ENOSPC, f"no space for {len(block)} bytes")

    with pytest.raises(OSError, match="no space") as raised:
        fetch_file(exchange.Endpoint(upstream.url, internal=True), upstream.url, Full(), 1000)
    assert raised.value.errno == errno.ENOSPC
    upstream.close()


TAR = bytes(257) + b"ustar" + bytes(1000)
RAW_DEFLATE = zlib.compressobj(wbits=-15)
#: Files as they are sent, the encodings that name that, and what is there.
ENCODED: list[tuple[bytes, str, bytes | None]] = [
    (gzip.compress(b"PK wheel"), "gzip", b"PK wheel"),
    (gzip.compress(b"PK wh") + gzip.compress(b"eel"), "x-gzip", b"PK wheel"),
    (zlib.compress(b"PK wheel"), "Deflate", b"PK wheel"),
    (RAW_DEFLATE.compress(b"PK wheel") + RAW_DEFLATE.flush(), "deflate", b"PK wheel"),
    (gzip.compress(b"PK wheel"), "identity, gzip, aws-chunked", b"PK wheel"),
    (b"PK wheel", "aws-chunked", b"PK wheel"),
    (b"PK wheel", "br", b"PK wheel"),
    (b"PK wheel", "gzip", b"PK wheel"),
    (gzip.compress(TAR), "x-gzip", gzip.compress(TAR)),
    (gzip.compress(gzip.compress(TAR)), "gzip", gzip.compress(TAR)),
    (gzip.compress(b"PK wheel")[:-3], "gzip", None),
    (b"\x1f\x8b damaged", "gzip", None),
    (b"\x1bA wheel", "br", None),
    (gzip.compress(b"PK" + bytes(1 << 21)), "gzip", None),
    (b"", "gzip", None),
]


class Taken(list[bytes]):
    """The blocks of a file."""

    def begin(self, total: int | None) -> None:
        self.total = total

    def write(self, block: bytes) -> None:
        self.append(block)


@pytest.mark.parametrize("number", range(len(ENCODED)))
def test_a_file_arrives_as_it_is_whatever_encoding_nobody_asked_for(number: int) -> None:
    sent, encoding, wanted = ENCODED[number]
    upstream = RawUpstream()
    upstream.default = make_answer(sent, Content_Encoding=encoding)
    source, taken = exchange.Endpoint(upstream.url, internal=True), Taken()
    if wanted is None:
        with pytest.raises(Unreachable):
            fetch_file(source, upstream.url, taken, 1 << 20)
    else:
        fetch_file(source, upstream.url, taken, 1 << 20)
        assert b"".join(taken) == wanted
        assert taken.total in (None, len(wanted))
    assert fetch_range(source, upstream.url, 0, 1) is None
    upstream.close()


def test_an_encoded_wheel_is_fetched_and_stored(
    served: Place, upstream: RawUpstream, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0")
    upstream.answers["/simple/spam/"] = make_page(make_entry(wheel.name, wheel.read_bytes()))
    body = gzip.compress(wheel.read_bytes())
    upstream.answers[f"/files/{wheel.name}"] = make_answer(body, Content_Encoding="gzip")
    (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
    for _ in range(2):
        assert served.get(f"/main/simple/spam/{listed['url']}").content == wheel.read_bytes()


def test_a_file_that_ends_early_has_not_changed(served: Place, upstream: RawUpstream) -> None:
    upstream.answers["/simple/spam/"] = make_page(make_entry(NAME, b"spam", size=4))
    upstream.answers[f"/files/{NAME}"] = b"HTTP/1.1 200 x\r\n\r\nspa"
    (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
    got = served.get(f"/main/simple/spam/{listed['url']}")
    assert (got.status_code, "was cut off" in got.text) == (503, True)
    assert audited(served, "upstream-changed") == []


REPODATA = json.dumps({"packages": None, "packages.conda": {}, "info": None}).encode()


@pytest.mark.parametrize(
    "pages",
    [
        {"repodata.json": REPODATA},
        {"repodata.json.bz2": bz2.compress(REPODATA)},
        {"repodata.json.zst": b"damaged", "repodata.json": REPODATA},
        {"repodata.json.bz2": b"damaged", "repodata.json": REPODATA},
    ],
)
def test_a_subdir_is_read_in_the_form_that_can_be_read(pages: dict[str, bytes]) -> None:
    upstream = RawUpstream()
    source = exchange.Endpoint(upstream.url, internal=True)
    upstream.answers = {f"/noarch/{name}": make_answer(body) for name, body in pages.items()}
    found = upstream_conda.fetch_files(source, "noarch")
    assert found is not None and found.project.files == ()
    upstream.answers = {path: make_answer(b"damaged") for path in upstream.answers}
    with pytest.raises(Unreachable, match="cannot be read"):
        upstream_conda.fetch_files(source, "noarch")
    upstream.close()


def test_a_part_of_a_file_is_read_only_where_its_size_is_a_number() -> None:
    upstream = RawUpstream()
    source = exchange.Endpoint(upstream.url, internal=True)
    for total in ("\u00b2", "9" * 5000, "-4", "*", ""):
        head = f"HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/{total}\r\nContent-Length: 1\r\n\r\nx"
        upstream.default = head.encode("latin-1")
        assert fetch_range(source, upstream.url, 0, 1) is None
    upstream.close()


#: Values for which rattler reads nothing of a name, or of a whole repodata.json.
UNREADABLE: dict[str, list[object]] = {
    "build_number": [-1, True, "1", 1.5, 2**70, None],
    "build": [["x"], None, 5],
    "version": [5, "", "1..0", "1.0*", "_1", "a!1", "9" * 30],
    "depends": ["python", {"a": 1}, [5], None],
    "constrains": [5, [None]],
    "subdir": ["../..", 5],
    "noarch": ["weird", [], 1],
    "size": ["big", -1, 1.5],
    "sha256": ["aa", None, 5],
    "md5": ["bb", 5],
    "timestamp": ["x", 10**30, 1.5e12],
    "license": [["MIT"], "\ud800"],
    "features": [["x"]],
    "track_features": [5, [5]],
    "purls": [5],
    "flags": [5],
    "extra_depends": [{"a": 5}],
    "run_exports": [5, {"weak": 5}],
    "arch": [5],
    "platform": [5],
    "legacy_bz2_size": ["x"],
    "python_site_packages_path": [5],
    "name": [5, None, "../x"],
}


def make_record(name: str, **keys: Any) -> dict[str, Any]:
    record = {"name": name, "version": "1.0", "build": "0", "build_number": 0, "depends": []}
    return {**record, "subdir": "noarch", "size": 9, "sha256": "a" * 64, "md5": "b" * 32, **keys}


def test_a_record_that_no_client_can_read_is_left_out(served: Place) -> None:
    for key, values in UNREADABLE.items():
        for value in values:
            bad = {**make_record("bad"), key: value}
            stem = f"{bad['name']}-{bad['version']}-{bad['build']}"
            file = RemoteFile(f"{stem}.conda", str(bad["sha256"]), "http://x", bad)
            assert not (is_sound_record(file.filename, bad) and file.is_sound), (key, value)
    upstream = RawUpstream()
    add_upstream(served, upstream.url, "conda")
    good = make_record("good", track_features=["a"], license="MIT\nor so", noarch="python")
    records = {"good-1.0-0.conda": good, "bad-1.0-0.conda": make_record("bad", build_number=-1)}
    body = json.dumps({"packages": {}, "packages.conda": records}).encode()
    upstream.answers["/noarch/repodata.json"] = make_answer(body)
    found = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert list(found) == ["good-1.0-0.conda"]
    upstream.close()


def test_a_record_under_the_file_name_of_another_version_is_left_out() -> None:
    assert is_sound_record("bad-1.0-0.conda", make_record("bad"))
    assert is_sound_record("bad-1.0-0.tar.bz2", make_record("bad", noarch="generic"))
    for name in ("bad-2.0-0.conda", "bad-1.0-1.conda", "bad-1.0.conda", "bad-1.0-0.zip", "x"):
        assert not is_sound_record(name, make_record("bad"))
    assert not is_sound_record("bad-1.0-0.conda", [])
