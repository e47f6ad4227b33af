"""A conda upstream: reads its repodata, its shard index and its shards (CEP 16).

A subdir's repodata is read whole (`.zst` if available), up to a size that fits into memory, and
merged with the channel's. Of shards only requested ones are fetched, so a channel may be as large
as conda-forge. A shard is named by the hash of its bytes; it is passed on byte for byte if all its
packages are acceptable, and serialized again without the others if not.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import logging
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

import msgpack

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, HttpResponse, fetch_page
from twofold.formats.conda_reader import find_unreadable_keys
from twofold.formats.light.zstd import ZstdReader
from twofold.formats.limits import WINDOW_LOG
from twofold.index import repodata
from twofold.server.proxy.remote_files import ListResponse, RemoteFile, RemoteProject

log = logging.getLogger("twofold.server")

#: The largest repodata.json to read (bytes, decompressed): some 150,000 packages. Parsed, it takes
#: five times that.
MAX_PAGE_SIZE = 96 << 20

#: The validator of a subdir begins with the name of its page.
_PAGES = ("repodata.json.zst", "repodata.json", "repodata.json.bz2")


def fetch_files(source: Endpoint, subdir: str, known: str = "") -> ListResponse | None:
    """Fetch the files of a subdir; None when the upstream has no such subdir.

    Raises Unreachable, and Refused (404) when it is too large to be read whole.
    """
    name_known, _, validator = known.partition(" ")
    problem: Unreachable | None = None
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
        try:
            return ListResponse(_parse_repodata(found, name), validator_here)
        except Unreachable as error:  # a damaged one; another form may be sound
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def _parse_repodata(found: HttpResponse, name: str) -> RemoteProject:
    try:
        value = json.loads(_decompress_page(found.body, name))
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
    good = tuple(file for file in every if file.is_sound)
    names = {file.entry["name"] for file in every} - {file.entry["name"] for file in good}
    if names:
        text = "%s: %d names have no package with a SHA-256, such as %s"
        log.warning(text, found.address, len(names), min(names))
    return RemoteProject(good, unusable=tuple(sorted(names)))


def _decompress_page(body: bytes, name: str) -> bytes:
    """Decompress a page by its name. Raises ValueError."""
    if name.endswith(".zst"):
        return decompress(body, MAX_PAGE_SIZE)
    if not name.endswith(".bz2"):
        return body
    try:
        data = bz2.BZ2File(io.BytesIO(body)).read(MAX_PAGE_SIZE + 1)
    except (OSError, EOFError) as error:
        raise ValueError(str(error)) from error
    if len(data) > MAX_PAGE_SIZE:
        raise TooLargeError(f"more than {MAX_PAGE_SIZE} bytes")
    return data


class TooLargeError(ValueError):
    """The data exceed the size limit."""


def decompress(body: bytes, largest: int) -> bytes:
    """Decompress zstd data. Raises ValueError: damaged, or too large (TooLargeError)."""
    data = ZstdReader(io.BytesIO(body), WINDOW_LOG).read(largest + 1)
    if len(data) > largest:
        raise TooLargeError(f"more than {largest} bytes")
    return data


def is_sound_record(filename: str, record: object) -> bool:
    """Whether a package's record may be passed on.

    It agrees with the file name, so that none hides behind another, and clients can read it: one
    value of a wrong type takes a name, and in repodata.json all names, with it.
    """
    if not isinstance(record, dict) or find_unreadable_keys(record):
        return False
    if any(not is_usable(record[key]) for key, is_usable in _MORE_KEYS.items() if key in record):
        return False
    stem = f"{record['name']}-{record['version']}-{record['build']}"
    return filename in (f"{stem}.conda", f"{stem}.tar.bz2")


def _is_size(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 1 << 63)


def _is_md5(value: object) -> bool:
    if isinstance(value, bytes):
        return len(value) == 16
    return value is None or (isinstance(value, str) and bool(_MD5.fullmatch(value)))


def _are_run_exports(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and all(
        isinstance(specs, list) and all(isinstance(spec, str) for spec in specs)
        for specs in value.values()
    )


_MD5 = re.compile("[0-9A-Fa-f]{32}")
#: Keys of a record that info/index.json has not.
_MORE_KEYS: dict[str, Callable[[Any], bool]] = {
    "legacy_bz2_md5": _is_md5,
    "legacy_bz2_size": _is_size,
    "md5": _is_md5,
    "run_exports": _are_run_exports,
    "size": _is_size,
}


def _parse_records(value: dict[str, Any], address: str) -> Iterable[RemoteFile]:
    base = urljoin(address, str((value.get("info") or {}).get("base_url") or ""))
    base = base if base.endswith("/") else f"{base}/"
    for group in ("packages", "packages.conda"):
        for filename, record in (value.get(group) or {}).items():
            if is_sound_record(filename, record):
                sha256 = str(record.get("sha256", "")).lower()
                yield RemoteFile(filename, sha256, urljoin(base, quote(filename)), record)


def merge_repodata(own: bytes, remote: Iterable[RemoteFile], here: Container[str]) -> bytes:
    """Merge remote files into our repodata.json.

    Our records decide about the files in `here` (file names, including deleted ones).
    """
    value = json.loads(own)
    for file in remote:
        group = "packages" if file.filename.endswith(".tar.bz2") else "packages.conda"
        if file.filename not in here:
            value[group][file.filename] = file.entry
    return json.dumps(value, separators=(",", ":")).encode()


SHARD_INDEX = "repodata_shards.msgpack.zst"

#: The largest index and the largest shard (bytes, compressed and decompressed): conda-forge's
#: indexes list some 30,000 names in 2 MB, its largest shards have as much.
MAX_LIST_SIZE, MAX_LIST_SIZE_DECOMPRESSED = 16 << 20, 64 << 20
MAX_SHARD_SIZE, MAX_SHARD_SIZE_DECOMPRESSED = 16 << 20, 96 << 20

_PACKAGE_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,127}")
_GROUPS = ("packages", "packages.conda")


@dataclass(frozen=True)
class RemoteShardList:
    """A subdir's shard index: name -> SHA-256 (hex), and the base URLs of shards and packages."""

    shards: Mapping[str, str]
    shards_url: str
    base_url: str


