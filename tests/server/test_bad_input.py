"""Malformed requests: always a 4xx, with the reason in the status line, the body, problem+json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.raw_http import Wire, raw
from tests.factories.bad_input import FORM, START, field, form, json_values
from tests.factories.packages import make_conda, make_wheel

NAMES = [
    "%00",
    "a%00b",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e%252f",
    "..%5c..%5c",
    "%0d%0aSet-Cookie:%20x",
    "a" * 5000,
    "%ff%fe",
    "%ed%a0%80",
    "con",
    "nul.whl",
    "%e2%80%ae",
    "name%20with%20spaces",
    "';drop%20table%20files;--",
    "%25",
    "<script>",
]

PLACES = [
    ("GET", "/main/simple/{}/"),
    ("GET", "/{}/simple/x/"),
    ("GET", "/main/files/{}/x.whl"),
    ("GET", "/main/files/" + "0" * 64 + "/{}"),
    ("GET", "/main/{}/repodata.json"),
    ("GET", "/main/noarch/{}"),
    ("GET", "/main/label/{}/noarch/repodata.json"),
    ("GET", "/api/package/owner/{}"),
    ("GET", "/api/package/{}/x"),
    ("GET", "/api/dist/owner/my_package/1.0.0/{}"),
    ("GET", "/api/channels/owner/{}"),
    ("DELETE", "/api/authentications/name/{}"),
    ("GET", "/api/package/owner/absent?x={}"),
    ("DELETE", "/api/release/owner/my_package/{}"),
    ("POST", "/api/stage/owner/my_package/1.0.0/{}/x-1-0.txt;"),
    ("POST", "/{}/legacy/"),
]


@pytest.mark.parametrize(("method", "pattern"), PLACES)
def test_names_in_addresses_are_refused_however_they_are_encoded(
    shared_place: Wire, method: str, pattern: str
) -> None:
    for name in NAMES:
        address = pattern.format(name)
        answer, _ = shared_place.send(method, address)
        if answer.status in (301, 308):  # to the normalised name
            assert answer.headers["set-cookie"] is None
            continue
        shared_place.refused(method, address)


def test_a_search_for_what_no_name_holds_finds_nothing_or_is_refused(shared_place: Wire) -> None:
    for word in NAMES:
        answer, content = shared_place.send("GET", f"/api/search?name={word}")
        assert answer.status in (200, 400), content
        assert answer.status == 400 or isinstance(json.loads(content), list)


BODIES = [
    b"",
    b"not json",
    b"[]",
    b'"text"',
    b"null",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"public_attrs": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"note": "\\ud800"}',
    b'{"package": "a\\u0000b"}',
    b'{"\\u0000": 1}',
    b'{"package": 1, "scopes": {}, "public_attrs": [], "dist_id": [], "channels": "main"}',
    b'{"package": {}, "note": [], "public_attrs": 7, "dist_id": 1.5, "channels": [1]}',
    b'{"max-age": -1, "version": [], "public_attrs": "x", "dist_id": true, "channels": [null]}',
    b'{"max-age": 1e400, "package": NaN}',
    b'{"max-age": 999999999999999999999999, "package": "absent"}',
    b"\xff\xfe{}",
    b'{"a": "' + b"x" * (2 << 20) + b'"}',
]

CALLS = [
    ("POST", "/api/authentications"),
    ("POST", "/api/package/owner/my_package"),
    ("POST", "/api/release/owner/my_package/1.0.0"),
    ("POST", "/api/stage/owner/my_package/1.0.0/noarch/my_package-2-0.conda"),
    ("POST", "/api/commit/owner/my_package/1.0.0/noarch/my_package-2-0.conda"),
    ("POST", "/api/channels/owner/dev"),
    ("DELETE", "/api/channels/owner/dev"),
    ("POST", "/api/copy/package/owner/my_package/1.0.0/"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_bodies_that_no_client_sends_are_refused(
    shared_place: Wire, method: str, path: str
) -> None:
    for body in BODIES:
        answer, content = shared_place.send(method, path, body)
        where = f"{method} {path} {body[:60]!r}: {answer.status} {content[:300]!r}"
        assert answer.status < 500, where
        if answer.status >= 400:
            shared_place.refused(method, path, body)


TOLD = ["note", "scopes", "max-age", "user", "fail-if-exists", "public_attrs", "summary"]
NAMED = ["package", "version", "basename", "channels", "sha256", "dist_id", "to_owner"]
FIELDS = st.sampled_from([*TOLD, *NAMED])


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)
@given(call=st.sampled_from(CALLS), fields=st.dictionaries(FIELDS, json_values(), max_size=4))
def test_any_json_is_answered_below_500(
    shared_place: Wire, call: tuple[str, str], fields: dict[str, object]
) -> None:
    body = json.dumps(fields).encode()
    answer, content = shared_place.send(*call, body)
    assert answer.status < 500, content
    if answer.status >= 400:
        shared_place.refused(*call, body)


FORMS: dict[str, tuple[bytes, str]] = {
    "no form": (b"{}", "application/json"),
    "no boundary": (form(*START), "multipart/form-data"),
    "another boundary": (form(*START, boundary=b"C"), FORM),
    "long boundary": (form(*START), "multipart/form-data; boundary=" + "b" * 5000),
    "nothing": (b"", FORM),
    "cut off": (form(*START)[:-8], FORM),
    "garbage": (bytes(range(256)) * 10, FORM),
    "1,001 parts": (form(*(field(f"f{n}") for n in range(1001))), FORM),
    "a part without a name": (form(*START, b"Content-Disposition: form-data\r\n\r\nx"), FORM),
    "no file": (form(*START, field("name", b"x")), FORM),
    "no action": (form(field("content", b"x", '; filename="x-1.0.tar.gz"')), FORM),
    "not UTF-8": (form(*START, field("name", b"\xff\xfe")), FORM),
    "NUL in a field": (
        form(*START, field("name", b"a\0b"), field("content", b"x", '; filename="x-1.tar.gz"')),
        FORM,
    ),
    "two files": (form(*START, *[field("content", b"x", '; filename="x-1.tar.gz"')] * 2), FORM),
    "17 MB in a field": (form(*START, field("description", b"x" * (17 << 20))), FORM),
    "a part with 100,000 bytes of headers": (
        form(*START, b"X-Long: " + b"x" * 100_000 + b"\r\n\r\nx"),
        FORM,
    ),
    **{
        f"the file name {name[:30]!r}": (
            form(*START, field("content", b"PK", f'; filename="{name}"')),
            FORM,
        )
        for name in (
            "../../etc/passwd",
            "..\\\\x.whl",
            "a\0b.whl",
            "x-1.0-py3-none-any.whl\r\nX: y",
            "con.whl",
            "x" * 300 + ".whl",
            "x-1.0-py3-none-any.whl ",
            "%2e%2e%2fx.whl",
            "x.exe",
            "",
            "\N{RIGHT-TO-LEFT OVERRIDE}lhw.x",
        )
    },
}


@pytest.mark.parametrize("case", FORMS)
@pytest.mark.parametrize("path", ["/main/legacy/", "/main/upload"])
def test_forms_that_no_client_sends_are_refused(shared_place: Wire, path: str, case: str) -> None:
    body, media = FORMS[case]
    shared_place.refused("POST", path, body, media=media)
    assert not list(shared_place.place.registry.spool.iterdir())


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)
@given(data=st.data())
def test_a_damaged_file_is_refused_and_never_a_fault_of_ours(
    shared_place: Wire, tmp_path: Path, data: st.DataObject
) -> None:
    conda = data.draw(st.booleans())
    whole = make_conda(tmp_path / "c", "fuzz") if conda else make_wheel(tmp_path / "w", "fuzz")
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content) // 2]))]
    body = form(*START, field("content", bytes(content), f'; filename="{whole.name}"'))
    answer, message = shared_place.send("POST", "/main/legacy/", body, media=FORM)
    assert answer.status in (200, 400), message


@pytest.mark.parametrize(
    "header",
    [
        "Basic !!!",
        "Basic " + "A" * 20_000,
        "Basic /////w==",
        "Bearer",
        "Bearer \xff",
        "token twofold-" + "x" * 5000,
        "Digest x",
        "Basic dG9rZW46AA==",
        "Basic YQBiOmM=",
    ],
)
def test_credentials_that_make_no_sense_are_refused_or_are_none(
    shared_place: Wire, header: str
) -> None:
    answer, content = shared_place.send("GET", "/api/user", Authorization=header)
    assert 400 <= answer.status < 500, content
    shared_place.refused("GET", "/api/user", Authorization=header)


def test_a_reason_neither_ends_the_status_line_nor_adds_a_header(shared_place: Wire) -> None:
    for name in ("x%0d%0aX-Evil:%20yes", "x%0aX-Evil:%20yes", "\\u2028", "%c2%85", "z" * 8000):
        answer, _ = shared_place.send("GET", f"/api/package/owner/{name}")
        assert answer.headers["x-evil"] is None and len(answer.reason) <= 400
        body = json.dumps({"scopes": [name.replace("%0d", "\r").replace("%0a", "\n")]}).encode()
        answer, _ = shared_place.send("POST", "/api/authentications", body)
        assert answer.status == 400 and answer.headers["x-evil"] is None


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /main/simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /main/simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    ],
)
def test_bytes_that_are_no_request_get_a_400_or_a_closed_line(
    shared_place: Wire, request_: bytes
) -> None:
    try:
        answer = raw(shared_place.place, request_)
    except (TimeoutError, ConnectionError):
        answer = b""
    assert not answer or answer.split()[1].startswith((b"4", b"3", b"2"))
    head, _, body = answer.partition(b"\r\n\r\n")
    if answer.startswith(b"HTTP/1.1 400"):
        assert b"application/problem+json" in head
        assert json.loads(body)["message"].encode() in head.split(b"\r\n")[0]
    assert shared_place.place.get("/healthz").status_code == 200
