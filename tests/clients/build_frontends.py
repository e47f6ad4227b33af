"""The frontends people build with, each making wheels of project folders.

They run with the backend of this environment (no isolation), so that a build takes a moment;
tests/backend/test_frontends.py also lets each of them make an isolated environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_BUILD = """\
import sys
from build import ProjectBuilder
from pyproject_hooks import quiet_subprocess_runner
out, *roots = sys.argv[1:]
for root in roots:
    builder = ProjectBuilder(root, runner=quiet_subprocess_runner)
    builder.build("sdist", out)
    builder.build("wheel", out)
"""


def build_with_pip(out: Path, *roots: Path) -> None:
    """`pip wheel` of the folders, whatever Python they want."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    _run([*command, "--no-cache-dir", "--ignore-requires-python", "-w", out, *roots])


def build_with_uv(out: Path, *roots: Path) -> None:
    """`uv build`: the sdist, and the wheel from the unpacked sdist."""
    for root in roots:
        command = ["uv", "build", "-q", "--no-build-isolation", "--python", sys.executable]
        _run([*command, "-o", out, root])


def build_with_build(out: Path, *roots: Path) -> None:
    """What `python -m build -n` does, with one start of it for all folders."""
    _run([sys.executable, "-c", _BUILD, out, *roots])


FRONTENDS: dict[str, Callable[..., None]] = {
    "pip": build_with_pip,
    "uv": build_with_uv,
    "build": build_with_build,
}


def _run(command: list[str | Path]) -> None:
    scripts = Path(sys.executable).parent
    environ = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
