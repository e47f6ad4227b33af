"""A conda upstream with shards (CEP 16): reads the shard index and single shards.

Only requested shards are fetched, so a channel may be as large as conda-forge. A shard is named by
the hash of its bytes; it is passed on byte for byte if all its packages are acceptable, and
serialized anew without the others if not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

import msgpack

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, HttpResponse, fetch_page
from twofold.index import repodata
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_repodata import decompress, is_sound_record

NAME = "repodata_shards.msgpack.zst"

#: The largest index and the largest shard (bytes, compressed and decompressed): conda-forge's
#: indexes list some 30,000 names in 2 MB, its largest shards have as much.
MAX_LIST_SIZE, MAX_LIST_SIZE_DECOMPRESSED = 16 << 20, 64 << 20
MAX_SHARD_SIZE, MAX_SHARD_SIZE_DECOMPRESSED = 16 << 20, 96 << 20

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,127}")
_GROUPS = ("packages", "packages.conda")


@dataclass(frozen=True)
class RemoteShardList:
    """A subdir's shard index: name -> SHA-256 (hex), and the base URLs of shards and packages."""

    shards: Mapping[str, str]
    shards_url: str
    base_url: str


def fetch_list(source: Endpoint, subdir: str, known: str = "") -> HttpResponse | None:
    """Fetch the shard index; None when the upstream has none. Raises Unreachable."""
    url = urljoin(f"{source.url.rstrip('/')}/{quote(subdir)}/", NAME)
    return fetch_page(source, url, "*/*", known, MAX_LIST_SIZE)


def parse_list(body: bytes, address: str) -> RemoteShardList:
    """Parse a shard index. Raises Unreachable when it is malformed."""
    try:
        value = msgpack.unpackb(decompress(body, MAX_LIST_SIZE_DECOMPRESSED))
        info = value["info"]
        shards = {
            name: bytes(sha256).hex()
            for name, sha256 in value["shards"].items()
            if _NAME.fullmatch(name) and len(sha256) == 32
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
