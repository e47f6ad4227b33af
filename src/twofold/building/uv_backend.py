"""Projects of uv's own backend, which uv builds in its own process: no environment is made.

On the way of every build of such a project, so each import counts here.
"""

from __future__ import annotations

import os
import shutil
import sys

from twofold.building.native import admits_version
from twofold.building.programs import run_captured
from twofold.errors import SubprocessFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twofold.building.options import BackendOptions, BuildRequest


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
    shown = run_captured([uv, "--version"], os.environ).stdout
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
    from twofold_build.names import normalize_name

    is_plain = normalize_name(wanted.name) == "uv-build" and not wanted.url
    return uv if is_plain and wanted.specifier.contains(version) else None


def build_by_uv(
    uv: str, project: Path, draft: Path, request: BuildRequest, from_sdist: bool
) -> tuple[Path | None, Path | None]:
    """Let uv build the sdist and the wheel in its own process, into a folder in `draft`."""
    kinds = ["--wheel"] if from_sdist else ["--sdist"] if set(request.kinds) == {"sdist"} else []
    out = draft / "made"
    command = [uv, "build", "--quiet", *kinds, "--out-dir", out, "--python", sys.executable]
    done = run_captured([*command, project], os.environ)
    if done.returncode:
        raise SubprocessFailed(
            f"the backend 'uv_build' failed (exit code {done.returncode})",
            "read its output above",
            output=done.stdout,
        )
    made = {path.name[-4:]: path for path in out.iterdir() if not path.name.startswith(".")}
    return made.get("r.gz"), made.get(".whl")
