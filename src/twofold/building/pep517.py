"""Build with another backend: by uv, or by its own PEP 517 hooks in an isolated environment.

The chain is the same: source tree -> sdist -> wheel (from the unpacked sdist) -> conda package.

On the way of every build by uv, which takes as long as a few imports: the others are where they
are needed.
"""

from __future__ import annotations

import os

from twofold.building.git_comparison import GitComparison
from twofold.building.import_ahead import import_ahead, import_ahead_in_thread
from twofold.building.options import (
    BackendOptions,
    BuildRequest,
    BuildResult,
    Step,
    stop_at_errors,
)
from twofold.building.uv_backend import UvBuild, start_uv_build
from twofold.errors import ProjectErrors, TwofoldError
from twofold.formats.light.scratch_folder import ScratchFolder
from twofold_build.toml import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    _check_constraints(request.backend)
    document = _read_document(root)
    requires, backend, paths = read_build_system(root)
    requires = [*requires, *request.backend.further_requires]
    table = document.get("tool", {}).get("twofold", {}).get("conda", {})
    options = _parse_conda_options(root, table) if table else None
    result = BuildResult("", "", backend)
    comparison = GitComparison(root, request, document)
    with ScratchFolder("twofold-build-") as draft:
        by_uv = None
        if not paths:
            made_by_uv = os.path.join(draft, "made")
            by_uv = start_uv_build(
                (requires, backend), root, made_by_uv, request, from_sdist=from_sdist
            )
        from twofold.check.cache import knows_verdicts

        with_checks = by_uv is None or not knows_verdicts()
        made = None
        if by_uv is not None:
            made = _finish_uv_build(by_uv, (result, request), with_checks)
        if made is None:
            from twofold.building.hooks import build_by_hooks

            import_ahead_in_thread(request, with_checks)
            system = (requires, backend, paths)
            made = build_by_hooks(root, draft, system, (result, request), from_sdist)
        sdist, wheel = made
        if request.is_checked:
            with Step(result, request, "checks of what was built"):
                built = [path for path in made if path is not None]
                _check_artifacts(root, built, request)
        from twofold.building.delivery import deliver, make_conda_packages

        if options is None and {"conda", "tar.bz2"} & set(request.kinds):
            options = _parse_conda_options(root, table)
        packages = make_conda_packages(wheel, os.path.join(draft, "conda-bld"), request, options)
        deliver(result, request, out, {"sdist": sdist, "wheel": wheel}, packages)
        if sdist is not None and not comparison.is_empty:
            from twofold.building.source_hashes import list_members

            comparison.finish(set(list_members(sdist)))
    return result


def _finish_uv_build(
    build: UvBuild, work: tuple[BuildResult, BuildRequest], with_checks: bool
) -> tuple[str | None, str | None] | None:
    """Import what comes later, and wait for uv; None where the hooks must explain a failure."""
    result, request = work
    what = "the sdist and the wheel, by uv"
    with Step(result, request, what if result.backend != "uv_build" else f"{what} itself"):
        import_ahead(request, with_checks)
        made = build.finish()
        if made is not None:
            from twofold_build.archive import choose_hashes

            # Text packs to a quarter or so.
            choose_hashes(sum(os.path.getsize(path) for path in made if path is not None) * 4)
    for warning in build.warnings:
        request.report(f"{result.backend} warns: {warning}")
    return made


def read_build_system(root: str | os.PathLike[str]) -> tuple[list[str], str, list[str]]:
    """requires, build-backend and backend-path of a project, setuptools by default.

    Raises TwofoldError when the folder is no project, ProjectErrors when the table is wrong.
    """
    path = os.path.join(root, "pyproject.toml")
    if not os.path.exists(path):
        if os.path.exists(os.path.join(root, "setup.py")):
            return _DEFAULT_REQUIRES, _DEFAULT_BACKEND, []
        raise TwofoldError(
            f"there is no project in {root}: neither pyproject.toml nor setup.py",
            "start one with 'twofold new NAME', or adopt existing code with 'twofold init'",
        )
    with open(path, encoding="utf-8") as file:
        text = file.read()
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


def _parse_conda_options(root: str, table: dict[str, Any]) -> CondaOptions:
    """[tool.twofold.conda] of a project with another backend."""
    from twofold.convert import find_metadata_near, parse_options

    options = parse_options(table)
    options.find_metadata = find_metadata_near(root)
    return options


def _read_document(root: str) -> dict[str, Any]:
    path = os.path.join(root, "pyproject.toml")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return loads(file.read())


def _check_artifacts(project: str, paths: list[str], request: BuildRequest) -> None:
    """Raise all errors that the rules find, before anything is delivered."""
    from twofold.check import find_artifact_errors

    stop_at_errors(find_artifact_errors(project, paths), request.report)


def _check_constraints(options: BackendOptions) -> None:
    for path in options.constraints:
        if not os.path.isfile(path):
            raise TwofoldError(f"there is no constraints file {path}", "check --build-constraint")
