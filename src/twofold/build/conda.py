"""The conda packages of a build: the wheel's entries, laid down as conda wants them."""

from __future__ import annotations

import os
from functools import partial

from twofold.build.request import Built

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content, Entry, Writer
    from twofold_build.build import Plan


def conda_writers(
    planned: Plan,
    channel: str,
    kinds: Sequence[str],
    finished: list[Callable[[], Built]],
) -> list[Writer]:
    """A writer for each kind, taking the wheel's entries."""
    described = package(planned)
    writers: list[Writer] = []
    for kind in kinds:
        path = os.path.join(channel, described.subdir, f"{described.stem}.{kind}")
        if kind == "conda":
            from twofold.formats.conda import CondaWriter

            writers.append(FromWheel(CondaWriter(path, described), planned.project.file_stem))
        else:
            from twofold.formats.tar_bz2 import TarBz2Writer

            writers.append(FromWheel(TarBz2Writer(path, described), planned.project.file_stem))
        finished.append(partial(_built, kind, path))
    return writers


def package(planned: Plan) -> CondaPackage:
    """The conda package of a project, told from the metadata of its wheel."""
    from twofold.convert import CondaOptions, package_of
    from twofold_build.wheel import TAG

    points = planned.wheel_made.get("entry_points.txt")
    return package_of(planned.metadata, points, [TAG], CondaOptions())


class FromWheel:
    """Takes a wheel's entries and hands them to a conda writer, each where conda has it.

    A noarch package keeps Python files under site-packages/; an installer moves them to the
    place of the environment's Python. The wheel's `.data` folders go where pip would put them.
    """

    def __init__(self, writer: Writer, stem: str) -> None:
        self._writer = writer
        self._data = f"{stem}.data/"

    def add(self, entry: Entry, content: Content) -> None:
        from twofold_build.archive import Entry

        path = self._place(entry.path)
        executable = entry.executable or path.startswith("python-scripts/")
        self._writer.add(Entry(path, entry.source, entry.data, executable, entry.reason), content)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.abort()

    def _place(self, path: str) -> str:
        if not path.startswith(self._data):
            return f"site-packages/{path}"
        kind, _, rest = path[len(self._data) :].partition("/")
        if kind == "scripts":
            return f"python-scripts/{rest}"
        if kind == "headers":
            return f"include/python/{rest}"
        return rest if kind == "data" else f"site-packages/{rest}"


def index_channel(channel: str) -> None:
    """Make the folder a channel: repodata beside the packages."""
    from pathlib import Path

    from twofold.index.folder import index_folder

    index_folder(Path(channel))


def _built(kind: str, path: str) -> Built:
    from twofold_build.archive import new_sha256

    digest = new_sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return Built(kind, path, digest.hexdigest(), size)
