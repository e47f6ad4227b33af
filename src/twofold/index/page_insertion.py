"""Inserts files into rendered pages of one project: its simple page and its shard.

A project with thousands of releases gets another one every night. Rendering its page anew costs
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
from twofold.index import simple
from twofold.index.repodata import compress_shard, encode_hashes, is_v3_record

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
    entries = [_ENTRY + part for part in files_text.split(b"," + _ENTRY)]
    entries[0] = entries[0][len(_ENTRY) :]
    anchors = anchors_text.split(_ANCHOR)[1:]
    if len(anchors) != len(entries) or not entries[0].startswith(_ENTRY):
        return None
    for listing in added:
        place = _find_place(entries, listing, version_of)
        entry = simple.make_file_entry(listing)
        entries.insert(place, simple.serialize(entry))
        anchors.insert(place, simple.render_anchor(entry).encode().removeprefix(b"<a "))
        _insert_version(versions, simple.normalize_version(listing))
    listed = json.dumps(versions, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]
    return ProjectPages(
        b"".join([new[0], listed, new[1], b",".join(entries), new[2]]),
        _ANCHOR.join([html_ends[0], *anchors]) + html_ends[1] + html_ends[2],
    )


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


def _find_place(
    entries: Sequence[bytes], listing: Listing, version_of: Callable[[str], str]
) -> int:
    def key(entry: bytes) -> tuple[Any, str]:
        text = entry.partition(b'","url":')[0][len(_ENTRY) - 1 :] + b'"'
        filename = json.loads(text)
        version = (
            listing.artifact.version
            if filename == listing.artifact.filename
            else version_of(filename)
        )
        return simple.sort_key(version, filename)

    wanted = simple.sort_key(listing.artifact.version, listing.artifact.filename)
    if key(entries[-1]) < wanted:  # a new release usually is the newest
        return len(entries)
    return bisect_left(entries, wanted, key=key)


def _insert_version(versions: list[str], version: str) -> None:
    from packaging.version import Version

    if version not in versions:
        versions.insert(bisect_left(versions, Version(version), key=Version), version)


def insert_record(shard: bytes, filename: str, record: Mapping[str, Any]) -> bytes | None:
    """Return a shard with one more package (CEP 16); its file name must not be listed yet."""
    import msgpack
    import zstandard

    if is_v3_record(record):
        return None
    text = zstandard.ZstdDecompressor().decompressobj().decompress(shard)
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
