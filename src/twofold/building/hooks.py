"""Build through the hooks of PEP 517, in an isolated environment or in the one in use."""

from __future__ import annotations

from pathlib import Path

from twofold.building.isolation import BuildEnvironment
from twofold.building.options import BuildRequest, BuildResult, Step
from twofold.building.sdist_source import unpack_sdist
from twofold.errors import SubprocessFailed


def build_by_hooks(
    root: str,
    folder: str,
    system: tuple[list[str], str, list[str]],
    work: tuple[BuildResult, BuildRequest],
    from_sdist: bool,
) -> tuple[str | None, str | None]:
    """Build the sdist, and from it the wheel, in `folder`, and return the paths of both.

    `system` are requires, build-backend and backend-path. Raises SubprocessFailed.
    """
    result, request = work
    requires, backend, paths = system
    project, draft = Path(root), Path(folder)
    listed = ", ".join(requires) or "nothing"
    isolated = "an isolated" if request.backend.is_isolated else "the installed"
    with Step(result, request, f"{isolated} environment with {listed}") as step:
        environment = BuildEnvironment.create(draft / "env", project, request.backend)
        step.note(environment.install(requires))
    hooks = environment.hooks(project, backend, paths)
    sdist = wheel = None
    if not from_sdist:
        with Step(result, request, f"the sdist, by {backend}") as step:
            step.note(environment.install(hooks.get_requires("sdist")))
            sdist = _require_file(hooks.build("sdist", draft / "sdist"), ".tar.gz", backend)
    if set(request.kinds) - {"sdist"}:
        unpacked = unpack_sdist(sdist, draft / "tree") if sdist else project
        hooks = environment.hooks(unpacked, backend, paths, hooks.warned)
        with Step(result, request, f"the wheel from the sdist, by {backend}") as step:
            step.note(environment.install(hooks.get_requires("wheel")))
            wheel = _require_file(hooks.build("wheel", draft / "wheel"), ".whl", backend)
    for warning in hooks.warned:
        request.report(f"{backend} warns: {warning}")
    return str(sdist) if sdist else None, str(wheel) if wheel else None


def _require_file(path: Path, ending: str, backend: str) -> Path:
    if not path.is_file() or not path.name.endswith(ending):
        raise SubprocessFailed(
            f"{backend} returned '{path.name}', which is not a {ending} file",
            "this is a defect of the backend; try 'python -m build' to compare",
        )
    return path
