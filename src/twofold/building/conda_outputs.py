"""The conda packages of a build: the wheel's entries go to the package builder of `convert`.

The result is the package that `twofold convert` makes of the same wheel, compressed faster.
"""

from __future__ import annotations

import os

from twofold.building.options import BuiltFile
from twofold.convert.package_builder import Layout, PackageBuilder
from twofold_build import names
from twofold_build.archive import new_md5, new_sha256
from twofold_build.errors import Problem, ProjectErrors, TwofoldError
from twofold_build.metadata import TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.conda_metadata import CondaPackage
    from twofold.convert.package_builder import PackageWriter
    from twofold.formats.conda_writer import CondaWriter
    from twofold.formats.tar_bz2 import TarBz2Writer
    from twofold_build.archive import Content, Entry
    from twofold_build.plan import BuildPlan


def list_packages(planned: BuildPlan) -> list[CondaPackage]:
    """The conda packages of a project, made from the metadata of its wheel.

    One, unless markers make several; after them those of its extras, where `extras-as-packages` is
    true. What conda cannot express stops the build, and the hint says how to build without it.
    """
    from twofold.convert import find_metadata_near, make_all_packages, parse_options

    options = parse_options(planned.project.settings.table.get("conda", {}))
    options.find_metadata = find_metadata_near(planned.project.root)
    # A zip tells time in steps of two seconds, and the wheel's is what convert sees.
    options.timestamp = planned.when // 2 * 2000
    points = planned.dist_info_files.get("entry_points.txt")
    try:
        return make_all_packages(planned.metadata, points, [TAG], options)
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
        self.writers: list[PackageBuilder | MetapackageAdapter] = []
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
) -> PackageBuilder | MetapackageAdapter:
    """The taker of the wheel's entries for a package."""
    if package.noarch == "generic":  # an extra's
        return MetapackageAdapter(writer)
    dist_info = f"{planned.project.file_stem}.dist-info"
    layout = Layout(package, dist_info, names.normalize_name(planned.project.name))
    return PackageBuilder(package, writer, layout)


class MetapackageAdapter:
    """Lets the wheel's entries pass by: a package that only depends on others."""

    def __init__(self, writer: PackageWriter) -> None:
        self._writer = writer

    def add(self, entry: Entry, content: Content) -> None:
        """Nothing of the wheel is in it."""

    def close(self) -> None:
        """Finish the package."""
        self._writer.close()

    def abort(self) -> None:
        """Leave nothing of the package behind."""
        self._writer.abort()


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
