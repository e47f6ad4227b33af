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
    from typing import Any

    from twofold.building.conda_outputs import CondaOutputs
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
    contents = _read_and_check(planned, request)
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
        raise
    write_artifacts(planned, sdists, wheels, _make_progress(planned, request), contents)
    result.artifacts = [built() for built in finished]
    excluded = [*project.settings.exclude, *project.settings.sdist_exclude]
    comparison.finish({file.path for file in planned.selection.files}, excluded)
    result.steps.append(("write the artifacts", time.perf_counter() - started))
    if conda is not None:
        started = time.perf_counter()
        result.artifacts += conda.finish()
        result.steps.append(("index the channel", time.perf_counter() - started))
    return result


def _read_and_check(planned: BuildPlan, request: BuildRequest) -> dict[str, Content]:
    """Let the rules look at what would be packed; all their errors together stop the build.

    Returns what was read for it, so that no file is read twice.
    """
    from twofold.check import find_build_errors

    contents: dict[str, Content] = {}
    room = _MAX_BUFFERED
    for file in planned.selection.files:
        room -= file.size if file.size <= _SMALL else 0
        if file.size <= _SMALL and room >= 0:
            contents[file.path] = read_content(file.source)
    if not request.is_checked:
        return contents
    project = planned.project
    errors = find_build_errors(project.root, project, planned.selection, contents)
    stop_at_errors(errors, request.report)
    return contents


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


def has_native_backend(root: str) -> bool:
    """Whether this process may build the project: its backend is this very twofold_build.

    A file that cannot be read as TOML is ours too: `read_project` reports its mistakes best.
    """
    from twofold_build.toml import loads

    path = os.path.join(root, "pyproject.toml")
    if not os.path.exists(path):
        return not os.path.exists(os.path.join(root, "setup.py"))
    try:
        with open(path, encoding="utf-8") as file:
            document = loads(file.read())
    except (ValueError, RecursionError):  # among them TOMLDecodeError and UnicodeDecodeError
        return True
    if "build-system" not in document and "project" not in document:
        # Only setuptools' own files can say which backend it is.
        files = ("setup.py", "setup.cfg")
        return not any(os.path.exists(os.path.join(root, name)) for name in files)
    system = document.get("build-system", {})
    return not isinstance(system, dict) or is_our_backend(system, root)


def is_our_backend(system: dict[str, Any], root: str) -> bool:
    """Judge [build-system]: named, not another copy of it, and not another version."""
    if system.get("build-backend") != "twofold_build":
        return False
    paths = system.get("backend-path", [])
    if paths and isinstance(paths, list):
        import twofold_build

        here = os.path.realpath(os.path.dirname(os.path.dirname(twofold_build.__file__)))
        return any(os.path.realpath(os.path.join(root, str(path))) == here for path in paths)
    requires = system.get("requires", [])
    return not isinstance(requires, list) or all(
        _admits_our_version(str(item)) for item in requires
    )


def _admits_our_version(requirement: str) -> bool:
    from twofold_build import __version__, names

    if not names.normalize_name(requirement).startswith("twofold-build"):
        return True
    if requirement.strip() in ("twofold-build", f"twofold-build=={__version__}"):
        return True
    plain = admits_version(requirement.strip().removeprefix("twofold-build"), __version__)
    if plain is not None:
        return plain
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(requirement).specifier.contains(__version__, prereleases=True)
    except InvalidRequirement:
        return True  # reported with the project's other mistakes


def admits_version(clauses: str, version: str) -> bool | None:
    """What `>=1.0` and `>=1.0,<2` say of a version; None leaves the rest to packaging.

    `packaging` costs as much as the rest of a small build, and this is what projects write.
    """
    ours = _parse_release(version)
    answers = []
    for clause in clauses.split(","):
        mark = ">=" if clause.strip().startswith(">=") else "<"
        bound = _parse_release(clause.strip().removeprefix(mark))
        if not clause.strip().startswith(mark) or ours is None or bound is None:
            return None
        answers.append(ours >= bound if mark == ">=" else ours < bound)
    return all(answers)


def _parse_release(version: str) -> tuple[int, ...] | None:
    """A version of numbers alone, without the zeros at its end."""
    parts = version.strip().split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    while len(parts) > 1 and not int(parts[-1]):
        parts.pop()
    return tuple(map(int, parts))
