"""Reads project pages of a simple index: HTML (PEP 503) and JSON (PEP 691), into one value.

The one reader for publishing, proxies, recipes and installation; `index/simple.py` writes such
pages. What a page does not have (PEP 592 yanks, PEP 658 metadata, PEP 792 status) is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

from twofold.index.html_tags import iter_start_tags

#: What a reader of both forms sends as Accept.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)
#: The longest `requires-python` that is passed on (characters).
_MAX_SPECIFIER = 1000
#: Optional keys of a file in the JSON form that HTML has as attributes or not at all, and whether a
#: value can be passed on: uv reads no page in which one has another type.
_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "requires-python": lambda value: _is_plain(value) and len(value) <= _MAX_SPECIFIER,
    "size": lambda value: type(value) is int and 0 <= value < 1 << 63,
    "upload-time": lambda value: _is_plain(value) and _is_time(value),
}
_SHA256 = re.compile("[0-9a-f]{64}")
#: Where a page declares METADATA: PEP 714's key, then the one before it.
_METADATA_KEYS = ("core-metadata", "dist-info-metadata")
#: Characters that a URL may hold as they are; browsers and pip encode the others.
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"


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
    """A project's files in the order of the page.

    `status` and `status_reason` are PEP 792's, '' where the page has none.
    """

    files: tuple[SimpleFile, ...] = ()
    status: str = ""
    status_reason: str = ""

    @property
    def by_name(self) -> dict[str, SimpleFile]:
        """The files by their names; of two of the same name the last."""
        return {file.filename: file for file in self.files}


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def parse_project_page(body: bytes, media_type: str, url: str) -> ProjectPage:
    """The page at `url`, by its media type. Raises ValueError for a page that is malformed.

    Stores of static files send both forms under any type; what is neither is no page.
    """
    start = body[:100].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if media_type.endswith("json") or start == b"{":
        return parse_json_page(body, url)
    if "html" not in media_type and start not in (b"<", b""):
        raise ValueError(f"it is {media_type}, and neither HTML nor JSON")
    return parse_html_page(body.decode("utf-8", "replace"), url)


def _check_version(text: object) -> None:
    """Raise ValueError for a page of a later major version (PEP 629, PEP 691)."""
    major = str(text or "1").partition(".")[0]
    if major.isdecimal() and int(major[:9]) > 1:
        raise ValueError(f"its version is {str(text)[:20]}, and 1 is understood")


def parse_json_page(body: bytes, url: str) -> ProjectPage:
    """A page in the JSON form (PEP 691). Raises ValueError for a malformed one."""
    try:
        value = json.loads(body)
        _check_version((value.get("meta") or {}).get("api-version"))
        status = value.get("project-status") or {}
        status = status if isinstance(status, dict) else {"status": status}
        return ProjectPage(
            tuple(_parse_each(_parse_entry, value["files"], url)),
            _clean(status.get("status") or "").strip().lower(),
            _clean(status.get("reason") or ""),
        )
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the page is not as PEP 691 has it: {error}") from error


def _parse_entry(file: Mapping[str, Any], url: str) -> SimpleFile:
    yanked = file.get("yanked")
    metadata = next((file[key] for key in _METADATA_KEYS if file.get(key) is not None), None)
    details = {key: file[key] for key, is_usable in _OPTIONAL.items() if is_usable(file.get(key))}
    filename: str = file["filename"]
    return SimpleFile(
        filename + "",  # raises for what is no text
        urldefrag(_make_absolute(url, file["url"])).url,
        str((file.get("hashes") or {}).get("sha256", "")).lower(),
        (_clean(yanked) if isinstance(yanked, str) else "") if yanked else None,
        find_metadata_hash(metadata),
        details,
    )


def _clean(text: object) -> str:
    """Return a text without what cannot be encoded: JSON may hold halves of surrogate pairs."""
    return str(text).encode("utf-8", "replace").decode()


def find_metadata_hash(hashes: object) -> str:
    """The SHA-256 among the hashes of METADATA (PEP 658), '' where there is no usable one."""
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else ""
    is_hash = isinstance(sha256, str) and _SHA256.fullmatch(sha256.lower())
    return str(sha256).lower() if is_hash else ""


def parse_html_page(text: str, url: str) -> ProjectPage:
    """A page in the HTML form (PEP 503); links without a file name are left out.

    Raises ValueError for a later version, and for a page that asks for a password.
    """
    links: list[dict[str, str | None]] = []
    metas: dict[str, str] = {}
    base = ""
    for tag, attributes in iter_start_tags(text):
        if tag == "a" and attributes.get("href"):
            links.append(attributes)
        elif tag == "base" and not base:  # HTML: the first one counts
            base = attributes.get("href") or ""
        elif tag == "meta" and attributes.get("name"):
            metas.setdefault(str(attributes["name"]).lower(), attributes.get("content") or "")
        elif tag == "input" and (attributes.get("type") or "").lower() == "password":
            raise ValueError("it asks for a password")
    _check_version(metas.get("pypi:repository-version"))
    try:
        base = _make_absolute(url, base)
    except ValueError:  # no valid address: browsers ignore it too
        base = url
    found = _parse_each(_parse_link, links, base)
    return ProjectPage(
        tuple(file for file in found if file.filename),
        metas.get("pypi:project-status", "").strip().lower(),
        metas.get("pypi:project-status-reason", ""),
    )


def _parse_each(
    parse: Callable[[Any, str], SimpleFile], entries: Any, url: str
) -> list[SimpleFile]:
    """Parse each entry of a page; a malformed one takes none of the others with it.

    Raises ValueError where all of them are malformed.
    """
    found, problem = [], None
    for entry in entries:
        try:
            found.append(parse(entry, url))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            problem = problem or error
    if problem is not None and not found:
        raise ValueError(f"no file of the page can be read: {problem}") from problem
    return found


def _parse_link(attributes: Mapping[str, str | None], base: str) -> SimpleFile:
    address, fragment = urldefrag(_make_absolute(base, attributes.get("href") or ""))
    hashes = {key.lower(): value for key, value in parse_qsl(fragment)}
    names = (f"data-{key}" for key in _METADATA_KEYS)
    declared = next((attributes[name] for name in names if name in attributes), "")
    kind, _, value = (declared or "").partition("=")
    requires = attributes.get("data-requires-python")
    is_yanked = "data-yanked" in attributes
    return SimpleFile(
        unquote(urlsplit(address).path).rpartition("/")[2],
        address,
        hashes.get("sha256", "").strip().lower(),
        (attributes["data-yanked"] or "") if is_yanked else None,
        find_metadata_hash({kind.lower(): value}),
        {"requires-python": requires} if _OPTIONAL["requires-python"](requires or None) else {},
    )


def _make_absolute(base: str, url: str) -> str:
    """Join a page's URL with that of a link; characters no URL may hold are encoded."""
    parts = urlsplit(urljoin(base, url.strip()))
    path, query = (quote(part, safe=_URL_CHARACTERS) for part in (parts.path, parts.query))
    return urlunsplit(parts._replace(path=path, query=query))
