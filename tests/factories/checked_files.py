"""Built files for the rules of check: sound ones, and others with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.factories.artifacts import (
    make_wheel_files,
    write_wheel,
    write_zip,
)
from tests.formats import bad_zips

GOOD = """\
Metadata-Version: 2.4
Name: my_package
Version: 1.0.0
Summary: A sample
License-Expression: MIT
Requires-Python: >=3.9
Description-Content-Type: text/markdown

# my_package
"""


DIST_INFO = "my_package-1.0.0.dist-info"


KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZ\n" * 3


def wheel(files: dict[str, bytes] | None = None, **fields: str) -> Callable[[Path], Path]:
    """A wheel with these files; `fields` are put into or replace those of its metadata."""

    def make(folder: Path) -> Path:
        return write_wheel(folder, files, with_fields(**fields))

    return make


def with_fields(**fields: str) -> str:
    head, _, body = GOOD.partition("\n\n")
    lines = head.splitlines()
    for name, value in fields.items():
        key = name.replace("_", "-")
        lines = [line for line in lines if not line.startswith(f"{key}:")]
        lines += [f"{key}: {value}"] if value else []
    return "\n".join(lines) + "\n\n" + body


def lie(name: str) -> Callable[[Path], Path]:
    """One of the crafted zips of the formats' tests."""

    def make(folder: Path) -> Path:
        path = folder / "my_package-1.0.0-py3-none-any.whl"
        path.write_bytes(bad_zips.BAD_ZIPS[name][0]())
        return path

    return make


def unlisted(folder: Path) -> Path:
    files = make_wheel_files(metadata=GOOD)
    record = files.pop(f"{DIST_INFO}/RECORD")
    files["my_package/extra.py"] = b"x = 1\n"
    return write_zip(
        folder / "my_package-1.0.0-py3-none-any.whl", files | {f"{DIST_INFO}/RECORD": record}
    )
