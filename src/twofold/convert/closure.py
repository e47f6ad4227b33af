"""The wheels for names and all that they need, on any Python and platform.

For this machine's own Python pip resolves. For another target uv does: pip judges markers by the
Python that runs it, uv by the one that is asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from twofold.convert.resolution import ResolvedWheel, Target, resolve
from twofold.convert.wheel_tags import MUSL
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.pip_config import find_uv, get_uv_certificates, get_uv_index_options

#: What uv calls the platforms.
_UV_PLATFORMS = {
    "linux-64": "x86_64-manylinux_2_39",
    "linux-aarch64": "aarch64-manylinux_2_39",
    "linux-64-musl": "x86_64-unknown-linux-musl",
    "linux-aarch64-musl": "aarch64-unknown-linux-musl",
    "linux-riscv64": "riscv64-unknown-linux",
    "osx-64": "x86_64-apple-darwin",
    "osx-arm64": "aarch64-apple-darwin",
    "win-32": "i686-pc-windows-msvc",
    "win-64": "x86_64-pc-windows-msvc",
    "win-arm64": "aarch64-pc-windows-msvc",
}


def resolve_with_dependencies(
    requirements: Sequence[str], target: Target, with_deps: bool
) -> list[ResolvedWheel]:
    """The wheels for requirements such as `numpy>=2`, with everything they need if wanted.

    Raises ToolFailed with the resolver's own words, TwofoldError when another target's closure is
    wanted and uv is not there.
    """
    here = detect_target()
    python, platform = target.python or here.python, target.platform or here.platform
    if not with_deps or (python, platform) == here:
        return resolve(requirements, target, with_deps)
    pins = _resolve_with_uv(requirements, python, platform)
    return resolve(pins, Target(python, platform), with_deps=False)


def _resolve_with_uv(names: Sequence[str], python: str, platform: str) -> list[str]:
    """`name==version` of the closure, resolved by uv for a target."""
    uv = find_uv()
    if uv is None:
        raise TwofoldError(
            f"the closure for Python {python} on {platform} cannot be resolved without uv: "
            "pip judges markers by this machine's Python",
            "pip install uv; or leave out --with-deps and name every project",
        )
    if platform not in _UV_PLATFORMS:
        raise TwofoldError(
            f"uv resolves for no such platform as {platform}",
            f"leave out --with-deps and name every project; uv knows {', '.join(_UV_PLATFORMS)}",
        )
    command = [uv, "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"]
    command += ["--only-binary", ":all:", "--python", sys.executable]
    command += [
        "--python-version",
        python.removesuffix("t"),
        "--python-platform",
        _UV_PLATFORMS[platform],
    ]
    # What wheels for the Mac are made for today; uv alone would take an older one.
    environment = {**os.environ, **get_uv_certificates()}
    environment.setdefault("MACOSX_DEPLOYMENT_TARGET", "15.0")
    done = subprocess.run(
        [*command, *get_uv_index_options(Path.cwd())],
        input="\n".join(names) + "\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode:
        raise SubprocessFailed(
            f"uv found no wheels for {', '.join(names)} and what they need",
            f"check the names, and that wheels exist for Python {python} on {platform}",
            output=done.stderr,
        )
    lines = (line.strip() for line in done.stdout.splitlines())
    return [line.partition(" @ ")[0] for line in lines if line and line[0] not in "#-"]


def detect_target() -> Target:
    """The Python and the platform that run this."""
    system, _, machine = sysconfig.get_platform().partition("-")
    machine = machine.rpartition("-")[2]
    musl = MUSL if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else ""
    names = {"linux": "linux", "macosx": "osx", "win": "win"}
    arch = {"x86_64": "64", "amd64": "64", "i686": "32", "universal2": "arm64"}.get(
        machine, machine
    )
    if system.startswith("win"):
        system, arch = "win", {"win32": "32"}.get(system, "64" if machine != "arm64" else "arm64")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(python, f"{names.get(system, system)}-{arch}{musl}")
