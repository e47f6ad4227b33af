"""A wheel file into conda packages in a channel folder.

Each member is unpacked once, hashed once and handed to the package builder, whose writer compresses
in threads; what RECORD lists is compared on the way. No file has its final name unless all of it
is right.
"""

from __future__ import annotations

from typing import NamedTuple

from twofold.conda_metadata import CondaPackage
from twofold.convert.extras import is_extra_package
from twofold.convert.options import CondaOptions
from twofold.convert.package import list_dropped_requirements, make_all_packages
from twofold.convert.package_builder import REWRITTEN, Layout, PackageBuilder, rewrite_script
from twofold.convert.wheel_tags import find_build_number
from twofold.errors import BadFile
from twofold.formats import limits
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.wheel import RecordEntry, WheelFile, parse_record
from twofold.formats.zip_safety import ZipMember
from twofold.names import normalize_name
from twofold_build.archive import Content, Entry, new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twofold.artifact import Artifact
    from twofold.formats.tar_bz2 import TarBz2Writer

    #: Both take files whole and in pieces.
    FileWriter = CondaWriter | TarBz2Writer
#: Members up to this many bytes are held in memory as a whole; larger ones pass in pieces.
MAX_IN_MEMORY = 16 << 20
#: The ordinal of 1970-01-01.
_FIRST_DAY = 719163


class Conversion(NamedTuple):
    """The packages made of one wheel, and the requirements that none of them has.

    `notes` are those that may surprise, `dropped` those left out by the rules (docs/reference).
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
    """Write `channel/<subdir>/<stem>.conda` for each package of the wheel.

    `claim` is called with every path before it is written, and raises where another wheel has it.
    """
    from twofold.formats.reader import read_artifact

    with WheelFile(wheel) as source:
        packages = make_wheel_packages(source, options)
        found = []
        for package in packages:
            target = channel / package.subdir / f"{package.stem}.conda"
            claim(target)
            write_package(source, package, CondaWriter(target, package, options.level))
            found.append(read_artifact(target))
        notes = list(dict.fromkeys(note for package in packages for note in package.notes))
        tags = source.name.tags
        dropped = list_dropped_requirements(source.metadata_bytes, tags, options)
        return Conversion(found, notes, dropped)


def make_wheel_packages(source: WheelFile, options: CondaOptions) -> list[CondaPackage]:
    """The conda packages of an open wheel, those of its extras last, with their timestamps."""
    scripts = source.read_dist_info_file("entry_points.txt")
    packages = make_all_packages(source.metadata_bytes, scripts, source.name.tags, options)
    number = find_build_number(source.name.build)
    for package in packages:
        if number and not options.build_number:
            package.build_number = number
            package.build = f"{package.build.removesuffix('_0')}_{number}"
        package.timestamp = package.timestamp or newest_timestamp(source)
    return packages


def write_package(source: WheelFile, package: CondaPackage, writer: FileWriter) -> None:
    """Write a package of the wheel and close it: with its files, or none for one of an extra."""
    if is_extra_package(package):
        writer.close()
    else:
        write_wheel_files(source, package, writer)


def write_wheel_files(source: WheelFile, package: CondaPackage, writer: FileWriter) -> None:
    """Put a wheel's files into a package and close it; where that fails, nothing is left.

    Raises BadFile when a file is not as RECORD lists it.
    """
    if package.subdir.startswith("win-") and package.entry_points:
        # conda's installers make the .exe of an entry point for noarch python alone (CEP 20).
        package.noarch = "python"
    try:
        _WheelReader(source, package, writer).run()
    except BaseException:
        writer.abort()
        raise


class _WheelReader:
    """Feeds a wheel's members to the builder of a package, checked against RECORD."""

    def __init__(self, source: WheelFile, package: CondaPackage, writer: FileWriter) -> None:
        self._source = source
        self._writer = writer
        self._layout = Layout(package, source.dist_info, normalize_name(source.metadata.name))
        self._builder = PackageBuilder(package, writer, self._layout)
        self._listed, problems = parse_record(source.record_bytes)
        if problems:
            raise limits.make_bad_file(problems)

    def run(self) -> None:
        """Feed every member in the order of the archive, then finish the package."""
        own = {f"{self._source.dist_info}/{name}" for name in REWRITTEN}
        members = [
            m for m in self._source.members.values() if not m.is_folder and m.name not in own
        ]
        self._compare({member.name for member in members}, set(self._listed) - own)
        for member in sorted(members, key=lambda member: member.start):
            self._copy(member)
        self._builder.close()

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

    def _copy(self, member: ZipMember) -> None:
        entry = Entry(member.name, executable=member.is_executable)
        if member.size > MAX_IN_MEMORY and not self._is_rewritten(member):
            pieces = self._source.archive.pieces(member)
            digest = self._builder.add_pieces(entry, member.size, pieces, self._writer)
            self._check_hash(member, digest, None)
            return
        data = self._source.archive.read(member.name, MAX_IN_MEMORY)
        digest = new_sha256(data).digest()
        self._check_hash(member, digest, data)
        self._builder.add(entry, Content(data, digest))

    def _is_rewritten(self, member: ZipMember) -> bool:
        """Whether it is a script with a line that is rewritten; a compiled program has none."""
        if not self._layout.locate(member.name)[1]:
            return False
        first = next((piece for piece in self._source.archive.pieces(member) if piece), b"")
        return rewrite_script(first)[1] != ""

    def _check_hash(self, member: ZipMember, sha256: bytes, data: bytes | None) -> None:
        listed: RecordEntry = self._listed[member.name]
        if not listed.algorithm:
            raise BadFile(
                f"RECORD has no hash of {member.name}",
                "build the wheel again with a tool that writes hashes",
                self._source.path.name,
            )
        right = listed.digest == sha256 if listed.algorithm == "sha256" else True
        if listed.algorithm not in ("sha256", "") and data is not None:
            import hashlib

            right = hashlib.new(listed.algorithm, data).digest() == listed.digest
        if not right or listed.size not in (-1, member.size):
            raise BadFile(
                f"{member.name} does not match its hash or size in RECORD",
                "fetch the wheel again; if it stays so, do not trust it",
                self._source.path.name,
            )


def newest_timestamp(source: WheelFile) -> int:
    """The newest date in the wheel, in milliseconds: the same wheel gives the same package."""
    from datetime import date

    newest = max(member.date for member in source.members.values())
    year, month, day, hour, minute, second = newest
    # As calendar.timegm, whose module imports locale: dates that do not exist count on.
    days = date(year, max(month, 1), 1).toordinal() - _FIRST_DAY + max(day, 1) - 1
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000
