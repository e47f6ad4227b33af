"""A conda channel's metadata from listings: repodata, shards, run_exports, channeldata, notices.

Pure functions, used by a folder's index and by the registry (CEP 6, 12, 15, 16, 36). Records are
what info/index.json says plus what only the file can say: hashes and size. The JSON is compact
with sorted keys, so the same listings give the same bytes.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring as _encode_text
from typing import NamedTuple

from twofold.formats.light import zstd
from twofold.index.placement import V3_MARKS, add_v3_records, is_v3_record, place_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from twofold.artifact import Artifact, Listing

#: zstandard's level for pages of JSON. They are half digits of hashes, among which levels 3 to 7
#: find short matches that cost more than the digits: conda's r/linux-64 (1.8 MB) is 346 kB in
#: 3 ms by level 1, 375 kB in 5 ms by level 3, 351 kB in 21 ms by level 7, 340 kB in 40 ms by 12.
PAGE_LEVEL = 1
#: The level for shards and their index, whose hashes are raw bytes.
SHARD_LEVEL = 7
#: From this size (bytes) a shard has a level of its own: 800 kB in 1.6 ms, not in 8.5, as small.
LARGE_SHARD, LARGE_SHARD_LEVEL = 64 << 10, 3

#: Keys of index.json that clients read in repodata; `formats.conda_reader` checks their types.
_SERVED_KEYS = frozenset(
    str.split(
        "build build_number constrains depends extra_depends features flags license "
        "license_family name noarch purls python_site_packages_path timestamp "
        "track_features version"
    )
)


class Shards(NamedTuple):
    """CEP 16: `repodata_shards.msgpack.zst`, and each shard by its file name."""

    names: bytes
    files: dict[str, bytes]


def make_record(artifact: Artifact) -> dict[str, Any]:
    """A package's record in repodata."""
    index = json.loads(artifact.metadata)
    hashes = (artifact.size, artifact.sha256, artifact.md5)
    return make_record_from_index(index, artifact.subdir, hashes)


def make_record_from_index(
    index: Mapping[str, Any], subdir: str, hashes: tuple[int, str, str]
) -> dict[str, Any]:
    """The record from info/index.json, and size in bytes, SHA-256 and MD5 (hex) of the file."""
    record = {k: value for k, value in index.items() if k in _SERVED_KEYS and value is not None}
    record.setdefault("depends", [])
    record["subdir"] = subdir
    record["size"], record["sha256"], record["md5"] = hashes
    return record


def make_repodata(
    subdir: str,
    listings: Iterable[Listing],
    removed: Iterable[str] = (),
    base_url: str = "",
) -> dict[str, Any]:
    """The value of repodata.json for the listings of one subdir, yanked ones left out.

    `base_url` is where the files lie when not beside repodata.json (CEP 15).
    """
    records = {
        listing.artifact.filename: make_record(listing.artifact)
        for listing in listings
        if listing.yanked is None
    }
    return make_repodata_from_records(subdir, records, removed, base_url)


def make_repodata_from_records(
    subdir: str,
    records: Mapping[str, dict[str, Any]],
    removed: Iterable[str] = (),
    base_url: str = "",
) -> dict[str, Any]:
    """The value of repodata.json from records by file name."""
    info = {"subdir": subdir, **({"base_url": base_url} if base_url else {})}
    value = {"info": info, **place_records(records)}
    own = value.pop("v3", {})
    value |= {"removed": sorted(removed), "repodata_version": 1}
    return add_v3_records(value, own)


def serialize(value: Mapping[str, Any]) -> bytes:
    """JSON as it is served: UTF-8, compact, keys sorted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def assemble_repodata(
    subdir: str,
    records: Iterable[tuple[str, str]],
    removed: Iterable[str] = (),
    base_url: str = "",
) -> bytes:
    """The bytes of repodata.json from file names and the JSON text of their records.

    The same as `to_bytes(from_records(...))`, without parsing a record: 10,000 take milliseconds.
    `records` must be sorted by file name, each text be what `to_bytes` gives.
    """
    bz2: list[str] = []
    conda: list[str] = []
    newer: dict[str, dict[str, Any]] = {}
    first, second, third = V3_MARKS
    for filename, text in records:
        if (first in text or second in text or third in text) and is_v3_record(
            record := json.loads(text)
        ):
            newer[filename] = record
            continue
        kind = bz2 if filename.endswith(".tar.bz2") else conda
        kind.append(f"{_encode_text(filename)}:{text}")
    rest = make_repodata_from_records(subdir, newer, removed, base_url)
    info = serialize(rest.pop("info")).decode()
    last = serialize({k: v for k, v in rest.items() if not k.startswith("packages")}).decode()[1:]
    parts = [f'{{"info":{info},"packages":{{', ",".join(bz2), '},"packages.conda":{']
    return "".join([*parts, ",".join(conda), "},", last]).encode()


def add_wheels(value: Mapping[str, Any], wheels: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Repodata with revision 3's records of wheels (CEP 43, 48): `name-version-build` -> record."""
    if not wheels:
        return dict(value)
    return add_v3_records(value, {**value.get("v3", {}), "whl": dict(sorted(wheels.items()))})


def compress(data: bytes) -> bytes:
    """A page of JSON as a .zst file."""
    return zstd.compress(data, PAGE_LEVEL)


