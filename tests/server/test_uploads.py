"""Uploads that no client sends: a reason below 500 in all three places, and no traces."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.raw_http import Wire
from tests.factories.bad_input import FORM, START, field, form
from tests.factories.packages import make_wheel, record, wheel_members, zip_bytes
from tests.server.conftest import Place, serve
from twofold.server.auth import accounts

#: What clients send, and what they never would.
FIELDS = [
    ":action",
    "protocol_version",
    "name",
    "version",
    "filetype",
    "pyversion",
    "sha256_digest",
    "md5_digest",
    "blake2_256_digest",
    "attestations",
    "content",
    "gpg_signature",
    "",
    "\N{SNOWMAN}",
    "a" * 2000,
]

VALUES = st.sampled_from(
    [
        b"file_upload",
        b"1",
        b"2",
        b"my_package",
        b"1.0",
        b"bdist_wheel",
        b"sdist",
        b"\0",
        b"[]",
        b"{}",
    ]
) | st.binary(max_size=60)

HEADERS = st.sampled_from(
    [
        "",
        '; filename="x-1.0-py3-none-any.whl"',
        '; filename="../x-1.0-py3-none-any.whl"',
        '; filename="my_package-1.0.tar.gz"',
        '; filename=""',
        "; filename*=UTF-8''%e2%82%ac.whl",
        '; filename="x.whl"; filename="y.whl"',
        '; filename="\\"; x="',
        "; name=other",
        "\r\nContent-Type: text/html",
        "\r\nContent-Transfer-Encoding: base64",
        "\r\nContent-Disposition: form-data; name=twice",
    ]
)

PARTS = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES, HEADERS), max_size=8)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)
@given(parts=PARTS, cut=st.integers(0, 60), path=st.sampled_from(["/main/legacy/", "/main/upload"]))
def test_any_form_is_answered_below_500_and_leaves_nothing(
    shared_place: Wire, parts: list[tuple[str, bytes, str]], cut: int, path: str
) -> None:
    body = form(*(field(name, value, extra) for name, value, extra in parts))
    body = body[: len(body) - cut]
    answer, message = shared_place.send("POST", path, body, media=FORM)
    assert answer.status < 500, message
    shared_place.refused("POST", path, body, media=FORM)
    assert not list(shared_place.place.registry.spool.iterdir())


CONTENT = '; filename="my_package-1.0-py3-none-any.whl"'

DIGESTS = {
    "sha256_digest": ["0" * 64, "", "x", "0" * 10_000, "\N{SNOWMAN}", "ff" * 32 + "\n"],
    "md5_digest": ["0" * 32, "zz", "'"],
    "blake2_256_digest": ["0" * 64, "0" * 128],
}


def test_every_digest_that_differs_from_the_file_is_refused(
    shared_place: Wire, tmp_path: Path
) -> None:
    content = make_wheel(tmp_path, "my_package", "1.0").read_bytes()
    for name, values in DIGESTS.items():
        for value in values:
            if not value:
                continue  # an empty field is none
            parts = (field(name, value.encode()), field("content", content, CONTENT))
            reason = shared_place.refused("POST", "/main/legacy/", form(*START, *parts), media=FORM)
            assert "digest" in reason, (name, value[:20])
    digest = hashlib.sha256(content).hexdigest()
    body = form(*START, field("content", content, CONTENT))
    reason = shared_place.refused(
        "POST", "/main/upload", body, media=FORM, **{"X-File-Sha256": digest[:-1] + "g"}
    )
    assert "digest" in reason


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\N{LATIN SMALL LETTER E WITH ACUTE}",
        "multipart/mixed; boundary=B",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data" + "; x=y" * 500,
    ],
)
def test_a_body_under_another_media_type_is_refused(shared_place: Wire, media: str) -> None:
    body = form(*START, field("name", b"my_package"))
    shared_place.refused("POST", "/main/legacy/", body, media=media)


def test_an_upload_that_breaks_off_leaves_nothing(shared_place: Wire) -> None:
    """The client goes away in the middle: nothing is kept, and the next one is answered."""
    parts = urlsplit(shared_place.place.url)
    head = (
        "POST /main/legacy/ HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {shared_place.place.token}\r\nContent-Type: {FORM}\r\n"
        "Content-Length: 100000\r\n\r\n"
    )
    body = form(*START, field("content", b"PK" * 500, CONTENT))[:-10]
    for _ in range(5):
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=120) as line:
            line.sendall(head.encode() + body)
    deadline = time.monotonic() + 120
    while list(shared_place.place.registry.spool.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shared_place.place.get("/healthz").status_code == 200


#: METADATA that parsers have stumbled over.
METADATA = {
    "a marker nested 5,000 deep": "Requires-Dist: x; " + "(" * 5000 + "os_name=='a'" + ")" * 5000,
    "a marker nested 100 deep": "Requires-Dist: x; " + "(" * 100 + "os_name=='a'" + ")" * 100,
    "a marker of 20,000 parts": "Requires-Dist: x; " + " or ".join(["os_name=='a'"] * 20_000),
    "100,000 extras": "Requires-Dist: x[" + ",".join(["a"] * 100_000) + "]",
    "a version of 100,000 digits": "Requires-Dist: x>=" + "1" * 100_000,
    "5,000 epochs": "Requires-Dist: x>=" + "1!" * 5000 + "1",
    "a summary of 5 MB": "Summary: " + "x" * (5 << 20),
    "20,000 classifiers": "\n".join(["Classifier: Private :: x"] * 20_000),
    "3,000 unknown classifiers": "\n".join(f"Classifier: A :: {one}" for one in range(3000)),
    "20,000 unknown classifiers": "\n".join(f"Classifier: A :: {one}" for one in range(20_000)),
    "20,000 extras of its own": "\n".join(f"Provides-Extra: e{one}" for one in range(20_000)),
    "20,000 unknown fields": "\n".join(f"X-{one}: y" for one in range(20_000)),
    "20,000 Pythons": "Requires-Python: " + ",".join(f"!=3.{one}" for one in range(20_000)),
    "a NUL in what is searched": "Summary: a\0b\nKeywords: c\0d,\x1b[31m",
    "bytes that are no UTF-8": "Author: \udcff",
    "a NUL": "Author: a\0b",
    "a header without a name": ": x",
    "a version out of range": "Requires-Python: >=3.9,<" + "9" * 5000,
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_made_to_exhaust_a_parser_are_answered_soon(shared_place: Wire, case: str) -> None:
    name = "parser" + hashlib.sha256(case.encode()).hexdigest()[:8]
    members = wheel_members(name, "1.0")
    path = f"{name}-1.0.dist-info/METADATA"
    members[path] += METADATA[case].encode("utf-8", "surrogateescape") + b"\n"
    own = f"{name}-1.0.dist-info/RECORD"
    del members[own]
    body = zip_bytes({**members, own: record(members, own)})
    extra = f'; filename="{name}-1.0-py3-none-any.whl"'
    begun = time.process_time()  # the server is in this process
    answer, message = shared_place.send(
        "POST", "/main/legacy/", form(*START, field("content", body, extra)), media=FORM
    )
    assert answer.status in (200, 400), message
    assert time.process_time() - begun < 5
    if answer.status == 400:
        assert json.loads(message)["detail"]
    page = shared_place.place.get(f"/main/project/{name}")
    assert page.status_code == (200 if answer.status == 200 else 404)


def send_form(place: Place, path: str, size: int, **headers: str) -> tuple[bytes, int]:
    """Send a form until the server answers; returns the answer and how much was sent."""
    where = urlsplit(place.url)
    start = b'--B\r\nContent-Disposition: form-data; name="content"; filename="x.whl"\r\n\r\n'
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {size}"]
    lines += ["Content-Type: multipart/form-data; boundary=B"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sent = 0
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + start)
        client.settimeout(0.3)
        while sent < size:
            try:
                return client.recv(65536), sent
            except TimeoutError:
                sent += client.send(b"0" * 65536)
    return b"", sent


def test_a_body_is_not_read_before_the_right_to_send_it_is_known(served: Place) -> None:
    """An unknown stage, and a token for a project of another channel."""
    owner = served.owner.user
    assert owner is not None
    accounts.add_channel(served.registry, "owner", "other", owner)
    limits = {"channel": "other", "project": "one"}
    token, _ = accounts.issue_token_for(
        served.registry, "operator", owner, accounts.TokenRequest("t", **limits)
    )
    bearer = {"Authorization": f"Bearer {token}"}
    for path, headers, status in (
        ("/api/staged/0000", {}, b"404"),
        ("/main/legacy/", bearer, b"403"),
        ("/main/upload", bearer, b"403"),
        ("/nochannel/legacy/", bearer, b"404"),
        ("/api/v1/upload/main", bearer, b"403"),
        ("/main/legacy/", {}, b"401"),
    ):
        answer, sent = send_form(served, path, 1 << 30, **headers)
        assert answer.startswith(b"HTTP/1.1 " + status), (path, answer)
        assert sent < 1 << 20
    spool = served.settings.spool
    assert not spool.exists() or not list(spool.iterdir())


def test_uploads_in_progress_fit_into_the_quota_of_the_spool(place: Place, tmp_path: Path) -> None:
    place.settings = replace(place.settings, spool_quota=100_000)
    wheel = make_wheel(tmp_path)
    big = make_wheel(tmp_path, "big", code="x = 1\n" * 200_000)
    big.write_bytes(big.read_bytes() + b"0" * 200_000)
    with serve(place):
        for _ in range(3):
            answer = place.upload(big)
            assert (answer.status_code, answer.json()["code"]) == (507, "spool-full")
        assert place.upload(wheel).status_code == 200  # what was refused has left the spool
        answer = requests.post(
            f"{place.channel}/upload",
            data=big.read_bytes(),
            headers={"x-file-name": big.name, "Authorization": f"Bearer {place.token}"},
            timeout=20,
        )
        assert answer.status_code == 507
    assert not list(place.settings.spool.iterdir())


@pytest.mark.parametrize(
    ("name", "ending"), [("gpg_signature", "asc"), ("signature", "sigstore"), ("gpg", "")]
)
def test_a_signature_beside_the_file_is_dropped(
    served: Place, tmp_path: Path, name: str, ending: str
) -> None:
    wheel = make_wheel(tmp_path)
    signature = (name, (f"{wheel.name}.{ending}", b"signed" * 1000))
    content = ("content", (wheel.name, wheel.read_bytes()))
    for parts in ([content, signature], [signature, content]):
        answer = requests.post(
            f"{served.channel}/legacy/",
            data={":action": "file_upload"},
            files=parts,
            auth=("__token__", served.token),
            timeout=20,
        )
        assert (answer.status_code, answer.json()["dropped"]) == (200, [name])
    assert not list(served.settings.spool.iterdir())
    twice = requests.post(
        f"{served.channel}/legacy/",
        data={":action": "file_upload"},
        files=[content, content],
        auth=("__token__", served.token),
        timeout=20,
    )
    assert (twice.status_code, twice.json()["code"]) == (400, "several-files")
    other = make_wheel(tmp_path, "other")
    attested = requests.post(
        f"{served.channel}/legacy/",
        data={":action": "file_upload"},
        files=[
            ("content", (other.name, other.read_bytes())),
            ("attestations", ("attestations.json", b"no JSON")),
        ],
        auth=("__token__", served.token),
        timeout=20,
    )
    assert attested.status_code == 400 and "attestations" in attested.text
