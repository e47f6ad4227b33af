"""What all pages share: errors for browsers and programs, compression, the operator's settings."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest
import requests
import zstandard

from tests.clients.raw_http import Wire
from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from twofold.errors import TwofoldError
from twofold.server.app import create_app
from twofold.server.web.pages.compression import choose_coding
from twofold.server.web.pages.error_pages import prefers_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
PIP = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/html, application/json;q=0.9", True),
        (PIP, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("TEXT/HTML", True),
    ],
)
def test_who_prefers_html(accept: str, expected: bool) -> None:
    assert prefers_html(accept) is expected


#: Path -> status of an error.
ERRORS = {
    "/main/project/nosuch": 404,
    "/nope": 404,
    "/main/noarch/": 404,
    "/main/nothing/at/all": 404,
    "/main/simple/nosuch/": 404,
    "/main/files/00/x.whl": 404,
    "/api/manage/users": 401,
    "/main/%00": 400,
    "/readyz/x": 404,
}


def test_an_error_is_a_page_for_browsers_and_a_problem_for_programs(served: Place) -> None:
    for path, status in ERRORS.items():
        url = f"{served.url}{path}"
        page = requests.get(url, headers={"Accept": BROWSER}, timeout=20)
        problem = requests.get(url, timeout=20)
        assert page.status_code == problem.status_code == status, path
        assert page.reason == problem.reason
        assert problem.headers["content-type"] == "application/problem+json"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        assert page.text.count("<h1>") == 1 and '<html lang="en">' in page.text
        assert problem.json()["message"] in page.text.replace("&#39;", "'")
        # A browser would ask for a password itself: its page links to the sign-in instead.
        assert "www-authenticate" not in page.headers
        assert ("www-authenticate" in problem.headers) is (status == 401)
        assert "/-/sign-in" in page.text


def test_a_bug_is_a_page_too(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "my_package", "1.0", "", "# Read me"))
    object.__setattr__(served.registry, "description_renderer", None)
    url = f"{served.url}/main/project/my-package"
    page = requests.get(url, headers={"Accept": BROWSER}, timeout=20)
    assert page.status_code == 500 and "<h1>" in page.text and "Traceback" not in page.text
    problem = requests.get(url, timeout=20)
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("br", ""),
        ("", ""),
        ("*", "zstd"),
        ("identity, *;q=0", ""),
        ("gzip;q=0", ""),
        ("gzip;q=many", ""),
    ],
)
def test_the_coding_that_a_client_prefers(accept: str, coding: str) -> None:
    assert choose_coding(accept) == coding


def test_pages_are_compressed_as_the_client_accepts(served: Place) -> None:
    bodies = {}
    for coding in ("identity", "gzip", "zstd"):
        answer, body = Wire(served).send("GET", "/main", **{"Accept-Encoding": coding})
        bodies[coding] = body
        assert answer.headers.get("content-encoding", "identity") == coding
        assert "Accept-Encoding" in answer.headers["vary"]
    unpack = zstandard.ZstdDecompressor().decompressobj().decompress
    assert gzip.decompress(bodies["gzip"]) == bodies["identity"]
    assert unpack(bodies["zstd"]) == bodies["identity"]
    assert len(bodies["zstd"]) < len(bodies["identity"]) / 2


def test_the_operators_name_notice_and_pictures_are_on_every_page(
    served: Place, tmp_path: Path
) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    settings = dataclasses.replace(
        served.settings, site_name="Acme <Labs>", site_notice="Down on & off", site_logo=logo
    )
    with serve(dataclasses.replace(served, settings=settings)) as place:
        for path in ("/", "/main", "/nope"):
            text = place.get(path, accept=BROWSER).text
            assert "Acme &lt;Labs&gt;" in text and "Down on &amp; off" in text
        picture = place.get("/-/logo")
        assert picture.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in picture.headers["content-security-policy"]
        same = place.get("/-/logo", if_none_match=picture.headers["etag"])
        assert same.status_code == 304
        assert place.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_a_picture_that_cannot_be_shown_stops_the_start(place: Place, tmp_path: Path) -> None:
    for name in ("logo.txt", "missing.png", "large.png"):
        path = tmp_path / name
        if name != "missing.png":
            path.write_bytes(b"x" * (600 << 10))
        settings = dataclasses.replace(place.settings, site_icon=path)
        with pytest.raises(TwofoldError) as error:
            create_app(settings, place.registry)
        assert error.value.problems[0].where == str(path) and error.value.problems[0].hint
