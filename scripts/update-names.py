"""Renew src/twofold/names/conda_forge*.txt.

    python scripts/update-names.py [--outputs FOLDER]

The table is conda-pypi's, whose wheel pip fetches. What it does not list comes from
conda-forge-outputs.tsv beside this file: conda-forge's outputs that are equal to a project's name
after PEP 503's normalization, such as jupyter_core. `--outputs` renews that file from a copy of
conda-forge/feedstock-outputs, in which each output is a file `outputs/j/u/p/jupyter_core.json`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

SCRIPTS = Path(__file__).parent
NAMES = SCRIPTS.parent / "src" / "twofold" / "names"
OUTPUTS = SCRIPTS / "conda-forge-outputs.tsv"
HEAD = """\
# PyPI's name and conda-forge's, from conda-forge/feedstock-outputs: outputs that are equal to a
# project's name by PEP 503 and that conda-pypi's table does not list.
"""

#: Import names that the table has wrong, by the files of the wheel.
IMPORT_NAMES = {"tables": "tables"}
#: Names that the table has of archived feedstocks; conda-forge's present recipe has another.
CONDA_NAMES = {"couchdb": "couchdb-python"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--outputs", type=Path, help="a copy of conda-forge/feedstock-outputs")
    given = arguments.parse_args()
    table = fetch_table()
    known = {normalize(record["pypi_name"]) for record in table.values()}
    if given.outputs:
        names = (file.stem for file in given.outputs.rglob("*.json"))
        found = find_unlike_names(names, known)
        OUTPUTS.write_text(HEAD + "".join(f"{pypi}\t{conda}\n" for pypi, conda in found.items()))
    lines = {line for record in table.values() if (line := format_line(record))}
    lines |= {format_line(record) for record in read_outputs(known)}
    head = "# pypi conda imported; '=' says the same (see README.md)\n"
    text = head + "".join(f"{line}\n" for line in sorted(lines))
    (NAMES / "conda_forge.txt").write_text(text, encoding="utf-8", newline="\n")
    same = sorted({name for record in table.values() if (name := find_same_name(record))})
    head = "# the same in both worlds, and imported under that name (see README.md)\n"
    text = head + "".join(f"{name}\n" for name in same)
    (NAMES / "conda_forge_same.txt").write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(lines)} names, {len(same)} more that are the same")


def fetch_table() -> dict[str, dict[str, str]]:
    """conda-pypi's table, by project; its licence is kept beside ours."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder, "conda-pypi"]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            table: dict[str, dict[str, str]] = json.loads(
                wheel.read("conda_pypi/grayskull_pypi_mapping.json")
            )
            licence = next(n for n in wheel.namelist() if n.endswith(".dist-info/licenses/LICENSE"))
            (NAMES / "LICENSE.conda-pypi").write_bytes(wheel.read(licence))
    return table


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def find_unlike_names(outputs: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Normalized name -> output, where the two differ, sorted.

    Not where the table has the project, nor where an output has the normalized name itself: then
    the other one is something else. Names that begin with a sign are no project's.
    """
    names = set(outputs)
    skipped = {*known, *names}
    found: dict[str, str] = {}
    for name in sorted(names):
        key = normalize(name)
        if key not in skipped and re.fullmatch(r"[a-z0-9].*[a-z0-9]", key):
            found.setdefault(key, name)
    return dict(sorted(found.items()))


def read_outputs(known: Iterable[str]) -> list[dict[str, str]]:
    """The records of OUTPUTS, in the form of conda-pypi's table, but for what that lists itself."""
    listed = set(known)
    records = []
    for line in OUTPUTS.read_text(encoding="utf-8").splitlines():
        pypi, _, conda = line.partition("\t")
        if not line.startswith("#") and pypi not in listed:
            # A name with dots is that of a module in a namespace package (backports.zstd).
            imported = conda if "." in conda and "-" not in conda else ""
            records.append({"pypi_name": pypi, "conda_name": conda, "import_name": imported})
    return records


def format_line(record: dict[str, str]) -> str:
    """The table's line for one project, or '' where its names follow from each other."""
    pypi = normalize(record["pypi_name"])
    if re.fullmatch(r"[0-9a-f]{50,}", pypi):  # hashes that slipped into the source
        return ""
    conda = CONDA_NAMES.get(pypi, record["conda_name"])
    conda = "=" if conda == pypi else conda
    imported = IMPORT_NAMES.get(pypi, record["import_name"])
    if not imported or imported == pypi.replace("-", "_"):
        imported = "="
    if conda == imported == "=" and "-" not in pypi:
        return ""
    return f"{pypi} {conda} {imported}"


def find_same_name(record: dict[str, str]) -> str:
    """A plain word that `format_line` leaves out because it is the same everywhere, else ''."""
    pypi = normalize(record["pypi_name"])
    return "" if format_line(record) or re.fullmatch(r"[0-9a-f]{50,}", pypi) else pypi


if __name__ == "__main__":
    main()
