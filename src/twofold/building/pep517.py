"""Build with another backend: its own PEP 517 hooks, in an isolated environment.

The chain is the same: source tree -> sdist -> wheel (from the unpacked sdist) -> conda package.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from twofold.building.git_comparison import GitComparison
from twofold.building.import_ahead import import_ahead
from twofold.building.options import (
    BackendOptions,
    BuildRequest,
    BuildResult,
    stop_at_errors,
)
from twofold.building.uv_backend import build_by_uv, find_own_backend_of_uv
from twofold.check.cache import knows_verdicts
from twofold.errors import BadFile, ProjectErrors, SubprocessFailed, TwofoldError
from twofold_build.toml import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from twofold.convert import CondaOptions

#: PEP 517: the defaults of pyproject.toml.
_DEFAULT_REQUIRES = ["setuptools>=40.8.0"]
_DEFAULT_BACKEND = "setuptools.build_meta:__legacy__"


def build_with_backend(
    root: str, out: str, request: BuildRequest, from_sdist: bool = False
) -> BuildResult:
    """Build through the project's own backend; what is made appears in `out` only when whole.

    `from_sdist` says that `root` is an unpacked sdist: the wheel is built from it as it is.
    """
    project = Path(root)
    _check_constraints(request.backend)
    requires, backend, _ = read_build_system(project)
    requires = [*requires, *request.backend.further_requires]
    document = _read_document(project)
    table = document.get("tool", {}).get("twofold", {}).get("conda", {})
    options = _parse_conda_options(project, table) if table else None
    result = BuildResult("", "", backend)
    comparison = GitComparison(root, request, document)
    with tempfile.TemporaryDirectory(prefix="twofold-build-") as temporary:
        draft = Path(temporary)
        import_ahead(request, with_checks=backend != "uv_build" or not knows_verdicts())
        if uv := find_own_backend_of_uv(requires, backend, request.backend):
            with _Step(result, request, "the sdist and the wheel, by uv itself"):
                sdist, wheel = build_by_uv(uv, project, draft, request, from_sdist)
        else:
            sdist, wheel = _build_by_hooks(project, draft, (result, request), from_sdist)
        if request.is_checked:
            with _Step(result, request, "checks of what was built"):
                built = [path for path in (sdist, wheel) if path is not None]
                _check_artifacts(project, built, request)
        from twofold.building.delivery import deliver, make_conda_packages

        made = {"sdist": sdist, "wheel": wheel}
        if options is None and {"conda", "tar.bz2"} & set(request.kinds):
            options = _parse_conda_options(project, table)
        packages = make_conda_packages(wheel, draft / "conda-bld", request, options)
        deliver(result, request, Path(out), made, packages)
        if sdist is not None:
            comparison.finish(_list_members(sdist))
    return result


def _build_by_hooks(
    project: Path, draft: Path, work: tuple[BuildResult, BuildRequest], from_sdist: bool
) -> tuple[Path | None, Path | None]:
    """Build the sdist, and from it the wheel, through the hooks of PEP 517."""
    from twofold.building.isolation import BuildEnvironment

    result, request = work
    requires, backend, paths = read_build_system(project)
    requires = [*requires, *request.backend.further_requires]
    listed = ", ".join(requires) or "nothing"
    isolated = "an isolated" if request.backend.is_isolated else "the installed"
    with _Step(result, request, f"{isolated} environment with {listed}") as step:
        environment = BuildEnvironment.create(draft / "env", project, request.backend)
        step.note(environment.install(requires))
    hooks = environment.hooks(project, backend, paths)
    sdist = wheel = None
    if not from_sdist:
        with _Step(result, request, f"the sdist, by {backend}") as step:
            step.note(environment.install(hooks.get_requires("sdist")))
            sdist = _require_file(hooks.build("sdist", draft / "sdist"), ".tar.gz", backend)
    if set(request.kinds) - {"sdist"}:
        unpacked = unpack_sdist(sdist, draft / "tree") if sdist else project
        hooks = environment.hooks(unpacked, backend, paths, hooks.warned)
        with _Step(result, request, f"the wheel from the sdist, by {backend}") as step:
            step.note(environment.install(hooks.get_requires("wheel")))
            wheel = _require_file(hooks.build("wheel", draft / "wheel"), ".whl", backend)
    for warning in hooks.warned:
        request.report(f"{backend} warns: {warning}")
    return sdist, wheel


def read_build_system(root: Path) -> tuple[list[str], str, list[str]]:
    """requires, build-backend and backend-path of a project, setuptools by default.

    Raises TwofoldError when the folder is no project, ProjectErrors when the table is wrong.
    """
    path = root / "pyproject.toml"
    if not path.exists():
        if (root / "setup.py").exists():
            return _DEFAULT_REQUIRES, _DEFAULT_BACKEND, []
        raise TwofoldError(
            f"there is no project in {root}: neither pyproject.toml nor setup.py",
            "start one with 'twofold new NAME', or adopt existing code with 'twofold init'",
        )
    text = path.read_text(encoding="utf-8")
    document = loads(text)
    system = document.get("build-system")
    if system is None:
        return _DEFAULT_REQUIRES, _DEFAULT_BACKEND, []
    from twofold_build.diagnostics import Diagnostics

    mistakes = Diagnostics("pyproject.toml", text)
    requires = system.get("requires")
    backend = system.get("build-backend", _DEFAULT_BACKEND)
    paths = system.get("backend-path", [])
    for key, value in (("requires", requires), ("backend-path", paths)):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            mistakes.add(
                "is missing" if value is None else "must be a list of strings",
                f'write {key} = ["..."] (PEP 518)',
                table="build-system",
                key=key,
            )
    if not isinstance(backend, str):
        mistakes.add("must be a string", table="build-system", key="build-backend")
    if mistakes.found:
        raise ProjectErrors(mistakes.to_problems())
    return list(requires or []), backend, list(paths)


def _parse_conda_options(root: Path, table: dict[str, Any]) -> CondaOptions:
    """[tool.twofold.conda] of a project with another backend."""
    from twofold.convert import find_metadata_near, parse_options

    options = parse_options(table)
    options.find_metadata = find_metadata_near(root)
    return options


def _read_document(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    return loads(path.read_text("utf-8")) if path.exists() else {}


def _list_members(sdist: Path) -> set[str]:
    """The paths of an sdist's files below its folder."""
    import tarfile

    with tarfile.open(sdist, "r:gz") as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


