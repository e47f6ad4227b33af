"""A conda upstream without shards: reads its repodata, and merges it with the channel's.

A subdir's repodata is read whole (`.zst` if available), up to a size that fits into memory;
`upstream_shards` reads channels of any size.
"""

from __future__ import annotations

import io
import json
from collections.abc import Container, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urljoin

import zstandard

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, HttpResponse, fetch_page
from twofold.server.proxy.remote_files import ListResponse, RemoteFile, RemoteProject

#: The largest repodata.json to read (bytes, decompressed): some 150,000 packages. Parsed, it takes
#: five times that.
MAX_PAGE_SIZE = 96 << 20

_ENDINGS = (".conda", ".tar.bz2")

#: The validator of a subdir begins with the name of its page.
_PAGES = ("repodata.json.zst", "repodata.json")


def fetch_files(source: Endpoint, subdir: str, known: str = "") -> ListResponse | None:
    """Fetch the files of a subdir; None when the upstream has no such subdir.

    Raises Unreachable, and Refused (404) when it is too large to be read whole.
    """
    name_known, _, validator = known.partition(" ")
    for name in _PAGES:
        url = urljoin(f"{source.url.rstrip('/')}/{quote(subdir)}/", name)
        found = fetch_page(
            source, url, "*/*", validator if name == name_known else "", MAX_PAGE_SIZE
        )
        if found is None:
            continue
        if found.unchanged:
            return ListResponse(unchanged=True)
        validator_here = f"{name} {found.validator}" if found.validator else ""
        files = _parse_repodata(found, name.endswith(".zst"))
        return ListResponse(RemoteProject(tuple(files)), validator_here)
    return None


def _parse_repodata(found: HttpResponse, is_compressed: bool) -> list[RemoteFile]:
    try:
        value = json.loads(decompress(found.body, MAX_PAGE_SIZE) if is_compressed else found.body)
        every = list(_parse_records(value, urljoin(found.address, ".")))
    except TooLargeError as error:
        raise Refused(
            "upstream-too-large",
            f"The upstream's repodata.json is too large to be passed on whole ({error})",
            "use a client that reads shards, or name the upstream's channel beside this one",
            404,
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"the upstream's page {found.address} cannot be read: {error}"
        raise Unreachable(text) from error
    return [file for file in every if file.is_sound]


class TooLargeError(ValueError):
    """The data exceed the size limit."""


def decompress(body: bytes, largest: int) -> bytes:
    """Decompress zstd data. Raises ValueError: damaged, or too large (TooLargeError)."""
    try:
        window = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        with window.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
            data = bytes(reader.read(largest + 1))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if len(data) > largest:
        raise TooLargeError(f"more than {largest} bytes")
    return data


def is_sound_record(filename: str, record: Mapping[str, Any]) -> bool:
    """Whether a package's file name agrees with its record, so that none hides behind another."""
    name = record.get("name")
    return (
        isinstance(name, str)
        and filename.endswith(_ENDINGS)
        and filename.rsplit("-", 2)[0] == name
        and filename.count("-") >= 2
    )


def _parse_records(value: dict[str, Any], address: str) -> Iterable[RemoteFile]:
    base = urljoin(address, str(value.get("info", {}).get("base_url") or ""))
    base = base if base.endswith("/") else f"{base}/"
    for group in ("packages", "packages.conda"):
        for filename, record in value.get(group, {}).items():
            if is_sound_record(filename, record):
                sha256 = str(record.get("sha256", "")).lower()
                yield RemoteFile(filename, sha256, urljoin(base, quote(filename)), record)


def merge_repodata(
    own: bytes, remote: Iterable[RemoteFile], private: Container[str], here: Container[str]
) -> bytes:
    """Merge remote files whose names are not private into our repodata.json.

    Our records decide about the files in `here` (file names, including deleted ones).
    """
    value = json.loads(own)
    for file in remote:
        group = "packages" if file.filename.endswith(".tar.bz2") else "packages.conda"
        if file.entry["name"] not in private and file.filename not in here:
            value[group][file.filename] = file.entry
    return json.dumps(value, separators=(",", ":")).encode()
