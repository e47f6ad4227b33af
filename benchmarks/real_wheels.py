"""Convert wheels at random, install them with py-rattler, and compare the files with pip's.

    python benchmarks/real_wheels.py NAMES [--count 100] [--seed 1]

NAMES is a file with a project's name a line, such as those of rank 3,000 to 15,000 by downloads.
Each project's newest wheel for this machine is fetched by pip, converted by `twofold convert`, and
its package alone linked into a fresh prefix with this machine's Python; pip installs the same wheel
into another environment. Every file but the installers' own records has to be there with the same
bytes, and no other; of scripts the first line, which names the interpreter, is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rattler import Channel, Gateway, Platform, install

from twofold.index.folder import index_folder
from twofold.install.repack_python import repack_python
from twofold.names.platforms import find_subdir

SITE = f"lib/python{sysconfig.get_python_version()}/site-packages"
#: Files that each installer writes for itself.
OWN = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = given.names.read_text(encoding="utf-8").split()
    random.Random(given.seed).shuffle(names)
    right = tried = 0
    with tempfile.TemporaryDirectory(prefix="twofold-wheels-") as kept:
        work = Path(kept).resolve()
        python = work / "python"
        repack_python(python)
        index_folder(python)
        for name in names:
            if tried == given.count:
                break
            wheel = fetch_wheel(name, work / "wheels" / name)
            if wheel is None:
                continue
            tried += 1
            differences = compare(wheel, python, work / "one")
            shutil.rmtree(work / "one")
            right += not differences
            print(f"{'right' if not differences else 'WRONG'}  {wheel.name}", flush=True)
            for line in differences[:10]:
                print(f"       {line}", flush=True)
    print(f"{right} of {tried} wheels are installed as pip does")


def fetch_wheel(name: str, folder: Path) -> Path | None:
    """Fetch a project's newest wheel for this machine; None if it has none."""
    run(
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
        folder,
        name,
    )
    return next(folder.glob("*.whl"), None) if folder.is_dir() else None


def compare(wheel: Path, python: Path, work: Path) -> list[str]:
    """Return how the files of both installations differ."""
    channel, prefix, venv = work / "channel", work / "prefix", work / "venv"
    converted = run("-m", "twofold", "convert", wheel, "--out", channel)
    if converted.returncode:
        return [f"is not converted: {converted.stderr.strip()[-300:]}"]
    asyncio.run(link([channel, python], prefix, work / "cache"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    before = {path for path in venv.rglob("*") if not path.is_dir()}
    piped = run(
        "-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet", "--no-deps",
        "--no-compile", "--no-index", wheel,
    )  # fmt: skip
    if piped.returncode:
        return [f"pip does not install it: {piped.stderr.strip()[-300:]}"]
    # Only in a virtual environment headers are under include/site.
    theirs = {
        path.relative_to(venv).as_posix().replace("include/site/", "include/", 1): path
        for path in venv.rglob("*")
        if not path.is_dir() and path not in before
    }
    ours = list_package_files(prefix)
    keep = [name for name in sorted(ours.keys() | theirs.keys()) if Path(name).name not in OWN]
    return [
        f"{name}: {'only with ' + ('pip' if name in theirs else 'conda')}"
        if name not in ours or name not in theirs
        else f"{name}: other bytes"
        for name in keep
        if name not in ours or name not in theirs or read(ours[name]) != read(theirs[name])
    ]


async def link(channels: Sequence[Path], prefix: Path, cache: Path) -> None:
    """Link every package of the channels, without solving."""
    subdir = find_subdir(sys.platform, sysconfig.get_platform().rpartition("-")[2])
    gateway = Gateway(cache_dir=cache)
    records = {}
    for channel in channels:
        named = await gateway.names(
            [Channel(channel.as_uri())], [Platform(subdir), Platform("noarch")]
        )
        found = await gateway.query(
            [Channel(channel.as_uri())],
            [Platform(subdir), Platform("noarch")],
            [name.source for name in named],
            recursive=False,
        )
        records |= {one.name.source: one for part in found for one in part}
    await install(
        list(records.values()), target_prefix=prefix, cache_dir=cache, show_progress=False
    )


def list_package_files(prefix: Path) -> dict[str, Path]:
    """List the files of the prefix that are not from the channel of Python."""
    import json

    found = {}
    for record in (prefix / "conda-meta").glob("*.json"):
        value = json.loads(record.read_text(encoding="utf-8"))
        if value["name"] not in ("pip", "python", "python_abi"):
            found |= {name: prefix / name for name in value["files"] if not name.endswith(".pyc")}
    return found


def read(path: Path) -> bytes:
    content = path.read_bytes()
    is_script = path.parent.name == "bin" and content.startswith(b"#!")
    return b"" if is_script else content


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    main()
