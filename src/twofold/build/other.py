"""Build with another backend: its own PEP 517 hooks, in an isolated environment.

The chain is the same: source tree -> sdist -> wheel (from the unpacked sdist) -> conda package.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

from twofold.build.isolation import Environment
from twofold.build.request import BuildRequest, BuildResult, Built
from twofold.errors import Problem, ProjectErrors, ToolFailed, TwofoldError
from twofold_build.mistakes import Mistakes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert import CondaOptions

#: PEP 517: what holds where pyproject.toml says nothing.
_DEFAULT_REQUIRES = ["setuptools>=40.8.0"]
_DEFAULT_BACKEND = "setuptools.build_meta:__legacy__"


def build_other(root: str, out: str, request: BuildRequest) -> BuildResult:
    """Build through the project's own backend; what is made appears in `out` only when whole."""
    project = Path(root)
    requires, backend, paths = build_system(project)
    options = _conda_options(project)
    result = BuildResult("", "", backend)
    with tempfile.TemporaryDirectory(prefix="twofold-build-") as kept:
        draft = Path(kept)
        listed = ", ".join(requires) or "nothing"
        with _step(result, request, f"an isolated environment with {listed}") as step:
            environment = Environment.create(draft / "env", project)
            step.note(environment.install(requires))
        hooks = environment.hooks(project, backend, paths)
        wheel = None
        with _step(result, request, f"the sdist, by {backend}") as step:
            step.note(environment.install(hooks.requires("sdist")))
            sdist = _judged(hooks.build("sdist", draft / "sdist"), ".tar.gz", backend)
        if set(request.kinds) - {"sdist"}:
            unpacked = _unpack(sdist, draft / "tree")
            hooks = environment.hooks(unpacked, backend, paths, hooks.warned)
            with _step(result, request, f"the wheel from the sdist, by {backend}") as step:
                step.note(environment.install(hooks.requires("wheel")))
                wheel = _judged(hooks.build("wheel", draft / "wheel"), ".whl", backend)
        for warning in hooks.warned:
            request.tell(f"{backend} warns: {warning}")
        with _step(result, request, "checks of what was built"):
            _check(project, [path for path in (sdist, wheel) if path is not None])
        _deliver(result, request, Path(out), sdist, wheel, options)
    return result


def build_system(root: Path) -> tuple[list[str], str, list[str]]:
    """requires, build-backend and backend-path of a project, setuptools where nothing is said.

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
    mistakes = Mistakes("pyproject.toml", text)
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
        raise ProjectErrors(mistakes.problems())
    return list(requires or []), backend, list(paths)


def _conda_options(root: Path) -> CondaOptions:
    """[tool.twofold.conda] of a project with another backend."""
    from twofold.convert import metadata_near, options_of

    path = root / "pyproject.toml"
    tool = tomllib.loads(path.read_text("utf-8")).get("tool", {}) if path.exists() else {}
    options = options_of(tool.get("twofold", {}).get("conda", {}))
    options.metadata_of = metadata_near(root)
    return options


class _step:
    """Times one step and tells it when it begins."""

    def __init__(self, result: BuildResult, request: BuildRequest, what: str) -> None:
        self._result = result
        self._request = request
        self._what = what
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Something to be told of the step beside its time."""
        if text:
            self._notes.append(text)

    def __enter__(self) -> _step:
        self._request.tell(self._what)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        what = f"{self._what} ({'; '.join(self._notes)})" if self._notes else self._what
        self._result.steps.append((what, time.perf_counter() - self._started))


def _judged(path: Path, ending: str, backend: str) -> Path:
    if not path.is_file() or not path.name.endswith(ending):
        raise ToolFailed(
            f"{backend} said it made '{path.name}', which is no {ending} file",
            "this is a defect of the backend; try 'python -m build' to compare",
        )
    return path


def _check(project: Path, paths: list[Path]) -> None:
    """The rules' errors stop the build, told together, before anything is delivered."""
    from twofold.check import check_after_build

    errors = check_after_build(project, paths)
    if errors:
        raise ProjectErrors([Problem(f"{e.message} ({e.code})", e.hint, e.where) for e in errors])


def _unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its one folder. The data filter refuses paths that lead out."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise ToolFailed(f"{sdist.name} holds {len(tops)} folders where one must be (PEP 517)")
    return tops[0]


def _deliver(
    result: BuildResult,
    request: BuildRequest,
    out: Path,
    sdist: Path,
    wheel: Path | None,
    options: CondaOptions,
) -> None:
    """Copy what was asked for to its final place, and make conda packages of the wheel."""
    from twofold.formats.opening import read

    artifact = read(sdist)
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


def _copy(kind: str, path: Path, folder: Path) -> Built:
    from twofold_build.archive import Draft

    draft = Draft(str(folder / path.name))
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                draft.write(piece)
    except BaseException:
        draft.discard()
        raise
    draft.finish()
    return Built(kind, draft.path, draft.sha256, draft.size)


def _conda_packages(
    wheel: Path, channel: Path, kinds: Sequence[str], options: CondaOptions
) -> list[Built]:
    """The wheel's conda packages, each in the kinds asked for."""
    from twofold.build.conda import hashed, open_writer
    from twofold.convert import packages_of
    from twofold.convert.wheel_to_conda import lay_down, licences_of, timestamp_of
    from twofold.formats.wheel import WheelFile

    made = []
    with WheelFile(wheel) as source:
        scripts = source.dist_info_file("entry_points.txt")
        packages = packages_of(source.metadata_bytes, scripts, source.name.tags, options)
        extras = []
        if options.extras_as_packages:
            from twofold.convert.extra_packages import extra_packages_of

            extras = extra_packages_of(source.metadata_bytes, options)
        for package in packages:
            package.info_files |= licences_of(source)
        for package in (*packages, *extras):
            package.timestamp = package.timestamp or timestamp_of(source)
            for kind in kinds:
                path = str(channel / package.subdir / f"{package.stem}.{kind}")
                writer = open_writer(kind, path, package)
                if package in extras:
                    writer.close()
                else:
                    lay_down(source, package, writer)
                made.append(hashed(kind, path)[0])
    return made
