"""The simple API's pages: what the PEPs ask for, and nothing that could be injected."""

from __future__ import annotations

import hashlib
import html.parser
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from tests.factories.artifacts import METADATA, write_sdist, write_wheel
from twofold.artifact import Listing
from twofold.formats.reader import read_artifact
from twofold.index import simple

WHEN = datetime(2026, 11, 22, 23, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))


class LinkParser(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.links.append(dict(attrs))


def make_listings(folder: Path) -> list[Listing]:
    metadata = METADATA + "Requires-Python: >=3.9,<4\n"
    wheel = read_artifact(write_wheel(folder, metadata=metadata))
    sdist = read_artifact(write_sdist(folder))
    return [
        Listing(wheel, "../../files/w.whl", WHEN, yanked='bad <b>"news"</b>', provenance="p?a=1&b"),
        Listing(sdist, "../../files/s.tar.gz", WHEN),
    ]


def test_a_file_entry_has_all_that_the_peps_require(tmp_path: Path) -> None:
    own = make_listings(tmp_path)
    page = simple.make_project_page("My_Package", own, "archived", "moved & gone")
    assert page["name"] == "my-package"
    assert page["project-status"] == {"status": "archived", "reason": "moved & gone"}
    assert page["versions"] == ["1.0.0"]
    wheel, sdist = page["files"]
    assert wheel["filename"].endswith(".whl")
    metadata = hashlib.sha256(own[0].artifact.metadata).hexdigest()
    assert wheel["core-metadata"] == {"sha256": metadata}
    assert "dist-info-metadata" not in wheel  # PEP 714: it makes pip 22.3 to 23.1 fail
    assert wheel["requires-python"] == ">=3.9,<4"
    assert wheel["upload-time"] == "2026-11-22T22:00:00.123456Z"
    assert wheel["yanked"] == 'bad <b>"news"</b>'
    assert wheel["provenance"] == "p?a=1&b"
    assert sdist["core-metadata"] is False
    assert sdist["yanked"] is False
    assert "requires-python" not in sdist
    assert json.loads(simple.serialize(page)) == page


def test_a_yank_without_a_reason_is_true(tmp_path: Path) -> None:
    own = make_listings(tmp_path)[0]._replace(yanked="")
    page = simple.make_project_page("x", [own])
    assert page["files"][0]["yanked"] is True
    (link,) = LinkParser(simple.render_project_html(page)).links
    assert link["data-yanked"] == ""


def test_html_escapes_all_text(tmp_path: Path) -> None:
    page = simple.make_project_page("x", make_listings(tmp_path), "quarantined", '"><script>')
    found = LinkParser(simple.render_project_html(page))
    assert "script" not in found.tags
    assert "b" not in found.tags
    wheel, sdist = found.links
    assert wheel["data-yanked"] == 'bad <b>"news"</b>'
    assert wheel["data-requires-python"] == ">=3.9,<4"
    assert wheel["data-provenance"] == "p?a=1&b"
    assert str(wheel["href"]).startswith("../../files/w.whl#sha256=")
    assert wheel["data-core-metadata"] == wheel["data-dist-info-metadata"]
    assert "data-yanked" not in sdist


def test_the_root_lists_normalised_names_once() -> None:
    page = simple.make_root_page(["B_b", "a", "b-b"])
    assert page["projects"] == [{"name": "a"}, {"name": "b-b"}]
    links = LinkParser(simple.render_root_html(page)).links
    assert [link["href"] for link in links] == ["a/", "b-b/"]


def test_files_are_in_order_of_versions_and_not_of_text(tmp_path: Path) -> None:
    artifact = read_artifact(write_wheel(tmp_path))
    own = [
        Listing(artifact._replace(version=version), version, datetime.now(UTC))
        for version in ("1.10", "1.9", "1.10rc1")
    ]
    assert simple.make_project_page("x", own)["versions"] == ["1.9", "1.10rc1", "1.10"]
