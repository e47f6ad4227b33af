"""The proof of conversion: popular packages converted with their closures, installed, imported.

python -m tests.convert.popular     proves the whole list and writes the table of results
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from twofold.index.folder import index_folder
from twofold.install.conda import install_into_prefix
from twofold.install.repack_python import repack_python

ROOT = Path(__file__).parent.parent.parent
TABLE = ROOT / "docs" / "explanation" / "converted-packages.md"
HEAD = """\
# A hundred packages converted

The hundred most downloaded projects of PyPI that have wheels, as the project keeps them in
`tests/convert/popular.txt`: each converted with its whole closure by `twofold convert NAME
--with-deps`, solved and installed by py-rattler into a fresh environment from nothing but the
converted packages and this machine's Python, and imported there. Five of them are tried in every
run of the tests; `python -m tests.convert.popular` tries all and writes this page.

The list leaves out soupsieve, which cannot be imported after `pip install` either: it needs bs4 and
does not say so.

"""


@dataclass(frozen=True)
class InstallProof:
    """One package's way: seconds to convert what was new of its closure, and to install all."""

    name: str
    version: str
    closure: int
    size: int
    convert: float
    install: float
    failure: str = ""


def read_list() -> dict[str, str]:
    """Project -> module to import."""
    lines = Path(__file__).with_name("popular.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(" ") for line in lines if not line.startswith("#"))
    return {name: module or name for name, _, module in pairs}


def python_channel(folder: Path) -> Path:
    repack_python(folder)
    index_folder(folder)
    return folder


def install_and_import(
    name: str, module: str, channel: Path, python: Path, work: Path
) -> InstallProof:
    """Convert, solve, install, import; raises with the reason when one of them fails."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "twofold", "convert", name, "--with-deps", "--json"]
    done = subprocess.run(
        [*command, "--out", str(channel)], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    packages = json.loads(done.stdout)["packages"]
    converted = time.perf_counter()
    (own,) = [p for p in packages if p["wheel"].lower().startswith(name.replace("-", "_") + "-")]
    prefix = work / name
    install_into_prefix(
        [f"{own['name']} =={own['version']}"], [channel, python], prefix, cache=work / "cache"
    )
    installed = time.perf_counter()
    subprocess.run(
        [prefix / "bin" / "python", "-c", f"import {module}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return InstallProof(
        name,
        own["version"],
        len(packages),
        own["size"],
        converted - start,
        installed - converted,
    )


def main() -> int:
    proven = []
    with tempfile.TemporaryDirectory(prefix="twofold-popular-") as folder:
        work = Path(folder)
        python = python_channel(work / "python")
        for name, module in read_list().items():
            try:
                one = install_and_import(name, module, work / "channel", python, work)
            except Exception as error:  # noqa: BLE001  (told in the table, and by the exit code)
                message = getattr(error, "stderr", "") or str(error)
                one = InstallProof(name, "", 0, 0, 0.0, 0.0, message.strip().splitlines()[-1][:120])
            proven.append(one)
            print(one, flush=True)
    TABLE.write_text(HEAD + format_table(proven), encoding="utf-8")
    return 1 if any(one.failure for one in proven) else 0


def format_table(proven: list[InstallProof]) -> str:
    good = sum(not one.failure for one in proven)
    lines = [
        f"{good} of {len(proven)} on CPython {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}.",
        "",
        "`closure` counts packages, `bytes` are the package's own, `convert` is for what was new.",
        "",
        "| package | version | closure | bytes | convert s | install s | imported |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.version} | {one.closure} | {one.size:,} | {one.convert:.1f} "
        f"| {one.install:.1f} | {one.failure or 'yes'} |"
        for one in proven
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
