"""Writes wheels (PEP 427), editable ones too (PEP 660)."""

from __future__ import annotations

import os

from twofold_build.archive import to_content
from twofold_build.metadata import TAG
from twofold_build.zip_writer import ZipWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.archive import Content
    from twofold_build.plan import BuildPlan


def format_wheel_filename(stem: str) -> str:
    """Return the file name of the wheel (PEP 427)."""
    return f"{stem}-{TAG}.whl"


def make_wheel_writer(folder: str, plan: BuildPlan) -> ZipWriter:
    """Return a writer of the plan's wheel in `folder`."""
    return ZipWriter(os.path.join(folder, format_wheel_filename(plan.project.file_stem)), plan.when)


def make_editable(plan: BuildPlan) -> None:
    """Turn the plan of a wheel into that of an editable one: the modules stay in place.

    A static .pth names the folder imports start from: Pylance, mypy and other static readers
    understand a plain path, and no code runs at start-up.

    Data, scripts, licences and SBOM files (all below .data and .dist-info) are still packed. So is
    what [tool.twofold.wheel.paths] places, unless its path ends with its place, so that a plain
    path shows it too.
    """
    stem = plan.project.file_stem
    sources = list(plan.selection.sources)
    packed = [f"{stem}.data", f"{stem}.dist-info"]
    for placement in plan.project.settings.placements:
        if placement.kind:
            continue
        source = f"/{placement.path}".removesuffix(f"/{placement.place}")
        if not placement.place or len(source) <= len(placement.path):
            sources.append(source.strip("/"))
        else:
            packed.append(placement.place)
    for file in plan.selection.files:
        file.wheel = [path for path in file.wheel if _is_in_any(path, packed)]
    folders = [os.path.join(plan.project.root, s).rstrip("/\\") for s in dict.fromkeys(sources)]
    if folders:
        lines = "".join(f"{folder}\n" for folder in folders)
        plan.root_files[f"_{stem.rpartition('-')[0]}.pth"] = lines.encode()


def _is_in_any(path: str, places: list[str]) -> bool:
    """Whether a path is one of the places or below one."""
    return any(path == p or path.startswith(f"{p}/") for p in places)


def point_at_installer(content: Content) -> Content:
    """Return a script whose first line names a Python with `#!python` instead.

    Installers put the interpreter of the environment there (PEP 427).
    """
    line, newline, rest = content.data.partition(b"\n")
    words = line[2:].split() if line.startswith(b"#!") else []
    if words[:1] in ([b"python"], [b"pythonw"]):
        return content
    names = [word.rpartition(b"/")[2] for word in words]
    if names[:2] == [b"env", b"-S"]:
        del names[:2], words[:2]
    elif names[:1] == [b"env"]:
        del names[:1], words[:1]
    plain = names[0].rstrip(b"0123456789.") if names else b""
    if plain not in (b"python", b"pythonw"):
        return content
    return to_content(b" ".join([b"#!" + plain, *words[1:]]) + newline + rest)
