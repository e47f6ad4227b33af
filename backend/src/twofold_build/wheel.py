"""Writes wheels (PEP 427), editable ones too (PEP 660)."""

from __future__ import annotations

import os

from twofold_build.metadata import TAG
from twofold_build.zip_writer import ZipWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
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

    Data, scripts, licences and SBOM files (all below .data and .dist-info) are still packed.
    """
    stem = plan.project.file_stem
    inside = (f"{stem}.data/", f"{stem}.dist-info/")
    for file in plan.selection.files:
        file.wheel = [path for path in file.wheel if path.startswith(inside)]
    source = os.path.join(plan.project.root, plan.selection.source).rstrip("/\\")
    plan.root_files[f"_{stem.rpartition('-')[0]}.pth"] = f"{source}\n".encode()
