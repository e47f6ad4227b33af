"""Times `twofold build` beside uv, flit, hatch and setuptools, in alternating runs.

    python benchmarks/build.py [--runs 15] [--inputs abc] [--folder DIR] [--no-save]

twofold makes three artifacts (sdist, wheel, .conda), the others their two. Needs uv, flit, hatch,
setuptools and build installed beside this Python. Prints a Markdown table for each input and
writes the raw runs to results/build.json.

What is measured is everyday use: file cache warm, byte code compiled, twofold's checks remembering
the last build's files. A line tells how long the first build takes, checks and all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import inputs
import measure

#: Beside the fastest Python peer twofold is to be this many times faster.
PEERS = ("flit", "hatch", "setuptools")
TARGETS = {"a": 2.5, "b": 1.0, "c": 0.5}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--inputs", default="abc")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "twofold-bench"
    )
    parser.add_argument("--no-save", action="store_true", help="do not write results/build.json")
    args = parser.parse_args()
    _prepare_environment(args.folder)
    packages = inputs.make(args.folder)
    results = {}
    for letter in args.inputs:
        contenders = _make_contenders(letter, packages[letter], args.folder)
        first = _time_first_build(contenders[0])
        # The Python peers take seconds on the large inputs: fewer runs of those.
        runs = args.runs if letter == "a" else max(5, args.runs // 3)
        times = measure.run_alternately(contenders, runs)
        results[letter] = times
        _print_times(letter, times, first)
    if "a" in args.inputs:
        results["start"] = _measure_start(args.folder, args.runs)
    if not args.no_save:
        names = (
            "twofold",
            "isal",
            "zstandard",
            "uv",
            "flit",
            "hatch",
            "hatchling",
            "setuptools",
            "build",
        )
        print(f"raw runs: {measure.save('build', results, names)}")
    return 0


def _prepare_environment(folder: Path) -> None:
    """Byte code is compiled, as in an installed tool, but into a folder of the benchmark's."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    os.environ["TWOFOLD_CACHE_DIR"] = str(folder / "cache")


def _make_contenders(letter: str, package: Path, folder: Path) -> list[measure.Contender]:
    """Each with a project of its own, alike but for the backend, emptied before every run."""
    scripts = Path(sys.executable).parent
    commands = {
        "twofold": [scripts / "twofold", "build"],
        "uv": [scripts / "uv", "build", "--sdist", "--wheel"],
        "flit": [scripts / "flit", "build", "--no-use-vcs"],
        "hatch": [scripts / "hatch", "build"],
        "setuptools": [sys.executable, "setup.py", "-q", "sdist", "bdist_wheel"],
    }
    made = []
    for name, command in commands.items():
        root = inputs.project(package, name, folder / f"{letter}-{name}")
        if name == "setuptools":
            (root / "setup.py").write_text("from setuptools import setup\nsetup()\n")

        def before(root: Path = root) -> None:
            for made_folder in ("dist", "conda-bld", "build"):
                shutil.rmtree(root / made_folder, ignore_errors=True)

        made.append(measure.Contender(name, [str(word) for word in command], root, before))
    return made


def _time_first_build(twofold: measure.Contender) -> float:
    """Seconds of a build when the checks remember nothing."""
    shutil.rmtree(os.environ["TWOFOLD_CACHE_DIR"], ignore_errors=True)
    started = time.perf_counter()
    subprocess.run(twofold.command, cwd=twofold.cwd, check=True, capture_output=True)
    return time.perf_counter() - started


def _print_times(letter: str, times: dict[str, measure.Times], first: float) -> None:
    print(f"\n## Input ({letter})\n\n{measure.format_table(times, beside='uv')}\n")
    ratio = times["twofold"].median / times["uv"].median
    peer = min(times[name].median for name in PEERS) / times["twofold"].median
    memory = times["twofold"].peak / times["uv"].peak
    print(
        f"twofold to uv: {ratio:.2f} (at most {TARGETS[letter]}); fastest Python peer to twofold: "
        f"{peer:.1f} (at least 4); peak memory to uv's: {memory:.2f}; "
        f"first build, checks and all: {first:.2f} s",
        flush=True,
    )


def _measure_start(folder: Path, runs: int) -> dict[str, measure.Times]:
    """`--version` and `--help` beside an interpreter that does nothing."""
    scripts = Path(sys.executable).parent
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "twofold --version": [str(scripts / "twofold"), "--version"],
        "twofold --help": [str(scripts / "twofold"), "--help"],
    }
    contenders = [measure.Contender(name, words, folder) for name, words in commands.items()]
    times = measure.run_alternately(contenders, runs)
    print(f"\n## Start\n\n{measure.format_table(times, beside='python -c pass')}\n")
    return times


if __name__ == "__main__":
    raise SystemExit(main())
