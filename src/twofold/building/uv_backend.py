"""Projects that uv builds: of its own backend in its own process, and of other quick backends.

On the way of every build of such a project, and before uv is started: so each import counts here.
"""

from __future__ import annotations

import os
import sys

from twofold.building.backends import admits_version
from twofold.errors import SubprocessFailed
from twofold.programs import StartedProgram, find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.building.options import BuildRequest

_OWN = "uv_build"
#: Backends whose hooks take so little time that the processes around them count: uv needs fewer.
_QUICK = ("flit_core.buildapi", "hatchling.build", "pdm.backend", "poetry.core.masonry.api")


class UvBuild:
    """`uv build` of a project, which runs beside this process until `finish`.

    `folder` is where the files are made. `warnings` are what the backend warned of.
    """

    def __init__(self, uv: str, project: str, folder: str, backend: str, kinds: list[str]) -> None:
        self.warnings: dict[str, None] = {}
        self._folder = folder
        self._is_own = backend == _OWN
        options, variables = [], {**os.environ}
        if self._is_own:
            options.append("--quiet")
        else:
            from twofold.pip_config import get_uv_settings

            indexes, more = get_uv_settings(project)
            options += ["--no-sources", *indexes]
            variables |= {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", **more}
            for name in ("PYTHONHOME", "PYTHONPATH"):
                variables.pop(name, None)
        command = [uv, "build", *options, *kinds, "--out-dir", folder, "--python", sys.executable]
        # uv_build cannot pack a project that it is given by a link (uv 0.13.9).
        self._program = StartedProgram([*command, os.path.realpath(project)], variables)

    def finish(self) -> tuple[str | None, str | None] | None:
        """The paths of the sdist and the wheel; None where the hooks must say what is wrong.

        Raises SubprocessFailed where uv's own backend failed.
        """
        done = self._program.wait()
        if done.returncode and self._is_own:
            raise SubprocessFailed(
                f"the backend '{_OWN}' failed (exit code {done.returncode})",
                "read its output above",
                output=done.output,
            )
        if done.returncode:
            return None
        self.warnings = dict.fromkeys(_find_warnings(done.output))
        made = [os.path.join(self._folder, name) for name in os.listdir(self._folder)]
        sdist = next((path for path in made if path.endswith(".tar.gz")), None)
        return sdist, next((path for path in made if path.endswith(".whl")), None)


def start_uv_build(
    system: tuple[Sequence[str], str],
    project: str,
    folder: str,
    request: BuildRequest,
    *,
    from_sdist: bool,
) -> UvBuild | None:
    """Let uv build a project where it can do so, and as well as the hooks; else None.

    `system` are `requires` and `build-backend`. Options that steer the backend need the hooks.
    """
    requires, backend = system
    options = request.backend
    steered = [options.config_settings, options.constraints, options.further_requires]
    if any(
        [*steered, options.python, options.is_by_hooks, not options.is_isolated]
    ) or backend not in (_OWN, *_QUICK):
        return None
    uv = find_program("uv")
    if uv is None or (backend == _OWN and len(requires) != 1):
        return None
    kinds = ["--wheel"] if from_sdist else ["--sdist"] if set(request.kinds) == {"sdist"} else []
    if backend == _OWN and not _admits(requires[0], uv):
        return None
    return UvBuild(uv, project, folder, backend, kinds)


def _admits(requirement: str, uv: str) -> bool:
    """Whether a uv has the required backend built in."""
    name = requirement.replace("-", "_").strip()
    if name == _OWN:
        return True
    version = _read_version(uv)
    plain = admits_version(name.removeprefix(_OWN), version)
    if name.startswith(_OWN) and plain is not None:
        return plain
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return False  # reported by the installer
    from twofold_build.names import normalize_name

    is_plain = normalize_name(wanted.name) == "uv-build" and not wanted.url
    return is_plain and wanted.specifier.contains(version)


#: A smaller program than this is a script that calls a uv, today this one and another tomorrow.
_SCRIPT = 1 << 20


def _read_version(uv: str) -> str:
    """The version of a uv; kept in the cache for as long as the program is the same.

    A wrong one would do no harm: uv looks at the requirement too.
    """
    from twofold.cache_dir import get_cache_dir
    from twofold.check.cache import make_folder, write_entry
    from twofold_build.archive import new_sha256

    status = os.stat(uv)
    identity = f"{uv}\0{status.st_mtime_ns}\0{status.st_size}"
    name = new_sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    path = os.path.join(get_cache_dir(), "uv", name)
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        shown = StartedProgram([uv, "--version"], os.environ).wait().output
    version = (shown.split()[1:] or ["0"])[0]
    if status.st_size >= _SCRIPT and make_folder(os.path.dirname(path)):
        write_entry(path, version.encode())
    return version


def _find_warnings(output: str) -> list[str]:
    """The warnings of Python in what a backend printed: `file.py:7: SomeWarning: the text`."""
    found = []
    for line in output.splitlines():
        place, is_one, text = line.partition("Warning: ")
        if is_one and place.count(":") >= 2 and place[:1].strip():
            found.append(text.strip())
    return found
