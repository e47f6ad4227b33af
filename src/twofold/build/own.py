"""Our own backend's chain in one process: one walk, and all artifacts written side by side."""

from __future__ import annotations

import os
import time

from twofold.build.request import BuildRequest, BuildResult, Built
from twofold_build.archive import read
from twofold_build.build import Plan, plan, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.build.conda import CondaSide
    from twofold_build.archive import Content, Writer
    from twofold_build.tar_writer import TarGzWriter
    from twofold_build.zip_writer import ZipWriter

#: Files up to this size are kept from the checks to the writing (bytes), up to so much in all.
_SMALL = 256 << 10
_HELD = 64 << 20


def build_own(root: str, out: str, request: BuildRequest) -> BuildResult:
    """Build what is asked for; every file of the project is read, hashed and deflated once."""
    started = time.perf_counter()
    planned = plan(root)
    project = planned.project
    result = BuildResult(project.name, project.version, "twofold_build")
    result.steps.append(("read the project", time.perf_counter() - started))
    started = time.perf_counter()
    contents = _read_and_check(planned)
    result.steps.append(("check it", time.perf_counter() - started))
    sdists: list[Writer] = []
    wheels: list[Writer] = []
    finished: list[Callable[[], Built]] = []
    conda: CondaSide | None = None
    started = time.perf_counter()
    try:
        conda_kinds = [kind for kind in request.kinds if kind in ("conda", "tar.bz2")]
        if conda_kinds:
            from twofold.build.conda import CondaSide

            # First: what conda cannot say is told before any file is opened.
            conda = CondaSide(planned, os.path.join(out, "conda-bld"), conda_kinds)
            wheels += conda.writers
            for note in conda.notes:
                request.tell(note)
        if "sdist" in request.kinds:
            sdists.append(_sdist(planned, os.path.join(out, "dist"), finished))
        if "wheel" in request.kinds:
            wheels.insert(0, _wheel(planned, os.path.join(out, "dist"), finished))
    except BaseException:
        for writer in (*sdists, *wheels):
            writer.abort()
        raise
    write(planned, sdists, wheels, _progress(planned, request), contents)
    result.artifacts = [built() for built in finished]
    result.steps.append(("write the artifacts", time.perf_counter() - started))
    if conda is not None:
        started = time.perf_counter()
        result.artifacts += conda.finish()
        result.steps.append(("index the channel", time.perf_counter() - started))
    return result


def _read_and_check(planned: Plan) -> dict[str, Content]:
    """Let the rules look at what would be packed; their errors stop the build, told together.

    Returns what was read for it, so that no file is read twice.
    """
    from twofold.check import check_before_build

    contents: dict[str, Content] = {}
    room = _HELD
    for file in planned.pack.files:
        room -= file.size if file.size <= _SMALL else 0
        if file.size <= _SMALL and room >= 0:
            contents[file.path] = read(file.source)
    project = planned.project
    errors = check_before_build(project.root, project, planned.pack, contents)
    if errors:
        from twofold.errors import Problem, ProjectErrors

        raise ProjectErrors([Problem(f"{e.message} ({e.code})", e.hint, e.where) for e in errors])
    return contents


def _sdist(planned: Plan, folder: str, finished: list[Callable[[], Built]]) -> TarGzWriter:
    from twofold_build.sdist import writer

    made = writer(folder, planned)
    finished.append(lambda: Built("sdist", made.draft.path, made.draft.sha256, made.draft.size))
    return made


def _wheel(planned: Plan, folder: str, finished: list[Callable[[], Built]]) -> ZipWriter:
    from twofold_build.wheel import writer

    made = writer(folder, planned)
    finished.append(lambda: Built("wheel", made.draft.path, made.draft.sha256, made.draft.size))
    return made


def _progress(planned: Plan, request: BuildRequest) -> Callable[[int], None] | None:
    """Add up the bytes that are done, for whoever listens."""
    listener = request.progress
    if listener is None:
        return None
    total = sum(file.size for file in planned.pack.files)
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done += size
        listener(done, total)

    return tell
