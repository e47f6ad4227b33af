"""The conda packages of a build: the wheel's entries go to the package builder of `convert`.

The result is the package that `twofold convert` makes of the same wheel, compressed faster.
"""

from __future__ import annotations

import os

from twofold.building.options import BuiltFile, hint_at_other_kinds
from twofold.convert.package_builder import Layout, PackageBuilder
from twofold.convert.requirements import DirectReference
from twofold_build import names
from twofold_build.archive import new_md5, new_sha256
from twofold_build.atomic import write_atomically
from twofold_build.errors import ProjectErrors, TwofoldError
from twofold_build.metadata import TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    true. Raises DirectReference where nothing but that is wrong, ProjectErrors for anything else
    that conda cannot express: its hint says how to build without it.
    """
    from twofold.convert import find_metadata_near, make_all_packages, parse_options

    options = parse_options(planned.project.settings.table.get("conda", {}))
    options.find_metadata = find_metadata_near(planned.project.root)
    # A zip stores time in steps of two seconds, and `convert` reads the wheel's.
    options.timestamp = planned.when // 2 * 2000
    points = planned.dist_info_files.get("entry_points.txt")
    try:
        return make_all_packages(planned.metadata, points, [TAG], options)
    except DirectReference:
        raise  # what to do without a conda package depends on the request
    except TwofoldError as error:
        raise ProjectErrors(hint_at_other_kinds(error)) from error


class CondaOutputs:
    """The conda packages of one build: open them, let them take the wheel's entries, finish."""

    def __init__(self, planned: BuildPlan, channel: str, kinds: Sequence[str]) -> None:
        self.writers: list[PackageBuilder | MetapackageAdapter] = []
        #: What the packages could not express, for the user.
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
        built = []
        records = {}
        for kind, path, package in self._files:
            one, md5 = hash_file(kind, path)
            built.append(one)
            records[os.path.basename(path)] = make_record(package, one, md5)
        index_channel(self._channel, records)
        return built


def make_record(package: CondaPackage, built: BuiltFile, md5: str) -> dict[str, Any]:
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
    """A finished file with its SHA-256, and its MD5, which repodata holds for old clients."""
    sha256, md5 = new_sha256(), new_md5()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
            size += len(piece)
    return BuiltFile(kind, path, sha256.hexdigest(), size), md5.hexdigest()


#: Left by `twofold index`, whose pages would be stale if repodata.json alone were renewed.
_INDEXED = ".twofold-index.sqlite"
_PACKAGES = (".conda", ".tar.bz2")


def index_channel(channel: str, new_records: Mapping[str, dict[str, Any]]) -> None:
    """Write the channel's repodata. `made` are the records of what was just built, by file name.

    A record is info/index.json with md5, sha256 and size.
    """
    records = _collect_records(channel, new_records)
    if records is None:
        from pathlib import Path

        from twofold.index.folder import index_folder

        index_folder(Path(channel))
        return
    from twofold.formats.light.json_text import dump_sorted
    from twofold.index.placement import add_v3_records, place_records

    placed = place_records(records)
    newer = placed.pop("v3", {})
    data = {"info": {"subdir": "noarch"}, **placed, "removed": [], "repodata_version": 1}
    text = dump_sorted(add_v3_records(data, newer), ",", ":")
    write_atomically(os.path.join(channel, "noarch", "repodata.json"), text.encode())


def _collect_records(
    channel: str, new_records: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]] | None:
    """The records of every package in the channel, or None where some are not known."""
    if os.path.exists(os.path.join(channel, _INDEXED)):
        return None
    there: dict[str, int] = {}
    for subdir in os.scandir(channel):
        if subdir.is_dir() and not subdir.name.startswith("."):
            for file in os.scandir(subdir.path):
                if file.name.endswith(_PACKAGES) and not file.name.startswith("."):
                    if subdir.name != "noarch":
                        return None
                    there[file.name] = file.stat().st_size
    unknown = there.keys() - new_records.keys()
    known = _previous_records(channel) if unknown else {}
    if any(known.get(name, {}).get("size") != there[name] for name in unknown):
        return None
    return {name: new_records.get(name) or known[name] for name in sorted(there)}


def _previous_records(channel: str) -> dict[str, dict[str, Any]]:
    """The records of the last build's repodata.json; empty if it cannot be read."""
    import json

    try:
        with open(os.path.join(channel, "noarch", "repodata.json"), encoding="utf-8") as file:
            data = json.load(file)
        found = {**data["packages"], **data["packages.conda"]}
        for ending, own in data.get("v3", {}).items():
            found |= {f"{stem}.{ending}": record for stem, record in own.items()}
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
