"""Build with another backend: its own PEP 517 hooks, in an isolated environment.

The chain is the same: source tree -> sdist -> wheel (from the unpacked sdist) -> conda package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zlib
from contextlib import contextmanager
from gzip import BadGzipFile
from pathlib import Path

from twofold.building.delivery import deliver, make_conda_packages
from twofold.building.git_comparison import GitComparison
from twofold.building.isolation import BuildEnvironment, run_captured
from twofold.building.native import admits_version
from twofold.building.options import (
    BackendOptions,
    BuildRequest,
    BuildResult,
    stop_at_errors,
)
from twofold.errors import BadFile, ProjectErrors, SubprocessFailed, TwofoldError
from twofold.formats.tar_safety import extract_member
from twofold.names import normalize_name
from twofold_build.diagnostics import Diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
    options = _read_conda_options(project, request)
    result = BuildResult("", "", backend)
    comparison = GitComparison(root, request, _read_document(project))
    with tempfile.TemporaryDirectory(prefix="twofold-build-") as temporary:
        draft = Path(temporary)
        if uv := find_own_backend_of_uv(requires, backend, request.backend):
            sdist, wheel = _build_by_uv(uv, project, draft, (result, request), from_sdist)
        else:
            sdist, wheel = _build_by_hooks(project, draft, (result, request), from_sdist)
        if request.is_checked:
            with _Step(result, request, "checks of what was built"):
                built = [path for path in (sdist, wheel) if path is not None]
                _check_artifacts(project, built, request)
        made = {"sdist": sdist, "wheel": wheel}
        packages = make_conda_packages(wheel, draft / "conda-bld", request, options)
        deliver(result, request, Path(out), made, packages)
        if sdist is not None:
            comparison.finish(_list_members(sdist))
    return result


def _build_by_hooks(
    project: Path, draft: Path, work: tuple[BuildResult, BuildRequest], from_sdist: bool
) -> tuple[Path | None, Path | None]:
    """Build the sdist, and from it the wheel, through the hooks of PEP 517."""
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


def find_own_backend_of_uv(
    requires: Sequence[str], backend: str, options: BackendOptions
) -> str | None:
    """Return the path of a uv that has the required backend built in, or None.

    It needs no environment then. Options that steer the backend need the hooks.
    """
    steered = (options.config_settings, options.constraints, options.python)
    if backend != "uv_build" or len(requires) != 1 or any(steered) or not options.is_isolated:
        return None
    uv = shutil.which("uv")
    if uv is None:
        return None
    shown = subprocess.run(
        [uv, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout
    version = (shown.split() or ["", "0"])[1]
    name = requires[0].replace("-", "_").strip()
    plain = name == "uv_build" or admits_version(name.removeprefix("uv_build"), version)
    if name.startswith("uv_build") and plain is not None:
        return uv if plain else None
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requires[0])
    except InvalidRequirement:
        return None  # reported by the installer
    is_plain = normalize_name(wanted.name) == "uv-build" and not wanted.url
    return uv if is_plain and wanted.specifier.contains(version) else None


def _build_by_uv(
    uv: str, project: Path, draft: Path, work: tuple[BuildResult, BuildRequest], from_sdist: bool
) -> tuple[Path | None, Path | None]:
    """Let uv build a project of its own backend, which it does in its own process."""
    result, request = work
    kinds = ["--wheel"] if from_sdist else ["--sdist"] if set(request.kinds) == {"sdist"} else []
    out = draft / "made"
    command = [uv, "build", "--quiet", *kinds, "--out-dir", out, "--python", sys.executable]
    with _Step(result, request, "the sdist and the wheel, by uv itself"):
        done = run_captured([*command, project], os.environ)
    if done.returncode:
        raise SubprocessFailed(
            f"the backend 'uv_build' failed (exit code {done.returncode})",
            "read its output above",
            output=done.stdout,
        )
    made = {path.name[-4:]: path for path in out.iterdir() if not path.name.startswith(".")}
    return made.get("r.gz"), made.get(".whl")


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
    document = tomllib.loads(text)
    system = document.get("build-system")
    if system is None:
        return _DEFAULT_REQUIRES, _DEFAULT_BACKEND, []
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


def _read_conda_options(root: Path, request: BuildRequest) -> CondaOptions | None:
    """[tool.twofold.conda] of a project with another backend; None where nobody needs it."""
    table = _read_document(root).get("tool", {}).get("twofold", {}).get("conda", {})
    if not table and not any(kind in ("conda", "tar.bz2") for kind in request.kinds):
        return None
    from twofold.convert import find_metadata_near, parse_options

    options = parse_options(table)
    options.find_metadata = find_metadata_near(root)
    return options


def _read_document(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _list_members(sdist: Path) -> set[str]:
    """The paths of an sdist's files below its folder."""
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
    with tarfile.open(sdist, "r:gz") as archive:
        for member in archive:
            extract_member(archive, member, folder)
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise SubprocessFailed(f"{sdist.name} holds {len(tops)} folders, not one (PEP 517)")
    return tops[0]
