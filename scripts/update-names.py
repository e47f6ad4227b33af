"""Make src/twofold/names/conda_forge*.txt anew from conda-pypi's wheel, fetched by pip."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAMES = Path(__file__).parent.parent / "src" / "twofold" / "names"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder, "conda-pypi"]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            table = json.loads(wheel.read("conda_pypi/grayskull_pypi_mapping.json"))
            licence = next(n for n in wheel.namelist() if n.endswith(".dist-info/licenses/LICENSE"))
            (NAMES / "LICENSE.conda-pypi").write_bytes(wheel.read(licence))
    lines = sorted({line for record in table.values() if (line := format_line(record))})
    head = "# pypi conda imported; '=' says the same (see README.md)\n"
    text = head + "".join(f"{line}\n" for line in lines)
    (NAMES / "conda_forge.txt").write_text(text, encoding="utf-8", newline="\n")
    same = sorted({name for record in table.values() if (name := find_same_name(record))})
    head = "# the same in both worlds, and imported under that name (see README.md)\n"
    text = head + "".join(f"{name}\n" for name in same)
    (NAMES / "conda_forge_same.txt").write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(lines)} names, {len(same)} more that are the same")


def format_line(record: dict[str, str]) -> str:
    """The table's line for one project, or '' where its names follow from each other."""
    pypi = re.sub(r"[-_.]+", "-", record["pypi_name"]).lower()
    if re.fullmatch(r"[0-9a-f]{50,}", pypi):  # hashes that slipped into the source
        return ""
    conda = "=" if record["conda_name"] == pypi else record["conda_name"]
    imported = record["import_name"]
    if not imported or imported == pypi.replace("-", "_"):
        imported = "="
    if conda == imported == "=" and "-" not in pypi:
        return ""
    return f"{pypi} {conda} {imported}"


def find_same_name(record: dict[str, str]) -> str:
    """A plain word that `line_of` leaves out because it is the same everywhere, else ''."""
    pypi = re.sub(r"[-_.]+", "-", record["pypi_name"]).lower()
    return "" if format_line(record) or re.fullmatch(r"[0-9a-f]{50,}", pypi) else pypi


if __name__ == "__main__":
    main()
