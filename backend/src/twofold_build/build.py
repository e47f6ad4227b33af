"""Writes the artifacts of a plan: each file is read once and passed to every writer.

Both frontends use this: the PEP 517 hooks with one writer, `twofold build` with several.
"""

from __future__ import annotations

from twofold_build.archive import Content, Entry, read_content, to_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold_build.archive import Writer
    from twofold_build.files import ProjectFile
    from twofold_build.metadata import Record
    from twofold_build.plan import BuildPlan


def write_artifacts(
    plan: BuildPlan,
    sdists: Sequence[Writer],
    wheels: Sequence[Writer],
    progress: Callable[[int], None] | None = None,
    contents: dict[str, Content] | None = None,
    before_end: Callable[[], None] = lambda: None,
) -> None:
    """Pass every file to the writers, then close them all; on any failure abort them all.

    `wheels` take the wheel's entries, RECORD last: wheels and, through an adapter, conda packages.
    `contents` are files that have been read already, by path; each is freed once it is written.
    `before_end` may still raise: until then no file has its final name.
    """
    from twofold_build.metadata import Record

    writers = [*sdists, *wheels]
    record = Record(plan.project.file_stem)
    known = contents if contents is not None else {}
    try:
        for file in plan.selection.files:
            content = known.pop(file.path, None) or read_content(file.source)
            if sdists:
                entry = Entry(file.path, file.source, None, file.executable, file.reason)
                for writer in sdists:
                    writer.add(entry, content)
            if wheels:
                _add_to_wheels(file, content, wheels, record)
            if progress:
                progress(file.size)
        for writer in sdists:
            _add_generated(writer, "PKG-INFO", plan.metadata)
        if wheels:
            _finish_wheels(plan, wheels, record)
        before_end()
        for writer in writers:
            writer.close()
    except BaseException:
        for writer in writers:
            writer.abort()
        raise


def _add_to_wheels(
    file: ProjectFile, content: Content, wheels: Sequence[Writer], record: Record
) -> None:
    """Add a file at each of its places in the wheel; a script as installers rewrite it."""
    for path in file.wheel:
        packed = content
        is_script = ".data/scripts/" in path
        if is_script:
            from twofold_build.wheel import point_at_installer

            packed = point_at_installer(content)
        # pip gives a script the mode that it has in the wheel.
        entry = Entry(path, file.source, None, file.executable or is_script, file.reason)
        record.add(path, packed)
        for writer in wheels:
            writer.add(entry, packed)


def _add_generated(writer: Writer, path: str, data: bytes) -> None:
    writer.add(Entry(path, data=data, reason="generated"), to_content(data))


def _finish_wheels(plan: BuildPlan, wheels: Sequence[Writer], record: Record) -> None:
    """Add the generated files of .dist-info, RECORD last (PEP 427)."""
    folder = f"{plan.project.file_stem}.dist-info"
    made = dict(plan.root_files)
    made.update((f"{folder}/{name}", data) for name, data in plan.dist_info_files.items())
    for path in sorted(made):
        content: Content = to_content(made[path])
        entry = Entry(path, data=content.data, reason="generated")
        record.add(path, content)
        for writer in wheels:
            writer.add(entry, content)
    for writer in wheels:
        _add_generated(writer, f"{folder}/RECORD", record.render())
