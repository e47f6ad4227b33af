"""Put what another backend made, and the conda packages of it, into their places: all or none."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from twofold.building.options import BuildRequest, BuildResult, BuiltFile, hint_at_other_kinds
from twofold.errors import ProjectErrors, TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.convert import CondaOptions


def deliver(
    result: BuildResult,
    request: BuildRequest,
    out: Path,
    made: dict[str, Path | None],
    packages: list[tuple[str, Path]],
) -> None:
    """Copy the requested files to their final places: all of them, or none where one fails."""
    from twofold.formats.reader import read_artifact
    from twofold_build.atomic import AtomicFile

    files = {kind: path for kind, path in made.items() if path is not None}
    artifact = read_artifact(next(iter(files.values())))
    result.name, result.version = artifact.name, artifact.version
    places = [(kind, path, out / "dist") for kind, path in files.items() if kind in request.kinds]
    places += [(kind, path, out / "conda-bld" / path.parent.name) for kind, path in packages]
    with ExitStack() as stack:
        for kind, path, folder in places:
            file = stack.enter_context(AtomicFile(folder / path.name))
            with path.open("rb") as source:
                while piece := source.read(1 << 20):
                    file.write(piece)
            file.stream.flush()  # a full disk shows here, before any file has its name
            result.artifacts.append(BuiltFile(kind, file.path, file.sha256, file.size))
    if packages:
        from twofold.index.folder import index_folder

        index_folder(out / "conda-bld")


def make_conda_packages(
    wheel: Path | None, channel: Path, request: BuildRequest, options: CondaOptions | None
) -> list[tuple[str, Path]]:
    """The wheel's conda packages, each in the requested kinds, in a folder aside."""
    kinds = [kind for kind in request.kinds if kind not in ("sdist", "wheel")]
    if wheel is None or not kinds or options is None:
        return []
    from twofold.building.conda_outputs import open_writer
    from twofold.convert.requirements import DirectReference
    from twofold.convert.wheel import make_wheel_packages, write_package
    from twofold.formats.wheel import WheelFile

    made = []
    with WheelFile(wheel) as source:
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
                path = channel / package.subdir / f"{package.stem}.{kind}"
                write_package(source, package, open_writer(kind, str(path), package))
                made.append((kind, path))
    return made
