"""The next version of any project: the literal, replaced wherever the project writes it."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import Version

from twofold.errors import TwofoldError

#: Where projects keep their version, relative to the root; PKG-INFO for sdists whose version
#: came from git and is read back from there.
PLACES = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "PKG-INFO",
    "VERSION",
    "*.py",
    "*/*.py",
    "src/*.py",
    "src/*/*.py",
)
#: Larger files are data, not the place of a version (bytes).
LARGEST = 1 << 20


def next_version(version: str) -> str:
    """The next release: the last number of the release segment, one higher."""
    parsed = Version(version)
    release = [*parsed.release[:-1], parsed.release[-1] + 1]
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    return epoch + ".".join(map(str, release))


def write_next_version(root: Path, version: str) -> str:
    """Replace `version` by the next one in the project's files and return it.

    Only lines that speak of a version are touched. Raises TwofoldError when the project
    nowhere writes its version down.
    """
    new = next_version(version)
    literal = re.compile(
        rb"""(?im)^(?P<head>[^\n]*version[^\n]*?[\s"'=:])?"""
        + re.escape(version.encode())
        + rb"""(?P<tail>["'\s]|$)"""
    )
    changed = False
    for path in _candidates(root):
        data = path.read_bytes()
        whole = path.name == "VERSION"

        def swap(match: re.Match[bytes], whole: bool = whole) -> bytes:
            if match["head"] is None and not whole:
                return match[0]
            return (match["head"] or b"") + new.encode() + match["tail"]

        replaced = literal.sub(swap, data)
        if replaced != data:
            path.write_bytes(replaced)
            changed = True
    if not changed:
        raise TwofoldError(
            f"no file of the project writes its version {version} down",
            "the tour needs a second version to publish; give it a project with a static version",
            str(root),
        )
    return new


def _candidates(root: Path) -> list[Path]:
    found = {path for pattern in PLACES for path in root.glob(pattern)}
    return sorted(path for path in found if path.is_file() and path.stat().st_size <= LARGEST)
