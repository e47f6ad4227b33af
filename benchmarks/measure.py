"""Alternating runs of several commands: wall seconds and peak memory, medians and ratios.

Machines are shared and noisy: commands are run in turn (A B C A B C ...), never in blocks, and
quoted as ratios of medians. A real virtual environment's bin stands first on PATH, since a
version manager's shim before `python3` would make uv look slow.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Contender:
    """A command to time. `before` puts its folder into the same state ahead of every run."""

    name: str
    command: Sequence[str]
    cwd: Path
    before: Callable[[], None] | None = None


@dataclass(frozen=True)
class Times:
    """All runs of one contender: wall seconds, the largest peak memory seen (bytes), and seconds of
    processors, children included, which a machine's load disturbs less."""

    name: str
    seconds: tuple[float, ...]
    peak: int
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def run_alternately(
    contenders: Sequence[Contender], runs: int, warmup: int = 1
) -> dict[str, Times]:
    """Run the contenders in turn, `warmup` rounds uncounted, then `runs` counted ones.

    Raises SystemExit with the command's output when one fails: a failed run is no time.
    """
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    processor: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    peaks: dict[str, int] = dict.fromkeys(seconds, 0)
    for round_ in range(warmup + runs):
        for contender in contenders:
            if contender.before is not None:
                contender.before()
            elapsed, peak, used = _time(contender)
            if round_ >= warmup:
                seconds[contender.name].append(elapsed)
                processor[contender.name].append(used)
                peaks[contender.name] = max(peaks[contender.name], peak)
    return {
        name: Times(name, tuple(values), peaks[name], tuple(processor[name]))
        for name, values in seconds.items()
    }


def _time(contender: Contender) -> tuple[float, int, float]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    start = time.perf_counter()
    process = subprocess.Popen(
        list(contender.command),
        cwd=contender.cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        sys.exit(
            f"{contender.name} failed ({process.returncode}):\n{message.decode(errors='replace')}"
        )
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return elapsed, peak, usage.ru_utime + usage.ru_stime


def format_table(times: Mapping[str, Times], beside: str) -> str:
    """A Markdown table: median, minimum, maximum, peak memory, ratio of medians to `beside`;
    the same ratio of the seconds of processors."""
    base, used = times[beside].median, statistics.median(times[beside].processor)
    lines = [
        f"| command | median s | min s | max s | peak MB | ratio to {beside} | of processors |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.median:.3f} | {min(one.seconds):.3f} | {max(one.seconds):.3f} "
        f"| {one.peak / 1e6:.0f} | {one.median / base:.2f} "
        f"| {statistics.median(one.processor) / used:.2f} |"
        for one in times.values()
    ]
    return "\n".join(lines)


def save(name: str, times: Mapping[str, Mapping[str, Times]], packages: Sequence[str]) -> Path:
    """Write the raw runs of several inputs with versions and date to results/NAME.json."""
    runs = {key: [asdict(one) for one in value.values()] for key, value in times.items()}
    return record_results(name, packages, {"runs": runs})


def record_results(name: str, packages: Sequence[str], found: Mapping[str, Any]) -> Path:
    """Write what was found to results/NAME.json, with date, machine and versions of packages."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    report = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "versions": {package: _version(package) for package in packages},
        **found,
    }
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return target


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
