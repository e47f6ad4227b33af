"""A wheel file into conda packages in a channel folder.

Each member is unpacked once, hashed once and handed to the writer, which compresses in threads;
what RECORD says of it is compared on the way. Nothing stands under its final name unless all of it
is right.
"""

from __future__ import annotations

import calendar
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from twofold.artifact import Artifact
from twofold.conda_metadata import CondaPackage
from twofold.convert.options import CondaOptions
from twofold.convert.package import list_dropped_requirements, make_packages
from twofold.convert.package_builder import (
    PLACEHOLDER,
    Layout,
    make_entry_point_script,
    rewrite_script,
)
from twofold.convert.wheel_tags import abi_from_depends
from twofold.errors import BadFile
from twofold.formats import limits
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.reader import read_artifact
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold.formats.wheel import UNHASHED, RecordEntry, WheelFile, parse_record
from twofold.formats.zip_safety import ZipMember
from twofold.names import normalize_name
from twofold_build.archive import Content, Entry
from twofold_build.metadata import format_record_line

#: Both take files whole and in pieces.
PackageWriter = CondaWriter | TarBz2Writer
#: Members up to this many bytes are held in memory as a whole; larger ones pass in pieces.
MAX_IN_MEMORY = 16 << 20


class Conversion(NamedTuple):
    """The packages made of one wheel, and the requirements that none of them speaks of.

    `notes` are those that may surprise, `unsaid` those left out by the rules (docs/reference).
    """

    packages: list[Artifact]
    notes: list[str]
    dropped: list[str]


def convert(
    wheel: Path,
    channel: Path,
    options: CondaOptions,
    claim: Callable[[Path], None] = lambda _: None,
) -> Conversion:
    """Write `channel/<subdir>/<stem>.conda` for each package the wheel stands for.

    `claim` is told of every file before it is written, and raises where another wheel's is meant.
    """
    with WheelFile(wheel) as source:
        scripts = source.read_dist_info_file("entry_points.txt")
        tags = source.name.tags
        found = []
        packages = make_packages(source.metadata_bytes, scripts, tags, options)
        notes = list(dict.fromkeys(note for package in packages for note in package.notes))
        for package in packages:
            claim(channel / package.subdir / f"{package.stem}.conda")
            package.timestamp = package.timestamp or newest_timestamp(source)
            package.info_files |= read_license_files(source)
            found.append(read_artifact(_write(source, package, channel, options)))
        if options.extras_as_packages:
            from twofold.convert.extra_packages import make_extra_packages

            for package in make_extra_packages(source.metadata_bytes, options):
                package.timestamp = package.timestamp or newest_timestamp(source)
                target = channel / package.subdir / f"{package.stem}.conda"
                CondaWriter(target, package, options.level).close()
                found.append(read_artifact(target))
        return Conversion(
            found, notes, list_dropped_requirements(source.metadata_bytes, tags, options)
        )


def _write(source: WheelFile, package: CondaPackage, channel: Path, options: CondaOptions) -> Path:
    target = channel / package.subdir / f"{package.stem}.conda"
    write_wheel_files(source, package, CondaWriter(target, package, options.level))
    return target


def write_wheel_files(source: WheelFile, package: CondaPackage, writer: PackageWriter) -> None:
    """Put a wheel's files into a package and close it; where that fails, nothing is left.

    Raises BadFile when a file is not what RECORD tells.
    """
    if package.subdir.startswith("win-") and package.entry_points:
        # conda's installers make the .exe of an entry point for noarch python alone (CEP 20).
        package.noarch = "python"
    layout = Layout(
        package, abi_from_depends(package.depends), normalize_name(source.metadata.name)
    )
    try:
        _Copy(source, writer, layout).run()
        writer.close()
    except BaseException:
        writer.abort()
        raise


