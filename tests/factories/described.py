"""Wheels and conda packages that describe themselves: summaries, keywords, licenses."""

from __future__ import annotations

from pathlib import Path

from tests.factories.artifacts import write_conda
from tests.factories.packages import record, zip_bytes
from twofold.conda_metadata import CondaPackage
from twofold.names import escape_for_filename


def make_described_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    text: str = "",
    tag: str = "py3-none-any",
    **fields: str,
) -> Path:
    """A wheel whose METADATA has these fields (`Summary="..."`, `License_Expression="..."`)."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = escape_for_filename(name)
    info = f"{plain}-{version}.dist-info"
    head = {"Metadata-Version": "2.4", "Name": name, "Version": version}
    head.update({key.replace("_", "-"): value for key, value in fields.items()})
    lines = [f"{key}: {part}" for key, value in head.items() for part in value.split("\n")]
    message = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if not tag.endswith("any"):
        message = message.replace("true", "false")
    members = {
        f"{plain}/__init__.py": b"x = 1\n",
        f"{info}/METADATA": ("\n".join(lines) + f"\n\n{text}\n").encode(),
        f"{info}/WHEEL": message.encode(),
    }
    members[f"{info}/RECORD"] = record(members, f"{info}/RECORD")
    path = folder / f"{plain}-{version}-{tag}.whl"
    path.write_bytes(zip_bytes(members))
    return path


def make_described_conda(
    folder: Path, name: str, version: str = "1.0", depends: tuple[str, ...] = (), **about: str
) -> Path:
    """A noarch package whose info/about.json has these values."""
    folder.mkdir(parents=True, exist_ok=True)
    package = CondaPackage(
        name, version, build="0", noarch="generic", depends=list(depends), about=dict(about)
    )
    return write_conda(folder, package, {f"share/{name}.txt": version.encode()})
