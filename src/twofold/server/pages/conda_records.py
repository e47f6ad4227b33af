"""Renders stored conda records through `twofold.index.repodata`.

A record is stored as its JSON text in repodata.json, so that the page of a large channel is joined
without parsing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from twofold.artifact import Artifact
from twofold.index import repodata as pages
from twofold.server.model import StoredFile


def make_record(artifact: Artifact, at: datetime) -> str:
    """Return a conda package's repodata record, from its info/index.json.

    Sets `indexed_timestamp` (CEP 47, milliseconds) once.
    """
    record = pages.make_record(artifact)
    record["indexed_timestamp"] = int(at.timestamp() * 1000)
    return pages.serialize(record).decode()


def render_shard(files: Sequence[StoredFile], wheels: Mapping[str, Any] | None = None) -> bytes:
    """Render the packages of one name in one subdir as a shard; `wheels` are v3 records."""
    records = {file.filename: json.loads(file.record or "{}") for file in files}
    return pages.make_shard(records, wheels)


def render_shard_index(
    channel_subdir: str, shards: Mapping[str, str], created_at: datetime, base_url: str = ""
) -> bytes:
    """Render a shard index from name -> SHA-256 (hex)."""
    hashes = {name: bytes.fromhex(sha256) for name, sha256 in shards.items()}
    return pages.make_shard_index(channel_subdir, hashes, base_url or "./", created_at=created_at)


def render_repodata(subdir: str, records: Iterable[tuple[str, str]], base_url: str = "") -> bytes:
    """Render repodata.json from (file name, record) pairs, joined without parsing."""
    return pages.assemble_repodata(subdir, sorted(records), base_url=base_url)


def add_v3_records(body: bytes, wheels: Mapping[str, Any]) -> bytes:
    """Add v3 records of wheels (CEP 43-45, 48) to repodata.json, if there are any."""
    return pages.serialize(pages.add_wheels(json.loads(body), wheels)) if wheels else body


def read_v3_records(shard: bytes) -> dict[str, Any]:
    """Return the v3 records of wheels in one of our shards."""
    return pages.read_wheel_records(shard)


def render_run_exports(subdir: str, exports: Iterable[tuple[str, str]]) -> bytes:
    """Render run_exports.json (CEP 12) from (file name, JSON) pairs."""
    parsed = {name: json.loads(text) for name, text in exports}
    return pages.serialize(pages.make_run_exports(subdir, parsed))


def compress(body: bytes) -> bytes:
    """Compress a page with zstd."""
    return pages.compress(body)


def render_channeldata(files: Iterable[tuple[str, str, str]]) -> bytes:
    """Render channeldata.json from the (subdir, file name, record) of a channel's files."""
    packages: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    subdirs = set()
    for subdir, filename, text in files:
        record = json.loads(text)
        packages.setdefault(record["name"], []).append((subdir, filename, record))
        subdirs.add(subdir)
    entries = [
        (name, pages.serialize(pages.make_channel_entry(own, {})).decode())
        for name, own in sorted(packages.items())
    ]
    return pages.assemble_channeldata(entries, subdirs)