def group_by_name(records: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The records by package name, then by file name."""
    names: dict[str, dict[str, dict[str, Any]]] = {}
    for filename, record in sorted(records.items()):
        names.setdefault(record["name"], {})[filename] = record
    return names


def make_shard(
    records: Mapping[str, dict[str, Any]], wheels: Mapping[str, dict[str, Any]] | None = None
) -> bytes:
    """All records of one package name, packed; the SHA-256 of this is its name (CEP 16).

    `wheels` are revision 3's records of wheels, under `v3` as in repodata.json.
    """
    import msgpack

    packed = {filename: encode_hashes(record) for filename, record in records.items()}
    value = {**place_records(packed), "removed": []}
    if wheels:
        own = {key: encode_hashes(record) for key, record in sorted(wheels.items())}
        value["v3"] = {**value.get("v3", {}), "whl": own}
    return compress_shard(msgpack.packb(value))


def compress_shard(packed: bytes) -> bytes:
    """A packed shard as a .zst file; a large one quickly, for it changes with every release."""
    return zstd.compress(packed, LARGE_SHARD_LEVEL if len(packed) > LARGE_SHARD else SHARD_LEVEL)


def encode_hashes(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a shard has it: its keys sorted, its hashes as raw bytes."""
    packed = dict(sorted(record.items()))
    for key in ("md5", "sha256"):
        if key in record:
            packed[key] = bytes.fromhex(record[key])
    return packed


def make_shard_index(
    subdir: str,
    hashes: Mapping[str, bytes],
    base_url: str = "./",
    shards_url: str = "./shards/",
    created_at: datetime | None = None,
) -> bytes:
    """`repodata_shards.msgpack.zst` from package name -> SHA-256 (32 raw bytes) of its shard.

    `created_at` (UTC) is a server's; a folder's index leaves it out and stays reproducible.
    """
    import msgpack

    info = {"subdir": subdir, "base_url": base_url, "shards_base_url": shards_url}
    if created_at is not None:
        info["created_at"] = created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    value = {"version": 1, "info": info, "shards": dict(sorted(hashes.items()))}
    return zstd.compress(msgpack.packb(value), SHARD_LEVEL)


def set_shard_base_url(body: bytes, base_url: str) -> bytes:
    """A shard index with another URL of its packages, unless it has one already."""
    import msgpack

    value = msgpack.unpackb(zstd.decompress(body))
    if value["info"]["base_url"] != "./":
        return body
    value["info"]["base_url"] = base_url
    return zstd.compress(msgpack.packb(value), SHARD_LEVEL)


def make_shards(
    subdir: str,
    records: Mapping[str, dict[str, Any]],
    base_url: str = "./",
    shards_url: str = "./shards/",
) -> Shards:
    """Every shard of a subdir and their index."""
    shards = {name: make_shard(own) for name, own in group_by_name(records).items()}
    return _index_shards(subdir, shards, base_url, shards_url)


def make_wheel_shards(subdir: str, wheels: Mapping[str, dict[str, Any]]) -> Shards:
    """Every shard of revision 3's records of wheels and their index."""
    shards = {name: make_shard({}, own) for name, own in group_by_name(wheels).items()}
    return _index_shards(subdir, shards, "./", "./shards/")


def _index_shards(
    subdir: str, shards: Mapping[str, bytes], base_url: str, shards_url: str
) -> Shards:
    import hashlib  # a build imports this module and makes no shards

    hashes = {name: hashlib.sha256(data).digest() for name, data in shards.items()}
    files = {f"{hashes[name].hex()}.msgpack.zst": data for name, data in shards.items()}
    return Shards(make_shard_index(subdir, hashes, base_url, shards_url), files)


def make_run_exports(subdir: str, exports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The value of run_exports.json from file name -> info/run_exports.json (CEP 12)."""
    value: dict[str, Any] = {"info": {"subdir": subdir, "version": 1}}
    for kind, ending in (("packages", ".tar.bz2"), ("packages.conda", ".conda")):
        value[kind] = {
            name: {"run_exports": dict(own)}
            for name, own in sorted(exports.items())
            if name.endswith(ending)
        }
    return value


def assemble_channeldata(entries: Iterable[tuple[str, str]], subdirs: Iterable[str]) -> bytes:
    """The bytes of channeldata.json from sorted names and the JSON text of their entries.

    No entry is parsed: one package more in a channel of 10,000 costs its own entry alone.
    """
    packages = ",".join(f"{json.dumps(name, ensure_ascii=False)}:{text}" for name, text in entries)
    listed = json.dumps(sorted({"noarch", *subdirs}), separators=(",", ":"))
    return f'{{"channeldata_version":1,"packages":{{{packages}}},"subdirs":{listed}}}'.encode()


def make_channel_entry(
    files: Iterable[tuple[str, str, dict[str, Any]]], about: Mapping[str, Any]
) -> dict[str, Any]:
    """A package's entry in channeldata from subdir, file name and record of each of its files."""
    ordered = sorted(files, key=recency_key)
    record = ordered[-1][2]
    entry: dict[str, Any] = {
        "subdirs": sorted({subdir for subdir, _, _ in ordered}),
        "version": record["version"],
        "timestamp": int(record.get("timestamp") or 0) // 1000,
        "license": record.get("license"),
        "run_exports": {},
    }
    for key in ("summary", "description", "home", "dev_url", "doc_url", "license"):
        if about.get(key):
            entry[key] = about[key]
    return entry


def recency_key(file: tuple[str, str, Mapping[str, Any]]) -> tuple[int, str]:
    """The order of a package's files by which its newest comes last."""
    return int(file[2].get("timestamp") or 0), file[1]


def make_notices() -> dict[str, Any]:
    """The value of an empty notices.json (CEP 6)."""
    return {"notices": []}
