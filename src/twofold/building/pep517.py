"""Build with another backend: its own PEP 517 hooks, in an isolated environment.

The chain is the same: source tree -> sdist -> wheel (from the unpacked sdist) -> conda package.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

from twofold.building.isolation import IsolatedEnvironment
from twofold.building.options import BuildRequest, BuildResult, BuiltFile, stop_at_errors
from twofold.errors import ProjectErrors, SubprocessFailed, TwofoldError
from twofold_build.diagnostics import Diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert import CondaOptions

#: PEP 517: the defaults of pyproject.toml.
_DEFAULT_REQUIRES = ["setuptools>=40.8.0"]
_DEFAULT_BACKEND = "setuptools.build_meta:__legacy__"


def build_with_backend(root: str, out: str, request: BuildRequest) -> BuildResult:
    """Build through the project's own backend; what is made appears in `out` only when whole."""
    project = Path(root)
    requires, backend, paths = read_build_system(project)
    options = _read_conda_options(project)
    result = BuildResult("", "", backend)
    with tempfile.TemporaryDirectory(prefix="twofold-build-") as temporary:
        draft = Path(temporary)
        listed = ", ".join(requires) or "nothing"
        with _Step(result, request, f"an isolated environment with {listed}") as step:
            environment = IsolatedEnvironment.create(draft / "env", project)
            step.note(environment.install(requires))
        hooks = environment.hooks(project, backend, paths)
        wheel = None
        with _Step(result, request, f"the sdist, by {backend}") as step:
            step.note(environment.install(hooks.get_requires("sdist")))
            sdist = _require_file(hooks.build("sdist", draft / "sdist"), ".tar.gz", backend)
        if set(request.kinds) - {"sdist"}:
            unpacked = _unpack(sdist, draft / "tree")
            hooks = environment.hooks(unpacked, backend, paths, hooks.warned)
            with _Step(result, request, f"the wheel from the sdist, by {backend}") as step:
                step.note(environment.install(hooks.get_requires("wheel")))
                wheel = _require_file(hooks.build("wheel", draft / "wheel"), ".whl", backend)
        for warning in hooks.warned:
            request.report(f"{backend} warns: {warning}")
        if request.is_checked:
            with _Step(result, request, "checks of what was built"):
                built = [path for path in (sdist, wheel) if path is not None]
                _check_artifacts(project, built, request)
        _deliver(result, request, Path(out), sdist, wheel, options)
    return result


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


def _read_conda_options(root: Path) -> CondaOptions:
    """[tool.twofold.conda] of a project with another backend."""
    from twofold.convert import find_metadata_near, parse_options

    path = root / "pyproject.toml"
    tool = tomllib.loads(path.read_text("utf-8")).get("tool", {}) if path.exists() else {}
    options = parse_options(tool.get("twofold", {}).get("conda", {}))
    options.find_metadata = find_metadata_near(root)
    return options


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


def _unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its one folder. The data filter refuses paths that lead out."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise SubprocessFailed(
            f"{sdist.name} holds {len(tops)} folders where one must be (PEP 517)"
        )
    return tops[0]


def _deliver(
    result: BuildResult,
    request: BuildRequest,
    out: Path,
    sdist: Path,
    wheel: Path | None,
    options: CondaOptions,
) -> None:
    """Copy the requested files to their final place, and make conda packages of the wheel."""
    from twofold.formats.reader import read_artifact

    artifact = read_artifact(sdist)
    result.name, result.version = artifact.name, artifact.version
    for kind, path in (("sdist", sdist), ("wheel", wheel)):
        if kind in request.kinds and path is not None:
            result.artifacts.append(_copy(kind, path, out / "dist"))
    if wheel is None:
        return
    kinds = [kind for kind in request.kinds if kind in ("conda", "tar.bz2")]
    made = _conda_packages(wheel, out / "conda-bld", kinds, options) if kinds else []
    result.artifacts += made
    if made:
        from twofold.index.folder import index_folder

        index_folder(out / "conda-bld")


def _copy(kind: str, path: Path, folder: Path) -> BuiltFile:
    from twofold_build.atomic import AtomicFile

    with path.open("rb") as source, AtomicFile(folder / path.name) as file:
        while piece := source.read(1 << 20):
            file.write(piece)
    return BuiltFile(kind, file.path, file.sha256, file.size)


def _conda_packages(
    wheel: Path, channel: Path, kinds: Sequence[str], options: CondaOptions
) -> list[BuiltFile]:
    """The wheel's conda packages, each in the requested kinds."""
    from twofold.building.conda_outputs import hash_file, open_writer
    from twofold.convert.wheel import make_wheel_packages, write_package
    from twofold.formats.wheel import WheelFile

    made = []
    with WheelFile(wheel) as source:
        for package in make_wheel_packages(source, options):
            for kind in kinds:
                path = str(channel / package.subdir / f"{package.stem}.{kind}")
                write_package(source, package, open_writer(kind, path, package))
                made.append(hash_file(kind, path)[0])
    return made
