"""Wheels for requirements, from the user's index: resolved, then downloaded.

For this machine's own Python pip resolves (`--dry-run --report`), so that indexes, credentials and
constraints are the user's own. With dependencies for another target uv does: pip evaluates markers
for the Python that runs it, uv for the one it is given. Several pips then download the files, with
the hashes of the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.names import normalize_name
from twofold.names.platforms import (
    MUSL,
    Target,
    find_subdir,
    list_uv_platforms,
    to_uv_platform,
    to_wheel_platform_tags,
)
from twofold.pip_config import find_uv, get_uv_settings

#: Wheels that one pip downloads, and how many pips work at once: starting one takes half a second.
_BATCH_SIZE = 8
_PARALLEL = 4


class ResolvedWheel(NamedTuple):
    """A wheel that pip chose. `metadata` is METADATA with the fields that dependencies need."""

    name: str
    version: str
    filename: str
    sha256: str
    metadata: bytes


def resolve(
    requirements: Sequence[str], target: Target, with_deps: bool, retry: bool = True
) -> list[ResolvedWheel]:
    """The wheels for requirements such as `numpy` or `numpy>=2`, with their closure if wanted.

    pip retries an index that does not respond only where `retry` is true. Raises SubprocessFailed
    with pip's output where no wheel fits.
    """
    command = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    if target.python or target.platform:
        # pip wants a folder for wheels of another target; with --dry-run it is never made.
        command += ["--target", str(Path(tempfile.gettempdir(), f"twofold-never-{os.getpid()}"))]
    command += [*_pip_options(target), *([] if with_deps else ["--no-deps"]), "--", *requirements]
    output = _run_pip(command, f"pip found no wheels for {', '.join(requirements)}", retry)
    report = json.loads(output)
    return sorted(
        map(_parse_report_item, report["install"]), key=lambda one: normalize_name(one.name)
    )


def _parse_report_item(item: dict[str, Any]) -> ResolvedWheel:
    metadata = item["metadata"]
    archive = item["download_info"].get("archive_info", {})
    sha256 = archive.get("hashes", {}).get("sha256", "")
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {metadata['name']}",
        f"Version: {metadata['version']}",
    ]
    lines += [f"Provides-Extra: {extra}" for extra in metadata.get("provides_extra", [])]
    lines += [f"Requires-Dist: {line}" for line in metadata.get("requires_dist", [])]
    filename = item["download_info"]["url"].partition("#")[0].rpartition("/")[2]
    return ResolvedWheel(
        metadata["name"],
        metadata["version"],
        filename.replace("%2B", "+").replace("%2b", "+"),
        sha256,
        "\n".join([*lines, "", ""]).encode(),
    )


def download(
    wheels: Sequence[ResolvedWheel], folder: Path, target: Target, report: Callable[[str], None]
) -> list[Path]:
    """Download wheels into a folder, several at a time. Raises ToolFailed."""
    batches = [wheels[at : at + _BATCH_SIZE] for at in range(0, len(wheels), _BATCH_SIZE)]
    if len(wheels) < _BATCH_SIZE * _PARALLEL:
        batches = [part for n in range(_PARALLEL) if (part := wheels[n::_PARALLEL])]
    done = 0
    with ThreadPoolExecutor(_PARALLEL) as pool:
        numbered = enumerate(batches)
        for batch in pool.map(lambda part: _download(part[1], folder, target, part[0]), numbered):
            done += len(batch)
            report(f"downloaded {done} of {len(wheels)} wheels")
    return sorted(folder.glob("*.whl"))


def _download(
    batch: Sequence[ResolvedWheel], folder: Path, target: Target, number: int
) -> Sequence[ResolvedWheel]:
    listed = folder / f"wanted-{number}.txt"
    lines = [
        f"{one.name}=={one.version}" + (f" --hash=sha256:{one.sha256}" if one.sha256 else "")
        for one in batch
    ]
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["download", "--quiet", "--no-deps", "--dest", str(folder), *_pip_options(target)]
    _run_pip([*command, "--requirement", str(listed)], "pip could not download the wheels")
    return batch


def _run_pip(arguments: Sequence[str], failure: str, patient: bool = True) -> str:
    command = [sys.executable, "-m", "pip", *arguments]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    if not patient:
        environment = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "15", **environment}
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    if done.returncode == 0:
        return done.stdout
    if "No module named pip" in done.stderr:
        raise TwofoldError(
            f"{sys.executable} has no pip, which fetches the wheels",
            "run 'python -m ensurepip' in its environment, or give wheel files",
        )
    hint = "check the names, and that wheels exist for this Python and platform"
    if os.environ.get("TWOFOLD_OFFLINE"):
        hint = "--offline asks no index: remove it, or give wheel files"
    raise SubprocessFailed(failure, hint, output=done.stderr)


def _pip_options(target: Target) -> list[str]:
    """pip's options for a target; always wheels only."""
    options = ["--only-binary", ":all:"]
    if target.python:
        options += ["--python-version", target.python.removesuffix("t"), "--implementation", "cp"]
        own = f"cp{target.python.replace('.', '')}"
        # The stable ABI is not for free-threaded Pythons.
        for abi in (own, "none") if own.endswith("t") else (own, "abi3", "none"):
            options += ["--abi", abi]
    for platform in to_wheel_platform_tags(target.platform) if target.platform else ():
        options += ["--platform", platform]
    return options


def resolve_with_dependencies(
    requirements: Sequence[str], target: Target, with_deps: bool
) -> list[ResolvedWheel]:
    """The wheels for requirements such as `numpy>=2`, with everything they need if wanted.

    Raises SubprocessFailed with the resolver's output, TwofoldError where dependencies for another
    target are wanted and uv is missing.
    """
    here = detect_target()
    python, platform = target.python or here.python, target.platform or here.platform
    if not with_deps or (python, platform) == here:
        return resolve(requirements, target, with_deps)
    pins = _resolve_with_uv(requirements, python, platform)
    return resolve(pins, Target(python, platform), with_deps=False)


def _resolve_with_uv(names: Sequence[str], python: str, platform: str) -> list[str]:
    """`name==version` of requirements and all their dependencies, resolved by uv for a target."""
    uv = find_uv()
    if uv is None:
        raise TwofoldError(
            f"dependencies for Python {python} on {platform} cannot be resolved without uv: "
            "pip evaluates markers for this machine's Python",
            "pip install uv; or leave out --with-deps and name every project",
        )
    uv_platform = to_uv_platform(platform)
    if not uv_platform:
        known = ", ".join(list_uv_platforms())
        raise TwofoldError(
            f"uv does not resolve for the platform {platform}",
            f"leave out --with-deps and name every project; uv knows {known}",
        )
    command = [uv, "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"]
    command += ["--only-binary", ":all:", "--python", sys.executable]
    command += ["--python-version", python.removesuffix("t"), "--python-platform", uv_platform]
    # The macOS that wheels are built for today; uv's own default is older.
    indexes, certificates = get_uv_settings(Path.cwd())
    environment = {**os.environ, **certificates}
    environment.setdefault("MACOSX_DEPLOYMENT_TARGET", "15.0")
    done = subprocess.run(
        [*command, *indexes],
        input="\n".join(names) + "\n",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
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
    """The Python and the platform of the running interpreter."""
    system, _, machine = sysconfig.get_platform().partition("-")
    machine = machine.rpartition("-")[2] or system  # win32 is a system and a machine
    machine = "arm64" if machine == "universal2" else machine
    musl = MUSL if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else ""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(python, f"{find_subdir(system, machine)}{musl}")