class _Step:
    """Times one step and reports its begin."""

    def __init__(self, result: BuildResult, request: BuildRequest, what: str) -> None:
        self._result = result
        self._request = request
        self._what = what
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Add a note that is shown beside the step's time."""
        if text:
            self._notes.append(text)

    def __enter__(self) -> _Step:
        self._request.report(self._what)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        what = f"{self._what} ({'; '.join(self._notes)})" if self._notes else self._what
        self._result.steps.append((what, time.perf_counter() - self._started))


def _require_file(path: Path, ending: str, backend: str) -> Path:
    if not path.is_file() or not path.name.endswith(ending):
        raise SubprocessFailed(
            f"{backend} returned '{path.name}', which is not a {ending} file",
            "this is a defect of the backend; try 'python -m build' to compare",
        )
    return path


def _check_artifacts(project: Path, paths: list[Path], request: BuildRequest) -> None:
    """Raise all errors that the rules find, before anything is delivered."""
    from twofold.check import find_artifact_errors

    stop_at_errors(find_artifact_errors(project, paths), request.report)


def _check_constraints(options: BackendOptions) -> None:
    for path in options.constraints:
        if not Path(path).is_file():
            raise TwofoldError(f"there is no constraints file {path}", "check --build-constraint")


@contextmanager
def open_sdist(path: str) -> Iterator[str]:
    """Unpack an sdist that the user named, for as long as it is needed; the project's folder."""
    import tarfile
    import zlib
    from gzip import BadGzipFile

    name = Path(path).name
    if not name.endswith(".tar.gz"):
        made = "a wheel is built already; 'twofold convert' makes a conda package of it"
        hint = made if name.endswith(".whl") else "an sdist ends in .tar.gz (PEP 625)"
        raise BadFile(f"'{name}' is neither a project's folder nor an sdist", hint, path)
    with tempfile.TemporaryDirectory(prefix="twofold-sdist-") as folder:
        try:
            tree = unpack_sdist(Path(path), Path(folder))
        except (tarfile.TarError, EOFError, BadGzipFile, zlib.error) as error:
            raise BadFile(
                f"the sdist cannot be unpacked: {error}", "download or build it again", path
            ) from error
        if not any((tree / file).is_file() for file in ("pyproject.toml", "setup.py")):
            raise BadFile(
                "the archive holds no project: neither pyproject.toml nor setup.py",
                "name an sdist",
                path,
            )
        yield str(tree)


def unpack_sdist(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its one folder. Paths that lead out are refused."""
    import tarfile

    from twofold.formats.tar_safety import extract_member

    with tarfile.open(sdist, "r:gz") as archive:
        for member in archive:
            extract_member(archive, member, folder)
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise SubprocessFailed(f"{sdist.name} holds {len(tops)} folders, not one (PEP 517)")
    return tops[0]
