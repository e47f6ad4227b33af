"""Inserts files into rendered pages of one project: its simple page and its shard.

A project with thousands of releases gets another one every night. Rendering its page again costs
milliseconds for every hundred files; an insertion copies bytes. The result is what rendering gives,
byte for byte: where the page is not of the form that is expected, None is returned.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twofold.artifact import Listing
from twofold.formats.light import zstd
from twofold.index import simple
from twofold.index.placement import is_v3_record
from twofold.index.repodata import compress_shard, encode_hashes

_NO_VERSIONS, _NO_FILES = b'"versions":[', b'],"files":['

#: Quotes within strings are escaped, so that this begins a file's entry and nothing else.
_ENTRY = b'{"filename":"'

#: `<` is escaped within attributes.
_ANCHOR = b"\n<a "


@dataclass(frozen=True)
class ProjectPages:
    """A project's page in both forms."""

    json: bytes
    html: bytes


def insert_listings(
    before: ProjectPages,
    shells: tuple[Mapping[str, Any], Mapping[str, Any]],
    added: Sequence[Listing],
    version_of: Callable[[str], str],
) -> ProjectPages | None:
    """Return the pages with more files, which must not be listed there yet.

    `shells` are the pages without files as they were and as they are now; `version_of` returns the
    version of a file that is listed, by its name.
    """
    old, new = (_split_json_shell(shell) for shell in shells)
    inner = _strip(before.json, old[0], old[2])
    html_shell = simple.render_project_html(dict(shells[1])).encode()
    html_ends = html_shell.partition(b"\n</body>")
    anchors_text = _strip(before.html, html_ends[0], html_ends[1] + html_ends[2])
    if inner is None or anchors_text is None or _NO_FILES not in inner:
        return None
    versions_text, _, files_text = inner.partition(_NO_FILES)
    versions = json.loads(b"[" + versions_text + b"]")
    for listing in added:
        inserted = _insert_entry(files_text, anchors_text, listing, version_of)
        if inserted is None:
            return None
        files_text, anchors_text = inserted
        _insert_version(versions, simple.normalize_version(listing))
    listed = json.dumps(versions, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]
    return ProjectPages(
        b"".join([new[0], listed, new[1], files_text, new[2]]),
        b"".join([html_ends[0], anchors_text, html_ends[1], html_ends[2]]),
    )


def _insert_entry(
    files_text: bytes, anchors_text: bytes, listing: Listing, version_of: Callable[[str], str]
) -> tuple[bytes, bytes] | None:
    """Return the entries in JSON and the anchors in HTML with those of one more file."""
    entry = simple.make_file_entry(listing)
    text, anchor = simple.serialize(entry), b"\n" + simple.render_anchor(entry).encode()
    wanted = simple.sort_key(listing.artifact.version, listing.artifact.filename)

    def key(entry: bytes) -> tuple[Any, str]:
        filename = _read_filename(entry)
        is_own = filename == listing.artifact.filename
        version = listing.artifact.version if is_own else version_of(filename)
        return simple.sort_key(version, filename)

    last = files_text[files_text.rfind(b"," + _ENTRY) + 1 :]
    if not last.startswith(_ENTRY):
        return None
    if key(last) < wanted and anchors_text.endswith(f">{_read_filename(last)}</a><br>".encode()):
        return (
            files_text + b"," + text,
            anchors_text + anchor,
        )  # a new release usually is the newest
    entries = [_ENTRY + part for part in files_text.split(b"," + _ENTRY)]
    entries[0] = entries[0][len(_ENTRY) :]
    anchors = anchors_text.split(_ANCHOR)
    if len(anchors) != len(entries) + 1 or not entries[0].startswith(_ENTRY):
        return None
    place = bisect_left(entries, wanted, key=key)
    entries.insert(place, text)
    anchors.insert(place + 1, anchor.removeprefix(_ANCHOR))
    return b",".join(entries), _ANCHOR.join(anchors)


def _split_json_shell(shell: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Return what comes before the versions, before the files, and after them."""
    text = simple.serialize(dict(shell))
    before, _, after = text.partition(_NO_VERSIONS + _NO_FILES)
    return before + _NO_VERSIONS, _NO_FILES, after


def _strip(text: bytes, start: bytes, end: bytes) -> bytes | None:
    """Return what is between two ends; None where they differ."""
    if not (text.startswith(start) and text.endswith(end)) or len(text) < len(start) + len(end):
        return None
    return text[len(start) : len(text) - len(end)]


def _read_filename(entry: bytes) -> str:
    text = entry.partition(b'","url":')[0][len(_ENTRY) - 1 :] + b'"'
    return str(json.loads(text))


def _insert_version(versions: list[str], version: str) -> None:
    from packaging.version import Version

    if version not in versions:
        versions.insert(bisect_left(versions, Version(version), key=Version), version)


def insert_record(shard: bytes, filename: str, record: Mapping[str, Any]) -> bytes | None:
    """Return a shard with one more package (CEP 16); its file name must not be listed yet."""
    import msgpack

    if is_v3_record(record):
        return None
    text = zstd.decompress(shard)
    place = "packages" if filename.endswith(".tar.bz2") else "packages.conda"
    unpacker = msgpack.Unpacker(max_buffer_size=len(text))
    unpacker.feed(text)
    for _ in range(unpacker.read_map_header()):
        if unpacker.unpack() != place:
            unpacker.skip()
            continue
        start = unpacker.tell()
        names, ends = [], []
        count = unpacker.read_map_header()
        first = unpacker.tell()
        for _ in range(count):
            names.append(unpacker.unpack())
            unpacker.skip()
            ends.append(unpacker.tell())
        number = bisect_left(names, filename)
        if names[number : number + 1] == [filename]:
            return None
        at = ends[number - 1] if number else first
        added = msgpack.packb(filename) + msgpack.packb(encode_hashes(record))
        header = msgpack.Packer().pack_map_header(count + 1)
        return compress_shard(b"".join([text[:start], header, text[first:at], added, text[at:]]))
    return None
