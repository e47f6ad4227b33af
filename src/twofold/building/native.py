"""Our own backend's chain in one process: one walk, and all artifacts written side by side."""

from __future__ import annotations

import os
import time

from twofold.building.options import BuildRequest, BuildResult, BuiltFile
from twofold_build.archive import read_content
from twofold_build.build import write_artifacts
from twofold_build.plan import BuildPlan, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.building.conda_outputs import CondaOutputs
    from twofold_build.archive import Content, Writer
    from twofold_build.sdist import TarGzWriter
    from twofold_build.zip_writer import ZipWriter

#: Files up to this size are kept from the checks to the writing (bytes), up to so much in all.
_SMALL = 256 << 10
_MAX_BUFFERED = 64 << 20


def build_native(root: str, out: str, request: BuildRequest) -> BuildResult:
    """Build what is asked for; every file of the project is read, hashed and deflated once."""
    started = time.perf_counter()
    planned = make_plan(root)
    project = planned.project
    result = BuildResult(project.name, project.version, "twofold_build")
    result.steps.append(("read the project", time.perf_counter() - started))
    started = time.perf_counter()
    contents = _read_and_check(planned)
    result.steps.append(("check it", time.perf_counter() - started))
    sdists: list[Writer] = []
    wheels: list[Writer] = []
    finished: list[Callable[[], BuiltFile]] = []
    conda: CondaOutputs | None = None
    started = time.perf_counter()
    try:
        conda_kinds = [kind for kind in request.kinds if kind in ("conda", "tar.bz2")]
        if conda_kinds:
            from twofold.building.conda_outputs import CondaOutputs

            # First: what conda cannot say is told before any file is opened.
            conda = CondaOutputs(planned, os.path.join(out, "conda-bld"), conda_kinds)
            wheels += conda.writers
            for note in conda.notes:
                request.tell(note)
        if "sdist" in request.kinds:
            sdists.append(_open_sdist(planned, os.path.join(out, "dist"), finished))
        if "wheel" in request.kinds:
            wheels.insert(0, _open_wheel(planned, os.path.join(out, "dist"), finished))
    except BaseException:
        for writer in (*sdists, *wheels):
            writer.abort()
        raise
    write_artifacts(planned, sdists, wheels, _make_progress(planned, request), contents)
    result.artifacts = [built() for built in finished]
    result.steps.append(("write the artifacts", time.perf_counter() - started))
    if conda is not None:
        started = time.perf_counter()
        result.artifacts += conda.finish()
        result.steps.append(("index the channel", time.perf_counter() - started))
    return result


def _read_and_check(planned: BuildPlan) -> dict[str, Content]:
    """Let the rules look at what would be packed; their errors stop the build, told together.

    Returns what was read for it, so that no file is read twice.
    """
    from twofold.check import find_build_errors

    contents: dict[str, Content] = {}
    room = _MAX_BUFFERED
    for file in planned.selection.files:
        room -= file.size if file.size <= _SMALL else 0
        if file.size <= _SMALL and room >= 0:
            contents[file.path] = read_content(file.source)
    project = planned.project
    errors = find_build_errors(project.root, project, planned.selection, contents)
    if errors:
        from twofold.errors import Problem, ProjectErrors

        raise ProjectErrors([Problem(f"{e.message} ({e.code})", e.hint, e.where) for e in errors])
    return contents


def _open_sdist(
    planned: BuildPlan, folder: str, finished: list[Callable[[], BuiltFile]]
) -> TarGzWriter:
    from twofold_build.sdist import make_sdist_writer

    made = make_sdist_writer(folder, planned)
    finished.append(lambda: BuiltFile("sdist", made.file.path, made.file.sha256, made.file.size))
    return made


def _open_wheel(
    planned: BuildPlan, folder: str, finished: list[Callable[[], BuiltFile]]
) -> ZipWriter:
    from twofold_build.wheel import make_wheel_writer

    made = make_wheel_writer(folder, planned)
    finished.append(lambda: BuiltFile("wheel", made.file.path, made.file.sha256, made.file.size))
    return made


def _make_progress(planned: BuildPlan, request: BuildRequest) -> Callable[[int], None] | None:
    """Add up the bytes that are done, for whoever listens."""
    listener = request.progress
    if listener is None:
        return None
    total = sum(file.size for file in planned.selection.files)
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done += size
        listener(done, total)

    return tell
