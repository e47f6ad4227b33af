"""Every form in which indexes write a project's page is read into the same value."""

from __future__ import annotations

import json

import pytest

from twofold.index.simple_parser import (
    SimpleFile,
    parse_html_page,
    parse_json_page,
    parse_project_page,
)

URL = "https://index.example/simple/spam/"
HASH = "ab" * 32


def read_one(link: str, before: str = "") -> SimpleFile:
    (file,) = parse_html_page(f"<html><head>{before}</head>{link}</html>", URL).files
    return file


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("spam-1.0%2Bcpu-py3-none-any.whl", "spam-1.0+cpu-py3-none-any.whl"),
        ("spam-1%211.0.tar.gz", "spam-1!1.0.tar.gz"),
        ("%73pam-1.0.tar.gz", "spam-1.0.tar.gz"),
        ("a%2Fspam-1.0.tar.gz", "spam-1.0.tar.gz"),
        ("spam-1.0.tar.gz?download=1&amp;x=%20y", "spam-1.0.tar.gz"),
        ("spam-1.0+cpu.tar.gz", "spam-1.0+cpu.tar.gz"),
    ],
)
def test_a_file_is_named_by_the_decoded_end_of_its_address(written: str, name: str) -> None:
    file = read_one(f'<a href="../../files/{written}#sha256={HASH}">x</a>')
    assert (file.filename, file.sha256) == (name, HASH)
    assert file.url == f"https://index.example/files/{written.replace('&amp;', '&')}"


@pytest.mark.parametrize(
    "fragment",
    [
        f"sha256={HASH}",
        f"sha256={HASH.upper()}",
        f"egg=spam-1.0&amp;sha256={HASH}",
        f"egg=spam&amp;subdirectory=x&amp;sha256={HASH}",
        f"sha256={HASH}&amp;egg=spam",
        f"md5=0&amp;sha256={HASH}",
    ],
)
def test_the_hash_is_found_among_the_other_parts_of_a_fragment(fragment: str) -> None:
    assert read_one(f'<a href="spam-1.0.tar.gz#{fragment}">x</a>').sha256 == HASH


def test_a_name_that_ends_like_a_hash_is_no_hash() -> None:
    assert read_one(f'<a href="spam-1.0.tar.gz#egg=sha256={HASH}">x</a>').sha256 == ""


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://files.example/a/", "https://files.example/a/spam-1.0.tar.gz"),
        ("/mirror/", "https://index.example/mirror/spam-1.0.tar.gz"),
        ("../../packages/", "https://index.example/packages/spam-1.0.tar.gz"),
    ],
)
def test_links_are_relative_to_the_base_of_the_page(base: str, url: str) -> None:
    head = f'<BASE HREF="{base}"><base href="https://second.example/">'
    assert read_one('<a href="spam-1.0.tar.gz">x</a>', head).url == url


def test_characters_that_no_url_may_hold_are_encoded() -> None:
    file = read_one('<a href=" ../two words/spam-1.0-pÿ3.tar.gz ">x</a>')
    assert file.url == "https://index.example/simple/two%20words/spam-1.0-p%C3%BF3.tar.gz"
    assert file.filename == "spam-1.0-pÿ3.tar.gz"


@pytest.mark.parametrize(
    "attributes",
    [
        f'data-core-metadata="sha256={HASH}"',
        f'data-dist-info-metadata="sha256={HASH}"',
        f'data-core-metadata="SHA256={HASH.upper()}"',
        f'data-core-metadata="sha256={HASH}" data-dist-info-metadata="sha256={"0" * 64}"',
    ],
)
def test_metadata_is_found_under_the_key_of_pep_714_and_the_older_one(attributes: str) -> None:
    assert read_one(f'<a href="spam-1.0.tar.gz" {attributes}>x</a>').metadata_sha256 == HASH


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ({"core-metadata": {"sha256": HASH}}, HASH),
        ({"dist-info-metadata": {"sha256": HASH}}, HASH),
        ({"core-metadata": None, "dist-info-metadata": {"sha256": HASH}}, HASH),
        ({"core-metadata": False, "dist-info-metadata": {"sha256": HASH}}, ""),
        ({"core-metadata": True}, ""),
    ],
)
def test_metadata_is_found_in_json_under_both_keys(declared: dict[str, object], found: str) -> None:
    entry = {"filename": "spam-1.0.tar.gz", "url": "x", "hashes": {}, **declared}
    (file,) = parse_json_page(json.dumps({"files": [entry]}).encode(), URL).files
    assert file.metadata_sha256 == found


def test_the_status_is_read_from_both_forms() -> None:
    meta = '<meta name="pypi:project-status{}" content="{}">'
    html = meta.format("", "quarantined") + meta.format("-reason", "malware")
    status = {"status": "quarantined", "reason": "malware"}
    value = {"files": [], "project-status": status}
    for page in (parse_html_page(html, URL), parse_json_page(json.dumps(value).encode(), URL)):
        assert (page.status, page.status_reason) == ("quarantined", "malware")


JSON_PAGE = b'\xef\xbb\xbf {"meta": {}, "files": [{"filename": "spam.whl", "url": "spam.whl"}]}'


@pytest.mark.parametrize("media", ["application/octet-stream", "text/plain", "text/html", ""])
@pytest.mark.parametrize("body", [JSON_PAGE, b"\n<a href=spam.whl>"])
def test_a_page_is_read_under_whatever_type_a_store_sends_it(body: bytes, media: str) -> None:
    (file,) = parse_project_page(body, media, "https://host.example/").files
    assert file.url == "https://host.example/spam.whl"


@pytest.mark.parametrize("status", ["Quarantined", " quarantined "])
def test_a_status_is_read_however_it_is_written(status: str) -> None:
    page = json.dumps({"files": [], "project-status": status}).encode()
    assert parse_project_page(page, "application/json", "").status == "quarantined"
    text = f'<meta name="pypi:project-status" content="{status}">'
    assert parse_project_page(text.encode(), "text/html", "").status == "quarantined"
