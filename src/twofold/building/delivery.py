"""Put what another backend made, and the conda packages of it, into their places: all or none."""

from __future__ import annotations

import os

from twofold.building.options import BuildRequest, BuildResult, BuiltFile, hint_at_other_kinds
from twofold.errors import ProjectErrors, TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.conda_metadata import CondaPackage
    from twofold.convert import CondaOptions
    from twofold.formats.core_metadata import CoreMetadata

    #: Kind, path, and the package.
    _Made = tuple[str, str, CondaPackage]


def deliver(
    result: BuildResult,
    request: BuildRequest,
    out: str,
    made: dict[str, str | None],
    packages: Sequence[_Made],
) -> None:
    """Copy the requested files to their final places: all of them, or none where one fails."""
    from twofold_build.atomic import AtomicFile

    files = {kind: path for kind, path in made.items() if path is not None}
    result.name, result.version = _read_release(files, request)
    dist, channel = os.path.join(out, "dist"), os.path.join(out, "conda-bld")
    places = [(kind, path, dist) for kind, path in files.items() if kind in request.kinds]
    places += [(kind, path, os.path.join(channel, one.subdir)) for kind, path, one in packages]
    begun: list[AtomicFile] = []
    try:
        for kind, path, folder in places:
            file = AtomicFile(os.path.join(folder, os.path.basename(path)))
            begun.append(file)
            with open(path, "rb", buffering=0) as source:
                while piece := source.read(1 << 20):
                    file.write(piece)
            file.stream.flush()  # a full disk shows here, before any file has its name
            result.artifacts.append(BuiltFile(kind, file.path, file.sha256, file.size))
        while begun:
            begun.pop().commit()
    finally:
        for file in begun:
            file.discard()
    if packages:
        from twofold.building.conda_outputs import hash_file, index_channel, make_record

        records = {}
        for kind, path, package in packages:
            built, md5 = hash_file(kind, path)
            records[os.path.basename(path)] = make_record(package, built, md5)
        index_channel(channel, records)


def _read_release(files: dict[str, str], request: BuildRequest) -> tuple[str, str]:
    """The name and the version in what was built. Raises BadFile for what no rule looked at."""
    metadata = _read_plain_metadata(files["sdist"]) if "sdist" in files else None
    if metadata is None or not request.is_checked:
        metadata = _read_metadata(files)
    return metadata.name, metadata.version


def _read_plain_metadata(sdist: str) -> CoreMetadata | None:
    from twofold.formats.core_metadata import parse_metadata
    from twofold.formats.light.plain_archives import read_sdist_files

    for path, data in (read_sdist_files(sdist) or {}).items():
        folder, _, name = path.partition("/")
        if name == "PKG-INFO":
            return parse_metadata(data, f"{folder}/PKG-INFO")
    return None


def _read_metadata(files: dict[str, str]) -> CoreMetadata:
    from pathlib import Path

    if "sdist" in files:
        from twofold.formats.sdist import read_sdist

        return read_sdist(Path(files["sdist"])).metadata
    from twofold.formats.wheel import WheelFile

    with WheelFile(Path(files["wheel"])) as wheel:
        return wheel.metadata


def make_conda_packages(
    wheel: str | os.PathLike[str] | None,
    channel: str | os.PathLike[str],
    request: BuildRequest,
    options: CondaOptions | None,
) -> list[_Made]:
    """The wheel's conda packages, each in the requested kinds, in a folder aside."""
    kinds = [kind for kind in request.kinds if kind not in ("sdist", "wheel")]
    if wheel is None or not kinds or options is None:
        return []
    from pathlib import Path

    from twofold.building.conda_outputs import open_writer
    from twofold.convert.requirements import DirectReference
    from twofold.convert.wheel import make_wheel_packages, write_package
    from twofold.formats.wheel import WheelFile

    made = []
    with WheelFile(Path(wheel)) as source:
        try:
            packages = make_wheel_packages(source, options)
        except DirectReference as error:
            request.leave_out_conda(error)
            return []
        except TwofoldError as error:
            raise ProjectErrors(hint_at_other_kinds(error)) from error
        for note in dict.fromkeys(note for package in packages for note in package.notes):
            request.report(note)
        for package in packages:
            for kind in kinds:
                path = os.path.join(channel, package.subdir, f"{package.stem}.{kind}")
                write_package(source, package, open_writer(kind, path, package))
                made.append((kind, path, package))
    return made
