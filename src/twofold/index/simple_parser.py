"""Reads project pages of a simple index: HTML (PEP 503) and JSON (PEP 691), into one value.

The one reader for publishing, proxies, recipes and installation; `index/simple.py` writes such
pages. What a page does not have (PEP 592 yanks, PEP 658 metadata, PEP 792 status) is empty.
"""

from __future__ import annotations

import html.parser
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

#: What a reader of both forms sends as Accept.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)
#: Optional keys of a file in the JSON form that HTML has as attributes or not at all.
_OPTIONAL = ("requires-python", "size", "upload-time")


@dataclass(frozen=True)
class SimpleFile:
    """One file of a project's page.

    `url` is absolute and without its fragment. `sha256` is lower-case hex, '' where the page has
    none. `yanked` is the reason, '' for none, and None for a file that is not yanked.
    `metadata_sha256` is the hash of the wheel's METADATA, '' where the page has none. `details`
    are `requires-python`, `size` and `upload-time` where the page has them.
    """

    filename: str
    url: str
    sha256: str = ""
    yanked: str | None = None
    metadata_sha256: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectPage:
    """A project's files in the order of the page; `status` is PEP 792's, '' where it has none."""

    files: tuple[SimpleFile, ...] = ()
    status: str = ""

    @property
    def by_name(self) -> dict[str, SimpleFile]:
        """The files by their names; of two of the same name the last."""
        return {file.filename: file for file in self.files}


def parse_project_page(body: bytes, media_type: str, url: str) -> ProjectPage:
    """The page at `url`, by its media type. Raises ValueError for a page that is malformed."""
    if media_type.endswith("json"):
        return parse_json_page(body, url)
    return parse_html_page(body.decode("utf-8", "replace"), url)


def parse_json_page(body: bytes, url: str) -> ProjectPage:
    """A page in the JSON form (PEP 691). Raises ValueError for a malformed one."""
    try:
        value = json.loads(body)
        status = (value.get("project-status") or {}).get("status", "")
        return ProjectPage(tuple(_parse_entry(file, url) for file in value["files"]), str(status))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the page is not as PEP 691 has it: {error}") from error


def _parse_entry(file: Mapping[str, Any], url: str) -> SimpleFile:
    yanked = file.get("yanked")
    metadata = file.get("core-metadata", file.get("data-dist-info-metadata"))
    return SimpleFile(
        file["filename"],
        urldefrag(urljoin(url, file["url"])).url,
        str(file.get("hashes", {}).get("sha256", "")).lower(),
        yanked if isinstance(yanked, str) else "" if yanked is True else None,
        find_metadata_hash(metadata),
        {key: file[key] for key in _OPTIONAL if file.get(key) is not None},
    )


def find_metadata_hash(hashes: object) -> str:
    """The SHA-256 among the hashes of METADATA (PEP 658), '' where there is no usable one."""
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else ""
    return sha256.lower() if isinstance(sha256, str) and len(sha256) == 64 else ""


def parse_html_page(text: str, url: str) -> ProjectPage:
    """A page in the HTML form (PEP 503); links without a file name are left out."""
    parser = _LinkParser()
    parser.feed(text)
    parser.close()
    found = (_parse_link(attributes, url) for attributes in parser.links)
    return ProjectPage(tuple(file for file in found if file.filename))


def _parse_link(attributes: Mapping[str, str | None], url: str) -> SimpleFile:
    address, fragment = urldefrag(urljoin(url, attributes.get("href") or ""))
    kind, _, value = (attributes.get("data-core-metadata") or "").partition("=")
    requires = attributes.get("data-requires-python")
    is_yanked = "data-yanked" in attributes
    return SimpleFile(
        urlsplit(address).path.rpartition("/")[2],
        address,
        fragment.partition("sha256=")[2].partition("&")[0].lower(),
        (attributes["data-yanked"] or "") if is_yanked else None,
        find_metadata_hash({kind: value}),
        {"requires-python": requires} if requires else {},
    )


class _LinkParser(html.parser.HTMLParser):
    """Collects the attributes of every link."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser for each start tag."""
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes)
