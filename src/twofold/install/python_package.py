"""Writes the conda package of a repacked interpreter: files, links and prefix placeholders.

The `.conda` format is the one of conda's CEP on package formats: a zip of stored members
`metadata.json`, `pkg-<stem>.tar.zst`, `info-<stem>.tar.zst`. Packages made from wheels are
written by `twofold.formats.conda_writer`; they have neither links nor prefixes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from twofold.formats.light import zstd
from twofold_build.atomic import AtomicFile

#: Level 3 with threads packs an interpreter in half a second; level 19 saves a quarter of the
#: size and takes twenty seconds. The package stays on this machine.
LEVEL = 3


@dataclass(frozen=True)
class Member:
    """One path of the package: a file (`source`), bytes (`data`) or a relative link (`link`).

    `placeholder` is the prefix that the installer must replace in the text.
    """

    path: str
    source: Path | None = None
    data: bytes | None = None
    link: str = ""
    executable: bool = False
    placeholder: str = ""


def write_package(
    folder: Path, index: dict[str, Any], about: dict[str, Any], members: Iterable[Member]
) -> Path:
    """Write `<name>-<version>-<build>.conda` to `folder`, atomically."""
    stem = f"{index['name']}-{index['version']}-{index['build']}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}.conda"
    seconds = int(index["timestamp"] // 1000)
    with tempfile.TemporaryFile(dir=folder) as payload, tempfile.TemporaryFile(dir=folder) as info:
        paths = _write_payload(payload, sorted(members, key=lambda m: m.path), seconds)
        _write_info(info, _info_files(index, about, paths), seconds)
        with (
            AtomicFile(target) as file,
            zipfile.ZipFile(file.stream, "w", zipfile.ZIP_STORED) as archive,
        ):
            archive.writestr(_zip_info("metadata.json"), '{"conda_pkg_format_version": 2}')
            for name, stream in ((f"pkg-{stem}", payload), (f"info-{stem}", info)):
                stream.seek(0)
                with archive.open(_zip_info(f"{name}.tar.zst"), "w", force_zip64=True) as member:
                    while block := stream.read(1 << 20):
                        member.write(block)
    return target


def _zip_info(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


class _ZstdFile:
    """What is written to it goes compressed to a stream; `with` ends the frame."""

    def __init__(self, stream: BinaryIO, threads: int) -> None:
        self._stream = stream
        self._compressor = zstd.make_compressor(LEVEL, threads)

    def write(self, data: bytes) -> int:
        self._stream.write(self._compressor.compress(data))
        return len(data)

    def __enter__(self) -> Any:  # tarfile's stub asks for `close` too, which it never calls
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._stream.write(self._compressor.flush())


def _write_payload(stream: BinaryIO, members: list[Member], seconds: int) -> list[dict[str, Any]]:
    """Write the tar of the files and return their entries in paths.json."""
    with (
        _ZstdFile(stream, threads=os.cpu_count() or 1) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        return [_add(tar, member, seconds) for member in members]


def _add(tar: tarfile.TarFile, member: Member, seconds: int) -> dict[str, Any]:
    header = tarfile.TarInfo(member.path)
    header.mtime = seconds
    header.mode = 0o755 if member.executable or member.link else 0o644
    entry: dict[str, Any] = {"_path": member.path, "path_type": "hardlink"}
    if member.link:
        header.type = tarfile.SYMTYPE
        header.linkname = member.link
        tar.addfile(header)
        return {
            **entry,
            "path_type": "softlink",
            "sha256": hashlib.sha256(b"").hexdigest(),
            "size_in_bytes": 0,
        }
    data = member.source.read_bytes() if member.source else member.data or b""
    header.size = len(data)
    tar.addfile(header, io.BytesIO(data))
    if member.placeholder:
        entry |= {"prefix_placeholder": member.placeholder, "file_mode": "text"}
    return {**entry, "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}


def _info_files(
    index: dict[str, Any], about: dict[str, Any], paths: list[dict[str, Any]]
) -> dict[str, bytes]:
    replaced = [p for p in paths if "prefix_placeholder" in p]
    lines = [f"{p['prefix_placeholder']} text {p['_path']}\n" for p in replaced]
    files = {
        "info/about.json": _json(about),
        "info/files": "".join(f"{p['_path']}\n" for p in paths).encode(),
        "info/index.json": _json(index),
        "info/paths.json": _json({"paths": paths, "paths_version": 1}),
    }
    if lines:
        files["info/has_prefix"] = "".join(lines).encode()
    if index.get("noarch"):
        link = {"noarch": {"type": index["noarch"]}, "package_metadata_version": 1}
        files["info/link.json"] = _json(link)
    return files


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def _write_info(stream: BinaryIO, files: dict[str, bytes], seconds: int) -> None:
    with (
        _ZstdFile(stream, threads=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, data in sorted(files.items()):
            header = tarfile.TarInfo(path)
            header.mtime = seconds
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
