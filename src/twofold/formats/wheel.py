"""Wheels read (PEP 427, PEP 491): members, metadata and RECORD, nothing extracted to disk."""

from __future__ import annotations

from pathlib import Path

from twofold.errors import BadFile, Problem
from twofold.formats import limits
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.formats.zip_archive import ZipArchive
from twofold.formats.zip_safety import ZipMember
from twofold.names import normalize_name, parse_wheel_name
from twofold_build.names import canonicalize_version

_HINT = "build the wheel again, or fetch it again"


class WheelFile:
    """An open wheel whose zip is sound and whose metadata agree with its file name.

    `dist_info` is the name of its .dist-info folder. Use as a context manager. Raises BadFile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = parse_wheel_name(path.name)
        self.archive = ZipArchive(path)
        try:
            self.dist_info = self._find_dist_info()
            self.metadata_bytes = self._require_file("METADATA")
            self.metadata: CoreMetadata = parse_metadata(
                self.metadata_bytes, self._locate("METADATA")
            )
            self.wheel = _parse_headers(self._require_file("WHEEL"))
            self._require_file("RECORD", limits.LISTS)
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
        return self.archive.members

    @property
    def is_purelib(self) -> bool:
        """Whether the wheel's root goes to purelib (else platlib)."""
        return self.wheel.get("root-is-purelib", ["true"])[0].lower() == "true"

    def read_dist_info_file(self, name: str, most: int = limits.METADATA) -> bytes | None:
        """A file of the .dist-info folder, or None when it is not there."""
        path = f"{self.dist_info}/{name}"
        return self.archive.read(path, most) if path in self.members else None

    def _locate(self, name: str) -> str:
        return f"{self.path.name}: {self.dist_info}/{name}"

    def _require_file(self, name: str, most: int = limits.METADATA) -> bytes:
        data = self.read_dist_info_file(name, most)
        if data is None:
            raise BadFile(f"the wheel has no {self.dist_info}/{name}", _HINT, self.path.name)
        return data

    def _find_dist_info(self) -> str:
        found = sorted({name.split("/")[0] for name in self.members if "/" in name})
        found = [name for name in found if name.endswith(".dist-info")]
        if len(found) != 1:
            several = (
                f"several .dist-info folders: {', '.join(found)}" if found else "no .dist-info"
            )
            raise BadFile(f"it is no wheel: it holds {several}", _HINT, self.path.name)
        return found[0]

    def _check_agreement(self) -> None:
        """File name, .dist-info and METADATA must tell the same name and version."""
        problems = []
        name, _, version = self.dist_info.removesuffix(".dist-info").rpartition("-")
        told = [
            (f"the folder {self.dist_info}", name, version),
            ("METADATA", self.metadata.name, self.metadata.version),
        ]
        for where, name, version in told:
            if normalize_name(name) != normalize_name(self.name.name):
                problems.append(f"{where} names the project '{name}', not '{self.name.name}'")
            if not _is_same_version(version, self.name.version):
                problems.append(f"{where} tells version '{version}', not '{self.name.version}'")
        if self.wheel.get("wheel-version", ["1.0"])[0].split(".")[0] != "1":
            problems.append(f"its Wheel-Version is {self.wheel['wheel-version'][0]}, 1.x is known")
        if problems:
            hint = "a wheel may not be renamed; build it again"
            raise limits.make_bad_file([Problem(p, hint, self.path.name) for p in problems])


def _is_same_version(one: str, other: str) -> bool:
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        # Old builders wrote `_` for the `-` and `+` of a local version.
        return Version(one.replace("_", "-")) == Version(other.replace("_", "-")) or (
            canonicalize_version(one) == canonicalize_version(other.replace("_", "+"))
        )
    except InvalidVersion:
        return False


def _parse_headers(data: bytes) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            headers.setdefault(key.strip().lower(), []).append(value.strip())
    return headers
