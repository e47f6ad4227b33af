"""The conda packages of a build: the wheel's entries, laid down as `convert` lays down a wheel.

What comes out is the package that `twofold convert` makes of the same wheel, compressed quicker.
"""

from __future__ import annotations

import os

from twofold.building.options import BuiltFile
from twofold.convert.package_builder import Layout, rewrite_script
from twofold.convert.wheel_tags import Abi
from twofold_build import names
from twofold_build.archive import Content, Entry, new_md5, new_sha256, to_content
from twofold_build.errors import Problem, ProjectErrors, TwofoldError
from twofold_build.metadata import TAG, format_record_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from twofold.building.listing import PackageLister
    from twofold.conda_metadata import CondaPackage
    from twofold.formats.conda_writer import CondaWriter
    from twofold.formats.tar_bz2 import TarBz2Writer
    from twofold_build.plan import BuildPlan

    PackageWriter: TypeAlias = CondaWriter | TarBz2Writer | PackageLister


def list_packages(planned: BuildPlan) -> list[CondaPackage]:
    """The conda packages of a project, told from the metadata of its wheel: one, unless markers
    ask for several; after them those of its extras, where `extras-as-packages` asks for them.

    What conda cannot say stops the build, and the hint says how to build without it.
    """
    from twofold.convert import find_metadata_near, make_packages, parse_options

    options = parse_options(planned.project.settings.table.get("conda", {}))
    options.metadata_of = find_metadata_near(planned.project.root)
    # A zip tells time in steps of two seconds, and the wheel's is what convert sees.
    options.timestamp = planned.when // 2 * 2000
    points = planned.dist_info_files.get("entry_points.txt")
    try:
        found = make_packages(planned.metadata, points, [TAG], options)
        if options.extras_as_packages:
            from twofold.convert.extra_packages import make_extra_packages

            found += make_extra_packages(planned.metadata, options)
        return found
    except TwofoldError as error:
        raise ProjectErrors(
            [
                Problem(p.message, f"{p.hint}; --only sdist,wheel builds without conda", p.where)
                for p in error.problems
            ]
        ) from error


class CondaOutputs:
    """The conda packages of one build: open them, let them take the wheel's entries, finish."""

    def __init__(self, planned: BuildPlan, channel: str, kinds: Sequence[str]) -> None:
        self.writers: list[WheelToCondaAdapter | MetapackageAdapter] = []
        #: What the packages could not say, for the user.
        self.notes: list[str] = []
        self._channel = channel
        self._files: list[tuple[str, str, CondaPackage]] = []
        try:
            for package in list_packages(planned):
                self.notes += [note for note in package.notes if note not in self.notes]
                for kind in kinds:
                    path = os.path.join(channel, package.subdir, f"{package.stem}.{kind}")
                    self.writers.append(
                        adapter_for(open_writer(kind, path, package), package, planned)
                    )
                    self._files.append((kind, path, package))
        except BaseException:
            for writer in self.writers:
                writer.abort()
            raise

    def finish(self) -> list[BuiltFile]:
        """Once the writers are closed: hash the files and make the folder a channel."""
        from twofold.building.channel import index_channel

        built = []
        records = {}
        for kind, path, package in self._files:
            one, md5 = hash_file(kind, path)
            built.append(one)
            records[os.path.basename(path)] = _repodata_record(package, one, md5)
        index_channel(self._channel, records)
        return built


def _repodata_record(package: CondaPackage, built: BuiltFile, md5: str) -> dict[str, Any]:
    """A package's record in repodata: info/index.json, but what no client reads there."""
    record = package.index
    for key in ("arch", "platform"):
        record.pop(key, None)
    return {**record, "md5": md5, "sha256": built.sha256, "size": built.size}


def open_writer(kind: str, path: str, package: CondaPackage) -> CondaWriter | TarBz2Writer:
    """A writer of a package in one of the two formats."""
    if kind == "conda":
        from twofold.formats.conda_writer import BUILD_LEVEL, CondaWriter

        return CondaWriter(path, package, BUILD_LEVEL)
    from twofold.formats.tar_bz2 import TarBz2Writer

    return TarBz2Writer(path, package)


def adapter_for(
    writer: PackageWriter, package: CondaPackage, planned: BuildPlan
) -> WheelToCondaAdapter | MetapackageAdapter:
    """What takes the wheel's entries for a package."""
    if package.noarch == "generic":  # an extra's
        return MetapackageAdapter(writer)
    return WheelToCondaAdapter(writer, package, planned)


class MetapackageAdapter:
    """Lets the wheel's entries pass by: a package that only depends on others."""

    def __init__(self, writer: PackageWriter) -> None:
        self._writer = writer

    def add(self, entry: Entry, content: Content) -> None:
        """Nothing of the wheel is in it."""

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.abort()


class WheelToCondaAdapter:
    """Takes a wheel's entries and hands them to a conda writer, each where conda has it.

    RECORD is told anew, since files lie elsewhere and INSTALLER is added; licences are kept for
    info/licenses/ too.
    """

    def __init__(self, writer: PackageWriter, package: CondaPackage, planned: BuildPlan) -> None:
        self._writer = writer
        self._package = package
        stem = planned.project.file_stem
        self._data_folder = f"{stem}.data"
        self._dist_info = f"{stem}.dist-info"
        self._layout = Layout(package, Abi(), names.normalize_name(planned.project.name))
        self._record: list[str] = []

    def add(self, entry: Entry, content: Content) -> None:
        if entry.path == f"{self._dist_info}/RECORD":
            return
        path, is_script = self._layout.locate(entry.path, self._data_folder)
        placed = Entry(path, entry.source, entry.data, entry.executable or is_script, entry.reason)
        if is_script:
            data, placeholder = rewrite_script(content.data)
            if placeholder:
                self._add_replaced(placed, to_content(data), placeholder)
                return
        licences = f"{self._dist_info}/licenses/"
        if entry.path.startswith(licences):
            self._package.info_files[f"licenses/{entry.path[len(licences) :]}"] = content.data
        self._writer.add(placed, content)
        self._add_to_record(path, content)

    def close(self) -> None:
        folder = f"{self._layout.site_packages}/{self._dist_info}"
        installer = to_content(b"conda\n")
        self._writer.add(Entry(f"{folder}/INSTALLER", reason="generated"), installer)
        self._add_to_record(f"{folder}/INSTALLER", installer)
        own = self._layout.relative_to_site_packages(f"{folder}/RECORD")
        text = "".join(sorted(self._record)) + f"{own},,\n"
        self._writer.add(Entry(f"{folder}/RECORD", reason="generated"), to_content(text.encode()))
        self._writer.close()

    def abort(self) -> None:
        self._writer.abort()

    def _add_replaced(self, entry: Entry, content: Content, placeholder: str) -> None:
        """A script whose first line the installer will change: its hash cannot be told."""
        self._writer.add(entry, content, placeholder)
        self._record.append(f"{self._layout.relative_to_site_packages(entry.path)},,\n")

    def _add_to_record(self, path: str, content: Content) -> None:
        relative = self._layout.relative_to_site_packages(path)
        self._record.append(format_record_line(relative, content.sha256, len(content.data)))


def hash_file(kind: str, path: str) -> tuple[BuiltFile, str]:
    """A finished file with its SHA-256, and its MD5, which repodata tells for old clients."""
    sha256, md5 = new_sha256(), new_md5()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
            size += len(piece)
    return BuiltFile(kind, path, sha256.hexdigest(), size), md5.hexdigest()
