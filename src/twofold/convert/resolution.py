"""Wheels from the user's index, through pip as it is configured: resolved, then downloaded.

pip resolves (`--dry-run --report`), so that indexes, credentials and constraints are the user's
own; the files are then downloaded by several pips at once, held to the hashes of the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from twofold.convert.wheel_tags import pip_platform_tags
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.names import normalize_name

#: Wheels that one pip downloads, and how many pips work at once: starting one takes half a second.
_BATCH_SIZE = 8
_PARALLEL = 4


class Target(NamedTuple):
    """What wheels are for: `python` ('3.12', '3.13t'), `platform` ('linux-64', 'linux-64-musl').

    '' is this machine's.
    """

    python: str = ""
    platform: str = ""

    def pip_options(self) -> list[str]:
        """pip's options for it; always wheels only."""
        flags = ["--only-binary", ":all:"]
        if self.python:
            flags += ["--python-version", self.python.removesuffix("t"), "--implementation", "cp"]
            own = f"cp{self.python.replace('.', '')}"
            # The stable ABI is not for free-threaded Pythons.
            for abi in (own, "none") if own.endswith("t") else (own, "abi3", "none"):
                flags += ["--abi", abi]
        for platform in pip_platform_tags(self.platform) if self.platform else ():
            flags += ["--platform", platform]
        return flags


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

    An index that does not answer is asked again and again unless not `patient`. Raises ToolFailed
    with pip's own words when there is none.
    """
    command = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    if target.python or target.platform:
        # pip wants a folder for wheels of another target; with --dry-run it is never made.
        command += ["--target", str(Path(tempfile.gettempdir(), f"twofold-never-{os.getpid()}"))]
    command += [*target.pip_options(), *([] if with_deps else ["--no-deps"]), "--", *requirements]
    told = _run_pip(command, f"pip found no wheels for {', '.join(requirements)}", retry)
    report = json.loads(told)
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
    command = ["download", "--quiet", "--no-deps", "--dest", str(folder), *target.pip_options()]
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
    raise SubprocessFailed(
        failure,
        "check the names, and that wheels exist for this Python and platform",
        output=done.stderr,
    )
