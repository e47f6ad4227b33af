"""A channel of 10,000 packages indexed: twofold beside py-rattler's index_fs, in alternating runs.

    python benchmarks/index.py [--packages 10000] [--runs 5]

`fresh`: nothing but the packages is there. `one more`: an indexed channel gets one new package.
Times are of whole processes. Raw runs go to results/index.json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import Contender, format_table, run_alternately, save

from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold_build.archive import Content, Entry

OURS = (
    "from pathlib import Path; import sys; from twofold.index.folder import index_folder\n"
    "if __name__ == '__main__': index_folder(Path(sys.argv[1]))\n"
)
#: Left without Python's tidying up, in which py-rattler 0.28 crashes now and then.
THEIRS = (
    "import asyncio, os, sys; from rattler.index import index_fs\n"
    "asyncio.run(index_fs(sys.argv[1], write_zst=True, write_shards=True))\n"
    "os._exit(0)\n"
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--packages", type=int, default=10_000)
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="twofold-benchmark-") as folder:
        work = Path(folder)
        for name, code in (("twofold", OURS), ("index_fs", THEIRS)):
            (work / f"run_{name}.py").write_text(code, encoding="utf-8")
            (work / name / "noarch").mkdir(parents=True)
        for number in range(given.packages):
            add_package(work / "twofold", number)
            link_package(work, number)
        fresh = [
            Contender(n, index_command(work, n), work, make_cleaner(work / n))
            for n in ("twofold", "index_fs")
        ]
        numbers = iter(range(given.packages, 1 << 30))
        more = [
            Contender(n, index_command(work, n), work, make_adder(work, n, numbers))
            for n in ("twofold", "index_fs")
        ]
        measured = {"fresh": run_alternately(fresh, given.runs, warmup=0)}
        measured["one more"] = run_alternately(more, given.runs)
    for title, times in measured.items():
        print(f"\n## {title}, {given.packages:,} packages\n")
        print(format_table(times, "index_fs"))
    save("index", measured, ["py-rattler", "zstandard", "msgpack"])


def index_command(work: Path, name: str) -> list[str]:
    return [sys.executable, str(work / f"run_{name}.py"), str(work / name)]


def add_package(channel: Path, number: int) -> Path:
    """A tiny package of one of 1,000 names, so that shards hold several records."""
    package = CondaPackage(
        f"package-{number % 1000:04}",
        f"1.{number // 1000}.{number % 7}",
        build=f"py_{number}",
        depends=["python >=3.9", "numpy >=1.26", f"package-{(number + 1) % 1000:04} >=1"],
        about={"summary": "A tiny package", "license": "MIT"},
        timestamp=1_700_000_000_000 + number,
    )
    target = channel / "noarch" / f"{package.stem}.conda"
    writer = CondaWriter(target, package, level=1)
    data = b"answer = %d\n" % number
    path = f"site-packages/package_{number % 1000:04}/__init__.py"
    writer.add(Entry(path), Content(data, hashlib.sha256(data).digest()))
    writer.close()
    return target


def link_package(work: Path, number: int) -> None:
    """The same package in the other channel, without taking its bytes twice."""
    name = f"package-{number % 1000:04}-1.{number // 1000}.{number % 7}-py_{number}.conda"
    os.link(work / "twofold/noarch" / name, work / "index_fs/noarch" / name)


def make_cleaner(channel: Path) -> Callable[[], None]:
    """Puts a channel back to its packages alone."""

    def clear() -> None:
        for path in [*channel.iterdir(), *(channel / "noarch").iterdir()]:
            if path.name == "shards":
                shutil.rmtree(path)
            elif path.is_file() and path.suffix != ".conda":
                path.unlink()
            elif path.is_dir() and path.name != "noarch":
                shutil.rmtree(path)

    return clear


def make_adder(work: Path, name: str, numbers: Iterator[int]) -> Callable[[], None]:
    def add() -> None:
        number = next(numbers)
        add_package(work / name, number)

    return add


if __name__ == "__main__":
    main()