class _Copy:
    """Carries a wheel's members into a package and keeps the new RECORD."""

    def __init__(self, source: WheelFile, writer: PackageWriter, layout: Layout) -> None:
        self._source = source
        self._writer = writer
        self._layout = layout
        self._data_folder = source.dist_info.removesuffix(".dist-info") + ".data"
        record = source.read_dist_info_file("RECORD", limits.LISTS)
        self._told, problems = parse_record(record or b"")
        if problems:
            raise limits.make_bad_file(problems)
        self._new_record: list[str] = []

    def run(self) -> None:
        own = {f"{self._source.dist_info}/{name}" for name in (*UNHASHED, "INSTALLER")}
        members = [m for m in self._source.members.values() if not m.is_folder]
        listed = set(self._told)
        self._compare({member.name for member in members} - own, listed - own)
        for member in sorted(members, key=lambda member: member.start):
            if member.name not in own:
                self._carry(member)
        installer = b"conda\n"
        dist_info = f"{self._layout.site_packages}/{self._source.dist_info}"
        self._add(f"{dist_info}/INSTALLER", installer, executable=False)
        if not self._writer.package.noarch:
            self._write_scripts()
        self._finish(f"{dist_info}/RECORD")

    def _compare(self, there: set[str], listed: set[str]) -> None:
        missing = sorted(there - listed)
        gone = sorted(listed - there)
        if missing or gone:
            what = (
                f"RECORD does not list {missing[0]}"
                if missing
                else f"RECORD lists {gone[0]}, which is not there"
            )
            more = len(missing) + len(gone) - 1
            raise BadFile(
                what + (f" ({more} more such files)" if more else ""),
                "build the wheel again, or fetch it again",
                self._source.path.name,
            )

    def _carry(self, member: ZipMember) -> None:
        path, is_script = self._layout.locate(member.name, self._data_folder)
        executable = member.is_executable or is_script
        if member.size > MAX_IN_MEMORY and not (is_script and self._is_changed(member)):
            entry = Entry(path, executable=executable)
            digest = self._writer.add_pieces(
                entry, member.size, self._source.archive.pieces(member)
            )
            self._judge(member, digest, None)
            self._remember(path, digest, member.size)
            return
        data = self._source.archive.read(member.name, MAX_IN_MEMORY)
        digest = hashlib.sha256(data).digest()
        self._judge(member, digest, data)
        if is_script:
            changed, placeholder = rewrite_script(data)
            self._add(path, changed, executable=True, placeholder=placeholder)
        else:
            self._writer.add(Entry(path, executable=executable), Content(data, digest))
            self._remember(path, digest, len(data))

    def _is_changed(self, member: ZipMember) -> bool:
        """Whether a script begins with a line that is rewritten; a compiled program has none."""
        first = next((piece for piece in self._source.archive.pieces(member) if piece), b"")
        return rewrite_script(first)[1] != ""

    def _judge(self, member: ZipMember, sha256: bytes, data: bytes | None) -> None:
        told: RecordEntry = self._told[member.name]
        right = told.digest == sha256 if told.algorithm == "sha256" else True
        if told.algorithm not in ("sha256", "") and data is not None:
            right = hashlib.new(told.algorithm, data).digest() == told.digest
        if not right or not told.algorithm or told.size not in (-1, member.size):
            raise BadFile(
                f"{member.name} is not the file that RECORD tells of",
                "fetch the wheel again; if it stays so, do not trust it",
                self._source.path.name,
            )

    def _add(self, path: str, data: bytes, executable: bool, placeholder: str = "") -> None:
        digest = hashlib.sha256(data).digest()
        self._writer.add(Entry(path, executable=executable), Content(data, digest), placeholder)
        if placeholder:  # the installer changes it, so its hash cannot be told
            self._new_record.append(f"{self._layout.relative_to_site_packages(path)},,\n")
        else:
            self._remember(path, digest, len(data))

    def _remember(self, path: str, digest: bytes, size: int) -> None:
        relative = self._layout.relative_to_site_packages(path)
        self._new_record.append(format_record_line(relative, digest, size))

    def _write_scripts(self) -> None:
        """Entry points of a platform package as real scripts: its installer makes none."""
        for line in self._writer.package.entry_points:
            path = f"{self._layout.scripts}/{line.partition(' = ')[0]}"
            self._add(path, make_entry_point_script(line), executable=True, placeholder=PLACEHOLDER)

    def _finish(self, path: str) -> None:
        lines = [*sorted(self._new_record), f"{self._layout.relative_to_site_packages(path)},,\n"]
        data = "".join(lines).encode()
        self._writer.add(Entry(path), Content(data, hashlib.sha256(data).digest()))


def read_license_files(source: WheelFile) -> dict[str, bytes]:
    """The wheel's licence files for info/licenses/ (PEP 639 and the older places)."""
    found = {}
    folder = f"{source.dist_info}/"
    for name, member in source.members.items():
        rest = name.removeprefix(folder)
        if rest == name or member.is_folder or member.size > limits.METADATA:
            continue
        listed = rest.startswith(("licenses/", "license_files/"))
        usual = rest.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS"))
        if listed or (usual and "/" not in rest):
            found[f"licenses/{rest.partition('/')[2] if listed else rest}"] = source.archive.read(
                name
            )
    return found


def newest_timestamp(source: WheelFile) -> int:
    """The newest date in the wheel, in milliseconds: the same wheel gives the same package."""
    newest = max(member.date for member in source.members.values())
    year, month, day, hour, minute, second = newest
    return calendar.timegm((year, max(month, 1), max(day, 1), hour, minute, second)) * 1000
