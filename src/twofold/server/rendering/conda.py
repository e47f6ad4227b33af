"""The conda side: records of repodata.json, shards (CEP 16), run_exports (CEP 12), channeldata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgpack
import zstandard

from twofold.artifact import Artifact, Kind
from twofold.server.model import Stored

#: Level 3 costs a tenth of the best level's time and makes shards a few per cent larger.
SHARD_LEVEL = 3
REPODATA_LEVEL = 6


def record_of(artifact: Artifact, at: datetime) -> str:
    """A conda package's line of repodata.json, from its own info/index.json.

    `indexed_timestamp` (CEP 47, milliseconds) is set here, once.
    """
    index = json.loads(artifact.metadata)
    index.update(
        md5=artifact.md5,
        sha256=artifact.sha256,
        size=artifact.size,
        subdir=artifact.subdir,
        indexed_timestamp=int(at.timestamp() * 1000),
    )
    return json.dumps(dict(sorted(index.items())), ensure_ascii=False, separators=(",", ":"))


def shard(files: Sequence[Stored]) -> bytes:
    """All the packages of one name in one subdir, as msgpack in zstd."""
    value: dict[str, Any] = {"packages": {}, "packages.conda": {}, "removed": []}
    for file in files:
        record = json.loads(file.record or "{}")
        for digest in ("md5", "sha256"):
            record[digest] = bytes.fromhex(record[digest])
        value[_group(file.kind)][file.filename] = record
    return _packed(value)


def shard_index(channel_subdir: str, shards: Mapping[str, str], created_at: datetime) -> bytes:
    """The list of a subdir's shards: name -> SHA-256 (given here as hex)."""
    value = {
        "version": 1,
        "info": {
            "subdir": channel_subdir,
            "base_url": "./",
            "shards_base_url": "./shards/",
            "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "shards": {name: bytes.fromhex(sha256) for name, sha256 in sorted(shards.items())},
    }
    return _packed(value)


def _packed(value: object) -> bytes:
    return zstandard.ZstdCompressor(level=SHARD_LEVEL).compress(msgpack.packb(value))


def _group(kind: Kind) -> str:
    return "packages" if kind is Kind.TAR_BZ2 else "packages.conda"


def repodata(subdir: str, records: Iterable[tuple[str, str]]) -> bytes:
    """repodata.json of (file name, record) pairs; the records are joined, not parsed again."""
    old: list[str] = []
    new: list[str] = []
    for filename, record in records:
        line = f"{json.dumps(filename)}:{record}"
        (old if filename.endswith(".tar.bz2") else new).append(line)
    group = ",\n".join
    return (
        f'{{"info":{{"subdir":{json.dumps(subdir)}}},\n'
        f'"packages":{{{group(old)}}},\n'
        f'"packages.conda":{{{group(new)}}},\n'
        f'"removed":[],"repodata_version":1}}\n'
    ).encode()


def run_exports(subdir: str, exports: Iterable[tuple[str, str]]) -> bytes:
    """run_exports.json of (file name, JSON) pairs (CEP 12)."""
    value: dict[str, Any] = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}}
    for filename, text in exports:
        group = "packages" if filename.endswith(".tar.bz2") else "packages.conda"
        value[group][filename] = {"run_exports": json.loads(text)}
    return json.dumps(value, separators=(",", ":")).encode()


def compressed(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=REPODATA_LEVEL).compress(body)


def channeldata(packages: Iterable[tuple[str, Mapping[str, Any], Sequence[str]]]) -> bytes:
    """channeldata.json, version 1, of (name, newest record, subdirs) triples."""
    value: dict[str, Any] = {"channeldata_version": 1, "packages": {}, "subdirs": []}
    every: set[str] = {"noarch"}
    for name, record, subdirs in packages:
        every.update(subdirs)
        value["packages"][name] = {
            "subdirs": sorted(subdirs),
            "version": record.get("version"),
            "license": record.get("license"),
            "timestamp": record.get("timestamp", 0),
            "summary": record.get("summary", ""),
        }
    value["subdirs"] = sorted(every)
    return json.dumps(value, separators=(",", ":")).encode()