def fetch_list(source: Endpoint, subdir: str, known: str = "") -> HttpResponse | None:
    """Fetch the shard index; None when the upstream has none. Raises Unreachable."""
    url = urljoin(f"{source.url.rstrip('/')}/{quote(subdir)}/", SHARD_INDEX)
    return fetch_page(source, url, "*/*", known, MAX_LIST_SIZE)


def parse_list(body: bytes, address: str) -> RemoteShardList:
    """Parse a shard index. Raises Unreachable when it is malformed."""
    try:
        value = msgpack.unpackb(decompress(body, MAX_LIST_SIZE_DECOMPRESSED))
        info = value["info"]
        shards = {
            name: bytes(sha256).hex()
            for name, sha256 in value["shards"].items()
            if _PACKAGE_NAME.fullmatch(name) and len(sha256) == 32
        }
        places = (
            _resolve_folder(address, info.get(key)) for key in ("shards_base_url", "base_url")
        )
        return RemoteShardList(shards, *places)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreachable(f"the upstream's page {address} cannot be read: {error}") from error


def _resolve_folder(address: str, declared: Any) -> str:
    url = urljoin(address, str(declared or "./"))
    return url if url.endswith("/") else f"{url}/"


def fetch_shard(source: Endpoint, shard_list: RemoteShardList, name: str) -> bytes:
    """Fetch the shard of a name. Raises Unreachable, and Refused (502) on a hash mismatch."""
    sha256 = shard_list.shards[name]
    url = urljoin(shard_list.shards_url, f"{sha256}.msgpack.zst")
    found = fetch_page(source, url, "*/*", "", MAX_SHARD_SIZE)
    if found is None:
        raise Unreachable(f"the upstream has no {url}, which it lists", "try again later")
    if hashlib.sha256(found.body).hexdigest() != sha256:
        raise Refused(
            "upstream-damaged", f"The upstream's {url} is not what its name says", "", 502
        )
    return found.body


def parse_shard(
    body: bytes, shard_list: RemoteShardList, name: str
) -> tuple[list[RemoteFile], bool]:
    """Return the acceptable packages of a shard, and whether these are all. Raises Unreachable."""
    try:
        value = msgpack.unpackb(decompress(body, MAX_SHARD_SIZE_DECOMPRESSED), strict_map_key=False)
        found = list(_parse_files(value, shard_list.base_url, name))
        count = sum(len(value.get(group) or {}) for group in _GROUPS)
        whole = len(found) == count and not set(value) - {*_GROUPS, "removed"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"the upstream's shard of {name} cannot be read: {error}"
        raise Unreachable(text) from error
    return found, whole


def _parse_files(value: Mapping[str, Any], base: str, name: str) -> Iterable[RemoteFile]:
    for group in _GROUPS:
        for filename, record in (value.get(group) or {}).items():
            if not is_sound_record(filename, record) or record["name"] != name:
                continue
            entry = dict(record)
            for key in ("sha256", "md5"):
                if isinstance(entry.get(key), bytes):
                    entry[key] = entry[key].hex()
            url = urljoin(base, quote(filename))
            file = RemoteFile(filename, str(entry.get("sha256", "")), url, entry)
            if file.is_sound:
                yield file


def serialize_shard(records: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Serialize records by file name as a shard."""
    return repodata.make_shard({filename: dict(record) for filename, record in records.items()})
