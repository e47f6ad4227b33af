"""Our own backend's chain in one process: one walk, and all artifacts written side by side."""

from __future__ import annotations

import os
import time

from twofold.building.git_comparison import GitComparison
from twofold.building.options import BuildRequest, BuildResult, BuiltFile, stop_at_errors
from twofold_build.archive import read_content
from twofold_build.build import write_artifacts
from twofold_build.plan import BuildPlan, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold.building.conda_outputs import CondaOutputs
    from twofold.check.before_build import StartedCheck
    from twofold_build.archive import Content, Writer
    from twofold_build.sdist import TarGzWriter
    from twofold_build.zip_writer import ZipWriter

#: Files up to this size in bytes stay in memory between checks and writing, up to so much in all.
_SMALL = 256 << 10
_MAX_BUFFERED = 64 << 20


def build_native(root: str, out: str, request: BuildRequest) -> BuildResult:
    """Build the requested kinds; every file is read, hashed and compressed once."""
    started = time.perf_counter()
    if request.backend.config_settings:
        keys = ", ".join(request.backend.config_settings)
        request.report(f"twofold_build has no config settings: {keys} has no effect")
    if request.backend.python:
        request.report("twofold_build runs in twofold's own Python: --python has no effect")
    planned = make_plan(root)
    project = planned.project
    result = BuildResult(project.name, project.version, "twofold_build")
    result.steps.append(("read the project", time.perf_counter() - started))
    comparison = GitComparison(root, request, project.document)
    started = time.perf_counter()
    contents = _read_contents(planned)
    check = _start_check(planned, request, contents)
    new_folders = _list_new_folders(out) if check else []
    result.steps.append(("check it", time.perf_counter() - started))
    sdists: list[Writer] = []
    wheels: list[Writer] = []
    finished: list[Callable[[], BuiltFile]] = []
    conda: CondaOutputs | None = None
    started = time.perf_counter()
    try:
        conda_kinds = [kind for kind in request.kinds if kind in ("conda", "tar.bz2")]
        if conda_kinds:
            # First: what conda cannot express is an error before any file is opened.
            conda = _open_conda(planned, os.path.join(out, "conda-bld"), conda_kinds, request)
            wheels += conda.writers if conda else ()
        if "sdist" in request.kinds:
            sdists.append(_open_sdist(planned, os.path.join(out, "dist"), finished))
        if "wheel" in request.kinds:
            wheels.insert(0, _open_wheel(planned, os.path.join(out, "dist"), finished))
    except BaseException:
        for writer in (*sdists, *wheels):
            writer.abort()
        if check:
            check.close()
        raise
    _write(planned, request, (sdists, wheels), contents, check, new_folders)
    result.artifacts = [built() for built in finished]
    excluded = [*project.settings.exclude, *project.settings.sdist_exclude]
    comparison.finish({file.path for file in planned.selection.files}, excluded)
    result.steps.append(("write the artifacts", time.perf_counter() - started))
    if conda is not None:
        started = time.perf_counter()
        result.artifacts += conda.finish()
        result.steps.append(("index the channel", time.perf_counter() - started))
    return result


def _read_contents(planned: BuildPlan) -> dict[str, Content]:
    """What is small enough to be kept until it is written, so that no file is read twice."""
    contents: dict[str, Content] = {}
    room = _MAX_BUFFERED
    for file in planned.selection.files:
        room -= file.size if file.size <= _SMALL else 0
        if file.size <= _SMALL and room >= 0:
            contents[file.path] = read_content(file.source)
    return contents


def _start_check(
    planned: BuildPlan, request: BuildRequest, contents: dict[str, Content]
) -> StartedCheck | None:
    """Let the rules look at what would be packed; all their errors together stop the build.

    The check of a large project goes on while its artifacts are written, and is returned then.
    """
    if not request.is_checked:
        return None
    from twofold.check.before_build import StartedCheck

    check = StartedCheck(planned.project, planned.selection, contents)
    if check.is_beside:
        return check
    if check.wants_reader:
        request.report(
            "note: the modules are parsed in Python, this once; "
            "pip install 'twofold[fast]' makes that several times quicker"
        )
    stop_at_errors(check.finish(), request.report)
    return None


def _write(
    planned: BuildPlan,
    request: BuildRequest,
    writers: tuple[list[Writer], list[Writer]],
    contents: dict[str, Content],
    check: StartedCheck | None,
    new_folders: Sequence[str],
) -> None:
    """Write the artifacts; errors of the check that goes on meanwhile leave nothing of them."""

    def judge() -> None:
        if check is not None:
            stop_at_errors(check.finish(), request.report)

    try:
        write_artifacts(planned, *writers, _make_progress(planned, request), contents, judge)
    except BaseException:
        if check is not None:
            check.close()
            _remove_empty(new_folders)
        raise


def _list_new_folders(out: str) -> list[str]:
    """The folders that the artifacts will be in and that are not there yet."""
    places = [out, os.path.join(out, "dist"), os.path.join(out, "conda-bld")]
    return [place for place in places if not os.path.isdir(place)]


def _remove_empty(folders: Sequence[str]) -> None:
    """Remove folders that hold nothing but folders, of a build that was stopped."""
    for folder in folders:
        for place, _, files in os.walk(folder, topdown=False):
            if not files and not os.listdir(place):
                os.rmdir(place)


def _open_conda(
    planned: BuildPlan, channel: str, kinds: Sequence[str], request: BuildRequest
) -> CondaOutputs | None:
    """Open the conda packages; None where there can be none and the user named none."""
    from twofold.building.conda_outputs import CondaOutputs
    from twofold.convert.requirements import DirectReference

    try:
        conda = CondaOutputs(planned, channel, kinds)
    except DirectReference as error:
        request.leave_out_conda(error)
        return None
    for note in conda.notes:
        request.report(note)
    return conda


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
    """Add up the bytes that are done, for the caller's progress."""
    listener = request.progress
    if listener is None:
        return None
    total = sum(file.size for file in planned.selection.files)
    done = 0

    def report(size: int) -> None:
        nonlocal done
        done += size
        listener(done, total)

    return report
