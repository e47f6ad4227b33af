"""Renders stored conda records through `twofold.index.repodata`.

A record is stored as its JSON text in repodata.json, so that the page of a large channel is joined
without parsing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from twofold.artifact import Artifact
from twofold.convert import CondaOptions
from twofold.convert.v3 import make_wheel_records
from twofold.errors import TwofoldError
from twofold.index import repodata as pages
from twofold.index.current_repodata import assemble_current_repodata
from twofold.names import to_conda_name
from twofold.server.model import Channel, Project, StoredFile
from twofold.server.store import Connection, channels, files, projects


def make_record(artifact: Artifact, at: datetime) -> str:
    """Return a conda package's repodata record, from its info/index.json.

    Sets `indexed_timestamp` (CEP 47, milliseconds) once.
    """
    record = pages.make_record(artifact)
    record["indexed_timestamp"] = int(at.timestamp() * 1000)
    return pages.serialize(record).decode()


def render_shard(files: Sequence[StoredFile]) -> bytes:
    """Render the packages of one name in one subdir as a shard."""
    return pages.make_shard({file.filename: json.loads(file.record or "{}") for file in files})


def render_shard_index(
    channel_subdir: str, shards: Mapping[str, str], created_at: datetime, base_url: str = ""
) -> bytes:
    """Render a shard index from name -> SHA-256 (hex)."""
    hashes = {name: bytes.fromhex(sha256) for name, sha256 in shards.items()}
    return pages.make_shard_index(channel_subdir, hashes, base_url or "./", created_at=created_at)


def render_repodata(subdir: str, records: Iterable[tuple[str, str]], base_url: str = "") -> bytes:
    """Render repodata.json from (file name, record) pairs, joined without parsing."""
    return pages.assemble_repodata(subdir, sorted(records), base_url=base_url)


def render_current(subdir: str, records: Iterable[tuple[str, str]], base_url: str = "") -> bytes:
    """Render current_repodata.json: the newest packages, as conda-index chooses them."""
    texts = dict(sorted(records))
    current = assemble_current_repodata(subdir, texts, base_url=base_url)
    return current or render_repodata(subdir, texts.items(), base_url)


def add_v3_records(body: bytes, wheels: Mapping[str, Any]) -> bytes:
    """Add v3 records of wheels (CEP 43-45, 48) to repodata.json, if there are any."""
    return pages.serialize(pages.add_wheels(json.loads(body), wheels)) if wheels else body


def render_run_exports(subdir: str, exports: Iterable[tuple[str, str]]) -> bytes:
    """Render run_exports.json (CEP 12) from (file name, JSON) pairs."""
    parsed = {name: json.loads(text) for name, text in exports}
    return pages.serialize(pages.make_run_exports(subdir, parsed))


def compress(body: bytes) -> bytes:
    """Compress a page with zstd."""
    return pages.compress(body)


def set_base_url(body: bytes, base_url: str) -> bytes:
    """Return repodata.json with the URL of its packages (CEP 15), unless it has one."""
    value = json.loads(body)
    if value["info"].get("base_url"):
        return body
    value["info"]["base_url"] = base_url
    return pages.serialize({**value, "repodata_version": 2})


def set_shard_base_url(body: bytes, base_url: str) -> bytes:
    """Return a shard index with the URL of its packages (CEP 16), unless it has one."""
    return pages.set_shard_base_url(body, base_url)


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


NOARCH = "noarch"


def conda_project_name(project: Project) -> str:
    """Return the name of a project's wheels on the conda side."""
    return project.conda_name or to_conda_name(project.name)


def build_v3_records(db: Connection, channel: Channel, label: str, subdir: str) -> dict[str, Any]:
    """Return key -> v3 record of the pure wheels under a label for a subdir, sorted by key."""
    found: dict[str, Any] = {}
    for one in projects.list_pure_wheels(db, channel.id):
        file = files.find_file_by_id(db, one)
        if file is None or label not in file.labels or file.yanked is not None:
            continue
        made, _ = _make_v3_records(db, channel, file)
        if subdir in made:
            key, record = made[subdir]
            found[key] = record
    return dict(sorted(found.items()))


def explain_missing_v3_record(db: Connection, channel: Channel, file: StoredFile) -> str:
    """Return why a wheel has no v3 record, '' where it has one."""
    made, reason = _make_v3_records(db, channel, file)
    return "" if made else f"no v3 record for conda: {reason}"


def _make_v3_records(
    db: Connection, channel: Channel, file: StoredFile
) -> tuple[Mapping[str, tuple[str, dict[str, Any]]], str]:
    """Return subdir -> key and record; and the reason where there is none."""
    project = channels.get_project(db, file.project_id)
    name = conda_project_name(project)
    # Sharing a name with another project requires the permission that conversion required.
    if file.remark and projects.list_other_projects_named(db, channel.id, project.id, name):
        return {}, file.remark
    artifact = file.artifact
    known = channels.get_conda_names(db, channel.id, projects.required_names(artifact))
    options = CondaOptions(name=name, local_names=known)
    url = f"../../files/{file.sha256}/{quote(file.filename)}"
    milliseconds = int(file.uploaded_at.timestamp() * 1000)
    try:
        return make_wheel_records(artifact, url, milliseconds, options), ""
    except TwofoldError as error:
        return {}, error.problems[0].message
