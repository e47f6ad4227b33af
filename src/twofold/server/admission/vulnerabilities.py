"""Known vulnerabilities of releases, from a copy of OSV's database (https://ossf.github.io/osv-schema).

The database is a zip, a folder or a file of advisories in JSON, on this machine or at an address.
It is read again when it has changed; one at an address is fetched again every six hours. The last
copy is kept: while the address is unreachable it counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version

from twofold.errors import Refused, TwofoldError, Unreachable
from twofold.fetching.client import Endpoint, fetch_file
from twofold.names import normalize_name

log = logging.getLogger("twofold.server")

#: The largest database and the largest advisory (bytes).
MAX_SIZE, MAX_ADVISORY = 1 << 30, 4 << 20

#: Seconds after which an address is fetched again, and a local file is looked at again.
REFRESH_SECONDS, LOOK_SECONDS = 6 * 3600.0, 60.0

_ADDRESSES = ("http://", "https://")


#: An event of a range: `introduced`, `fixed` or `last_affected`, and its version.
Event = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Advisory:
    """An advisory about a project: the releases by name, and ranges as their events."""

    id: str
    aliases: tuple[str, ...]
    versions: frozenset[str]
    ranges: tuple[tuple[Event, ...], ...]

    def concerns(self, version: str) -> bool:
        """Whether a release is affected, whichever local label it has (`2.0+cpu` is 2.0)."""
        if version in self.versions:
            return True
        try:
            public = Version(Version(version).public)
        except InvalidVersion:
            return False
        if canonicalize_version(str(public)) in _canonicalize(self.versions):
            return True
        return any(_is_within(public, events) for events in self.ranges)


@lru_cache(maxsize=4096)
def _canonicalize(versions: frozenset[str]) -> frozenset[str]:
    return frozenset(map(canonicalize_version, versions))


def _is_within(version: Version, events: Iterable[Event]) -> bool:
    """Whether a version is affected by a range, whose events may come in any order (OSV 1.7).

    A version that PEP 440 lacks ends no range, and begins one at the first release.
    """
    is_affected = False
    for bound, kind in sorted(_order_events(events)):
        if kind == "introduced" and version >= bound:
            is_affected = True
        elif version > bound or (kind == "fixed" and version == bound):
            is_affected = is_affected and kind == "introduced"
    return is_affected


def _order_events(events: Iterable[Event]) -> Iterator[tuple[Version, str]]:
    for kind, text in events:
        try:
            yield _FIRST if text == "0" else Version(text), kind
        except InvalidVersion:
            if kind == "introduced":
                yield _FIRST, kind


#: Before every other version.
_FIRST = Version("0.dev0")


@dataclass(frozen=True)
class Advisories:
    """The advisories of a database by normalized project name."""

    by_project: Mapping[str, tuple[Advisory, ...]] = field(repr=False)

    def find(self, key: str, version: str, accepted: Iterable[str]) -> str | None:
        """Return the id of an advisory about a release that is not accepted, or None."""
        accepted = set(accepted)
        for one in self.by_project.get(key, ()):
            if not accepted & {one.id, *one.aliases} and one.concerns(version):
                return one.id
        return None


def read_database(path: Path) -> Advisories:
    """Read a database. Raises TwofoldError, OSError."""
    found: dict[str, list[Advisory]] = {}
    count = 0
    for text in _read_texts(path):
        count += 1
        for key, advisory in _parse(text, path):
            found.setdefault(key, []).append(advisory)
    if not count:
        raise TwofoldError(f"{path} holds no advisory", "name OSV's all.zip, or a folder of JSON")
    return Advisories({key: tuple(several) for key, several in found.items()})


def _read_texts(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield file.read_bytes()
        return
    if not zipfile.is_zipfile(path):
        yield path.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".json") and info.file_size <= MAX_ADVISORY:
                yield archive.read(info)


def _parse(text: bytes, path: Path) -> Iterator[tuple[str, Advisory]]:
    try:
        value = json.loads(text)
        every = value if isinstance(value, list) else [value]
        for one in every:
            if not one.get("withdrawn"):
                yield from _parse_one(one)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TwofoldError(f"{path} has a malformed advisory: {error}") from error


def _parse_one(value: Mapping[str, Any]) -> Iterator[tuple[str, Advisory]]:
    aliases = tuple(value.get("aliases") or ())
    for affected in value.get("affected") or ():
        package = affected.get("package") or {}
        if str(package.get("ecosystem", "")).lower() != "pypi":
            continue
        ranges = [
            tuple(_parse_events(span.get("events") or ()))
            for span in affected.get("ranges") or ()
            if span.get("type") in ("ECOSYSTEM", "SEMVER")
        ]
        versions = frozenset(affected.get("versions") or ())
        yield (
            normalize_name(package["name"]),
            Advisory(value["id"], aliases, versions, tuple(ranges)),
        )


def _parse_events(events: Iterable[Mapping[str, str]]) -> Iterator[Event]:
    for event in events:
        for kind in ("introduced", "fixed", "last_affected"):
            if kind in event:
                yield kind, str(event[kind])


class AdvisoryCache:
    """The databases that policies name, in memory; `folder` is where fetched ones are kept."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Advisories, float, object]] = {}
        self._lock = Lock()

    def get(self, place: str, folder: Path) -> Advisories:
        """Return a database. Raises Unreachable when it was never read and cannot be."""
        known = self._read.get(place)
        every = REFRESH_SECONDS if place.startswith(_ADDRESSES) else LOOK_SECONDS
        if known is not None and time.monotonic() - known[1] < every:
            return known[0]
        if known is not None:
            self._read[place] = (known[0], time.monotonic(), known[2])
            args = (place, folder, known)
            Thread(target=self._refresh, args=args, name="advisories", daemon=True).start()
            return known[0]
        with self._lock:
            if place not in self._read:
                self._load(place, folder, None)
            return self._read[place][0]

    def _refresh(self, place: str, folder: Path, known: tuple[Advisories, float, object]) -> None:
        try:
            self._load(place, folder, known)
        except (TwofoldError, OSError) as error:
            log.warning("the advisories at %s could not be read again: %s", place, error)

    def _load(
        self, place: str, folder: Path, known: tuple[Advisories, float, object] | None
    ) -> None:
        try:
            path = _fetch(place, folder) if place.startswith(_ADDRESSES) else Path(place)
            state = _describe_state(path)
            if known is not None and known[2] == state:
                return
            self._read[place] = (read_database(path), time.monotonic(), state)
        except (OSError, zipfile.BadZipFile) as error:
            text = f"the advisories at {place} cannot be read: {error}"
            raise Unreachable(text, "check the path or address in the policy") from error


def _fetch(place: str, folder: Path) -> Path:
    """Fetch a database; the last copy counts while its address is unreachable."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"advisories-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as stream:
            fetch_file(Endpoint(place, any_address=True), place, _Sink(stream.write), MAX_SIZE)
        part.replace(path)
    except (Unreachable, Refused) as error:
        if not path.exists():
            raise
        log.warning("the advisories at %s were not fetched again: %s", place, error)
    finally:
        part.unlink(missing_ok=True)
    return path


class _Sink:
    def __init__(self, write: Any) -> None:
        self.write = write

    def begin(self, total: int | None) -> None:
        """Take the size of the file, which is not needed."""
        del total


def _describe_state(path: Path) -> object:
    """Return what changes when a file or a folder does."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    return [(str(one), one.stat().st_mtime_ns, one.stat().st_size) for one in files]
