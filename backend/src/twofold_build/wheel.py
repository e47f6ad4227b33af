"""Writes wheels (PEP 427)."""

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
