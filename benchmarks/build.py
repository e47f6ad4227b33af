"""Times `twofold build` beside uv, flit, hatch and setuptools, in alternating runs.

    python benchmarks/build.py [--runs 15] [--inputs abcde] [--folder DIR] [--no-peers] [--no-save]

twofold makes three artifacts (sdist, wheel, .conda), the others their two. Needs uv, flit, hatch,
setuptools and build installed beside this Python. Prints a Markdown table for each input and
writes the raw runs to results/build.json; without the other tools to results/build-first.json.

File cache warm, byte code compiled. `twofold` is everyday use, its checks remembering the last
build's files; `twofold, first` is the first build, checks and all, the only one that CI sees.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import inputs
import measure

#: Beside the fastest Python peer twofold is to be this many times faster.
PEERS = ("flit", "hatch", "setuptools")
TARGETS = {"a": 2.0, "b": 0.45, "c": 0.5, "d": 1.5, "e": 1.5}
FIRST_TARGETS = {"a": 3.0, "b": 1.0, "c": 1.0, "d": 1.5, "e": 1.5}
FIRST = "twofold, first"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--inputs", default="abcde")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "twofold-bench"
    )
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="run flit and the like"
    )
    parser.add_argument("--no-save", action="store_true", help="do not write results/build.json")
    args = parser.parse_args()
    _prepare_environment(args.folder)
    packages = inputs.make(args.folder)
    results = {}
    for letter in args.inputs:
        contenders = _make_contenders(letter, packages[letter], args.folder, args.peers)
        # The Python peers take seconds on the large inputs: fewer runs of those.
        runs = args.runs if letter in "ade" else max(5, args.runs // 3)
        times = measure.run_alternately(contenders, runs)
        results[letter] = times
        _print_times(letter, times)
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
        target = "build" if args.peers else "build-first"
        print(f"raw runs: {measure.save(target, results, names)}")
    return 0


def _prepare_environment(folder: Path) -> None:
    """Byte code is compiled, as in an installed tool, but into a folder of the benchmark's."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    os.environ["TWOFOLD_CACHE_DIR"] = str(folder / "cache")


def _make_contenders(
    letter: str, package: Path, folder: Path, with_peers: bool
) -> list[measure.Contender]:
    """Each with a project of its own, alike but for the backend, emptied before every run."""
    scripts = Path(sys.executable).parent
    commands = {
        "twofold": [scripts / "twofold", "build"],
        FIRST: [scripts / "twofold", "build"],
        "uv": [scripts / "uv", "build", "--sdist", "--wheel"],
        "flit": [scripts / "flit", "build", "--no-use-vcs"],
        "hatch": [scripts / "hatch", "build"],
        "setuptools": [sys.executable, "setup.py", "-q", "sdist", "bdist_wheel"],
    }
    made = []
    for name, command in commands.items():
        if name in PEERS and not with_peers:
            continue
        backend = name.partition(",")[0]
        root = inputs.project(package, backend, folder / f"{letter}-{name.replace(', ', '-')}")
        if name == "setuptools":
            (root / "setup.py").write_text("from setuptools import setup\nsetup()\n")

        def before(root: Path = root, name: str = name) -> None:
            for made_folder in ("dist", "conda-bld", "build"):
                shutil.rmtree(root / made_folder, ignore_errors=True)
            if name == FIRST:  # which fills the cache again for the others
                shutil.rmtree(os.environ["TWOFOLD_CACHE_DIR"], ignore_errors=True)

        made.append(measure.Contender(name, [str(word) for word in command], root, before))
    return made


def _print_times(letter: str, times: dict[str, measure.Times]) -> None:
    print(f"\n## Input ({letter})\n\n{measure.format_table(times, beside='uv')}\n")
    uv = times["uv"]
    print(
        f"twofold to uv: {times['twofold'].median / uv.median:.2f} (at most {TARGETS[letter]}), "
        f"first build {times[FIRST].median / uv.median:.2f} (at most {FIRST_TARGETS[letter]}); "
        f"peak memory to uv's: {times['twofold'].peak / uv.peak:.2f}, "
        f"first build {times[FIRST].peak / uv.peak:.2f}",
        flush=True,
    )
    peers = [times[name].median for name in PEERS if name in times]
    if peers:
        peer = min(peers) / times["twofold"].median
        print(f"fastest Python peer to twofold: {peer:.1f} (at least 4)", flush=True)


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
