"""The build itself: one walk, each file read once, handed to every writer that wants it.

Both frontends stand on this: the PEP 517 hooks with one writer, `twofold build` with several.
"""

from __future__ import annotations

import os

from twofold_build.archive import Content, Entry, read_content, to_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold_build.archive import Writer
    from twofold_build.files import FileSelection
    from twofold_build.pyproject import Project
    from twofold_build.wheel import Record

#: 1980-01-01 UTC, the earliest time a zip file can say.
EARLIEST = 315532800
#: 2107-12-31 23:59:58 UTC, the latest.
LATEST = 4354819198


class BuildPlan:
    """A project ready to be packed: its files and the files that are made for it.

    `metadata` is METADATA and PKG-INFO, byte for byte the same; `wheel_made` are the generated
    files of the wheel but RECORD, by their names in .dist-info; `made_at_root` those beside it.
    """

    __slots__ = ("made_at_root", "metadata", "pack", "project", "wheel_made", "when")

    def __init__(
        self,
        project: Project,
        pack: FileSelection,
        metadata: bytes,
        wheel_made: dict[str, bytes],
        when: int,
    ) -> None:
        self.project = project
        self.pack = pack
        self.metadata = metadata
        self.wheel_made = wheel_made
        self.made_at_root: dict[str, bytes] = {}
        self.when = when


def make_plan(root: str | os.PathLike[str]) -> BuildPlan:
    """Read the project and find what is packed. Raises ProjectErrors with every mistake."""
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.files import select_files
    from twofold_build.metadata import render_entry_points, render_metadata
    from twofold_build.modules import list_import_names
    from twofold_build.pyproject import read_project
    from twofold_build.wheel import WHEEL

    project = read_project(root)
    mistakes = Diagnostics.for_project(project.root)
    pack = select_files(project, mistakes)
    mistakes.raise_all()
    text = render_metadata(project, *list_import_names(project, pack.modules))
    made = {"METADATA": text, "WHEEL": WHEEL}
    points = render_entry_points(project)
    if points:
        made["entry_points.txt"] = points
    return BuildPlan(project, pack, text, made, read_source_date())


def read_source_date() -> int:
    """SOURCE_DATE_EPOCH in seconds of UTC, never before 1980; 1980 when it is not set.

    Raises TwofoldError for what is no number, and for what no archive can tell.
    """
    written = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not written:
        return EARLIEST
    from twofold_build.errors import TwofoldError

    try:
        when = int(written)
    except ValueError:
        raise TwofoldError(
            f"SOURCE_DATE_EPOCH is '{written}', which is not a number of seconds",
            "set it to a whole number such as $(git log -1 --format=%ct), or unset it",
        ) from None
    if when > LATEST:
        raise TwofoldError(
            f"SOURCE_DATE_EPOCH is {written}, which lies after the year 2107, an archive's last",
            "it counts seconds since 1970, not milliseconds",
        )
    return max(when, EARLIEST)


def write_artifacts(
    plan: BuildPlan,
    sdists: Sequence[Writer],
    wheels: Sequence[Writer],
    progress: Callable[[int], None] | None = None,
    contents: dict[str, Content] | None = None,
) -> None:
    """Hand every file to the writers, then close them all; on any failure abort them all.

    `wheels` take the wheel's entries, RECORD last: wheels and, through an adapter, conda packages.
    `contents` are files that have been read already, by path; each is let go when it is written.
    """
    from twofold_build.wheel import Record

    writers = [*sdists, *wheels]
    record = Record(plan.project.file_stem)
    known = contents if contents is not None else {}
    try:
        for file in plan.pack.files:
            content = known.pop(file.path, None) or read_content(file.source)
            if sdists:
                entry = Entry(file.path, file.source, None, file.executable, file.reason)
                for writer in sdists:
                    writer.add(entry, content)
            for path in file.wheel if wheels else ():
                entry = Entry(path, file.source, None, file.executable, file.reason)
                record.add(path, content)
                for writer in wheels:
                    writer.add(entry, content)
            if progress:
                progress(file.size)
        for writer in sdists:
            _add_generated(writer, "PKG-INFO", plan.metadata)
        if wheels:
            _finish_wheels(plan, wheels, record)
        for writer in writers:
            writer.close()
    except BaseException:
        for writer in writers:
            writer.abort()
        raise


def _add_generated(writer: Writer, path: str, data: bytes) -> None:
    writer.add(Entry(path, data=data, reason="generated"), to_content(data))


def _finish_wheels(plan: BuildPlan, wheels: Sequence[Writer], record: Record) -> None:
    """The generated files of .dist-info, and RECORD last of all (PEP 427)."""
    folder = f"{plan.project.file_stem}.dist-info"
    made = dict(plan.made_at_root)
    made.update((f"{folder}/{name}", data) for name, data in plan.wheel_made.items())
    for path in sorted(made):
        content: Content = to_content(made[path])
        entry = Entry(path, data=content.data, reason="generated")
        record.add(path, content)
        for writer in wheels:
            writer.add(entry, content)
    for writer in wheels:
        _add_generated(writer, f"{folder}/RECORD", record.render())
