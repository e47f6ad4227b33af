"""Wheels to conda packages: `twofold convert` beside whl2conda, in alternating runs.

    python benchmarks/convert.py [--runs 3] [--only django]

The wheels are fetched by pip as it is configured. Times are of whole processes, the channel's index
included on twofold's side. Raw runs and sizes go to results/convert.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import Contender, Times, format_table, run_alternately, save

#: Pinned, so that results of different days are of the same bytes.
WHEELS = ("django==5.2.19", "sympy==1.13.3", "numpy==2.4.6")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--only", default="", help="one of the wheels")
    given = arguments.parse_args()
    measured: dict[str, dict[str, Times]] = {}
    sizes: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="twofold-benchmark-") as work:
        for requirement in WHEELS:
            name = requirement.partition("==")[0]
            if given.only not in ("", name):
                continue
            wheel = fetch(requirement, Path(work, "wheels"))
            measured[name] = compare(wheel, Path(work, name), given.runs)
            sizes[name] = measure_sizes(wheel, Path(work, name))
            base = sizes[name]["whl2conda"]
            print(f"\n## {wheel.name}, {wheel.stat().st_size:,} bytes\n")
            print(format_table(measured[name], "whl2conda"))
            parts = [f"{key} {size:,} ({size / base:.3f})" for key, size in sizes[name].items()]
            print("\nbytes (ratio to whl2conda's): " + ", ".join(parts), flush=True)
    saved = save("convert", measured, ["whl2conda", "zstandard", "isal"])
    report = json.loads(saved.read_text(encoding="utf-8"))
    saved.write_text(json.dumps({**report, "bytes": sizes}, indent=1) + "\n", encoding="utf-8")


def fetch(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), requirement]
    subprocess.run(command, check=True)
    return next(folder.glob(f"{requirement.partition('==')[0]}-*.whl"))


def convert_command(wheel: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "twofold", "convert", str(wheel), "--out", str(out), *more]


def compare(wheel: Path, work: Path, runs: int) -> dict[str, Times]:
    theirs = ["whl2conda", "convert", str(wheel), "--format", "V2", "--allow-impure"]
    contenders = [
        # A target as whl2conda takes it: one package, where markers would make two.
        Contender(
            "twofold",
            convert_command(wheel, work / "twofold", "--platform", "linux-64"),
            Path.cwd(),
            make_cleaner(work / "twofold"),
        ),
        Contender(
            "whl2conda",
            [*theirs, "--out", str(work / "whl2conda")],
            Path.cwd(),
            make_cleaner(work / "whl2conda"),
        ),
    ]
    return run_alternately(contenders, runs, warmup=0)


def make_cleaner(folder: Path) -> Callable[[], None]:
    def empty() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    return empty


def measure_sizes(wheel: Path, work: Path) -> dict[str, int]:
    """Bytes of the last packages of the comparison, and of `--release`."""
    command = convert_command(wheel, work / "release", "--platform", "linux-64", "--release")
    subprocess.run(command, check=True, capture_output=True)
    return {
        name: next((work / name).rglob("*.conda")).stat().st_size
        for name in ("twofold", "whl2conda", "release")
    }


if __name__ == "__main__":
    main()
