"""Reads wheels (PEP 427, 491) and their RECORD (PEP 376, 627), without extracting them."""

from __future__ import annotations

import binascii
import io

# csv.reader and csv.Error are these; csv itself and base64 import re, at 2 ms.
from _csv import Error as CsvError
from _csv import reader as read_rows
from pathlib import Path
from typing import NamedTuple

from twofold.errors import BadFile, Problem
from twofold.formats import limits
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.formats.zip_archive import ZipArchive
from twofold.formats.zip_safety import ZipMember
from twofold.names import normalize_name, parse_wheel_name
from twofold.names.file_names import is_same_version

_HINT = "build the wheel again, or fetch it again"
#: Lines of RECORD beyond two for each member: nothing is parsed that lists what is not there.
_MAX_SPARE_LINES = 100
#: Files that RECORD lists without a hash or not at all.
UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
#: URL-safe base64 as binascii reads it.
_TO_PLAIN_BASE64 = str.maketrans("-_", "+/")
_STRONG = {"sha256": 32, "sha384": 48, "sha512": 64}


class WheelFile:
    """An open wheel with a valid zip and metadata that match its file name.

    `dist_info` is the name of its .dist-info folder, `record_bytes` its RECORD. Use as a context
    manager. Raises BadFile; `strict` as in `zip_safety.scan`.
    """

    def __init__(self, path: Path, strict: bool = False) -> None:
        self.path = path
        self.name = parse_wheel_name(path.name)
        self.archive = ZipArchive(path, strict)
        try:
            self.dist_info = self._find_dist_info()
            self.metadata_bytes = self._require_file("METADATA")
            self.metadata: CoreMetadata = parse_metadata(
                self.metadata_bytes, self._locate("METADATA")
            )
            self.wheel = _parse_headers(self._require_file("WHEEL"))
            self.record_bytes = self._read_record()
            self._check_agreement()
        except BaseException:
            self.archive.close()
            raise

    def __enter__(self) -> WheelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    @property
    def members(self) -> dict[str, ZipMember]:
        """The members of the zip by name."""
        return self.archive.members

    @property
    def is_purelib(self) -> bool:
        """Whether the wheel's root goes to purelib (else platlib)."""
        return self.wheel.get("root-is-purelib", ["true"])[0].lower() == "true"

    def read_dist_info_file(self, name: str, most: int = limits.METADATA) -> bytes | None:
        """Return a file of the .dist-info folder, or None if it is missing."""
        path = f"{self.dist_info}/{name}"
        return self.archive.read(path, most) if path in self.members else None

    def _locate(self, name: str) -> str:
        return f"{self.path.name}: {self.dist_info}/{name}"

    def _require_file(self, name: str, most: int = limits.METADATA) -> bytes:
        data = self.read_dist_info_file(name, most)
        if data is None:
            raise BadFile(f"the wheel has no {self.dist_info}/{name}", _HINT, self.path.name)
        return data

    def _read_record(self) -> bytes:
        record = self._require_file("RECORD", limits.max_list_size(self.path.stat().st_size))
        lines, members = record.count(b"\n"), len(self.members)
        if lines > 2 * members + _MAX_SPARE_LINES:
            message = f"RECORD has {lines} lines, and the wheel {members} members"
            raise BadFile(message, _HINT, self.path.name)
        return record

    def _find_dist_info(self) -> str:
        found = sorted({name.split("/")[0] for name in self.members if "/" in name})
        found = [name for name in found if name.endswith(".dist-info")]
        if len(found) != 1:
            several = (
                f"several .dist-info folders: {', '.join(found)}" if found else "no .dist-info"
            )
            raise BadFile(f"not a wheel: it has {several}", _HINT, self.path.name)
        return found[0]

    def _check_agreement(self) -> None:
        """Check that file name, .dist-info and METADATA have the same name and version."""
        problems = []
        name, _, version = self.dist_info.removesuffix(".dist-info").rpartition("-")
        sources = [
            (f"the folder {self.dist_info}", name, version),
            ("METADATA", self.metadata.name, self.metadata.version),
        ]
        for where, name, version in sources:
            if normalize_name(name) != normalize_name(self.name.name):
                problems.append(f"the name in {where} is '{name}', not '{self.name.name}'")
            if not is_same_version(version, self.name.version):
                problems.append(f"the version in {where} is '{version}', not '{self.name.version}'")
        if self.wheel.get("wheel-version", ["1.0"])[0].split(".")[0] != "1":
            problems.append(f"Wheel-Version {self.wheel['wheel-version'][0]} is not supported")
        if problems:
            hint = "build the wheel again: a wheel must not be renamed"
            raise limits.make_bad_file([Problem(p, hint, self.path.name) for p in problems])


def _parse_headers(data: bytes) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            headers.setdefault(key.strip().lower(), []).append(value.strip())
    return headers


class RecordEntry(NamedTuple):
    """One line: `algorithm` and raw `digest` ('' and b'' without a hash); `size` -1 if missing."""

    path: str
    algorithm: str
    digest: bytes
    size: int


def parse_record(data: bytes) -> tuple[dict[str, RecordEntry], list[Problem]]:
    """Parse RECORD; return its lines by path, and what is wrong with them."""
    lines: dict[str, RecordEntry] = {}
    problems: list[Problem] = []
    try:
        rows = list(read_rows(io.StringIO(data.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, CsvError) as error:
        return {}, [Problem(f"RECORD cannot be read: {error}")]
    for row in rows:
        if not row:
            continue
        recorded, problem = _parse_row(row)
        if recorded is None or problem:
            problems.append(Problem(problem))
        elif recorded.path in lines:
            problems.append(Problem(f"RECORD lists a file twice: {recorded.path}"))
        else:
            lines[recorded.path] = recorded
    return lines, problems


def _parse_row(row: list[str]) -> tuple[RecordEntry | None, str]:
    path, digest_field, size = (*row, "", "")[:3]
    problem = limits.find_path_problem(limits.drop_current_folders(path))
    if problem:
        return None, f"RECORD: {problem}"
    if size and not (size.isascii() and size.isdigit() and len(size) < 20):
        return None, f"the size of {path} in RECORD is not a number: {size[:40]!r}"
    length = int(size) if size else -1
    if not digest_field:
        return RecordEntry(path, "", b"", length), ""
    algorithm, _, encoded = digest_field.partition("=")
    if algorithm not in _STRONG:
        return None, f"the hash of {path} in RECORD is weak or unknown: {algorithm[:20]}"
    try:
        if len(encoded) == 2 * _STRONG[algorithm]:  # hexadecimal, as some builders write it
            digest = bytes.fromhex(encoded)
        else:
            plain = encoded.translate(_TO_PLAIN_BASE64) + "=" * (-len(encoded) % 4)
            digest = binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _STRONG[algorithm]:
        return None, f"the hash of {path} in RECORD is malformed"
    return RecordEntry(path, algorithm, digest, length), ""
