"""What a wheel holds beside the project's own files (PEP 427, 491, 376)."""

from __future__ import annotations

import os
from binascii import b2a_base64

from twofold_build.archive import Content
from twofold_build.zip_writer import ZipWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.build import BuildPlan

TAG = "py3-none-any"
#: The compressor is not named here: the file's bytes may differ with it, its content may not.
WHEEL = f"""\
Wheel-Version: 1.0
Generator: twofold-build
Root-Is-Purelib: true
Tag: {TAG}
""".encode()


class Record:
    """RECORD, line by line: path, SHA-256 and size of everything else in the wheel."""

    def __init__(self, stem: str) -> None:
        self._own = f"{stem}.dist-info/RECORD"
        self._lines: list[str] = []

    def add(self, path: str, content: Content) -> None:
        self._lines.append(format_record_line(path, content.sha256, len(content.data)))

    def render(self) -> bytes:
        return ("".join(self._lines) + f"{self._own},,\n").encode()


def format_record_line(path: str, sha256: bytes, size: int) -> str:
    """A file's line in RECORD; `sha256` is raw, `size` in bytes."""
    digest = b2a_base64(sha256, newline=False).rstrip(b"=").decode()
    digest = digest.replace("+", "-").replace("/", "_")
    if "," in path or '"' in path:
        path = '"' + path.replace('"', '""') + '"'
    return f"{path},sha256={digest},{size}\n"


def format_wheel_filename(stem: str) -> str:
    return f"{stem}-{TAG}.whl"


def make_wheel_writer(folder: str, plan: BuildPlan) -> ZipWriter:
    """A writer of the plan's wheel in `folder`."""
    return ZipWriter(os.path.join(folder, format_wheel_filename(plan.project.file_stem)), plan.when)
