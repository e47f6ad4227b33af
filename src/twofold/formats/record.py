"""RECORD, the list of a wheel's files with their hashes (PEP 376, PEP 427, PEP 627)."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from typing import NamedTuple

from twofold.errors import Problem
from twofold.formats import limits

#: Files that RECORD lists without a hash or not at all.
UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_STRONG = {"sha256": 32, "sha384": 48, "sha512": 64}


class RecordEntry(NamedTuple):
    """One line: `algorithm` and raw `digest` ('' and b'' without a hash); `size` -1 if not told."""

    path: str
    algorithm: str
    digest: bytes
    size: int


def parse_record(data: bytes) -> tuple[dict[str, RecordEntry], list[Problem]]:
    """The lines by path, and what is wrong with them."""
    lines: dict[str, RecordEntry] = {}
    problems: list[Problem] = []
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
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
    path, told, size = (*row, "", "")[:3]
    problem = limits.find_path_problem(path)
    if problem:
        return None, f"RECORD: {problem}"
    if size and not size.isdigit():
        return None, f"RECORD tells no usable size of {path}: {size!r}"
    length = int(size) if size else -1
    if not told:
        return RecordEntry(path, "", b"", length), ""
    algorithm, _, encoded = told.partition("=")
    if algorithm not in _STRONG:
        return None, f"RECORD tells a weak or unknown hash of {path}: {algorithm[:20]}"
    try:
        digest = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _STRONG[algorithm]:
        return None, f"RECORD tells a damaged hash of {path}"
    return RecordEntry(path, algorithm, digest, length), ""


def format_record_line(path: str, sha256: bytes, size: int) -> str:
    """One line of a new RECORD, with its newline."""
    encoded = base64.urlsafe_b64encode(sha256).rstrip(b"=").decode()
    if any(character in path for character in ',"\n\r'):
        path = '"' + path.replace('"', '""') + '"'
    return f"{path},sha256={encoded},{size}\n"
