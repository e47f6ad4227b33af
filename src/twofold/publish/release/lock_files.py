"""The project's own entries in lock files: uv.lock and pixi.lock hold its version too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from twofold.names import normalize_name
from twofold.publish.release.version_place import VersionPlace, read_text


def find_locked(root: Path, name: str) -> Iterator[VersionPlace]:
    """The project's own entry in uv.lock and pixi.lock, here or in a folder above."""
    for folder in (root, *root.parents):
        for lock in ("uv.lock", "pixi.lock"):
            if (folder / lock).is_file():
                find = _find_uv_entry if lock == "uv.lock" else _find_pixi_entry
                yield from find(folder / lock, root, name)
        if (folder / ".git").exists():
            return


def _find_uv_entry(lock: Path, root: Path, name: str) -> Iterator[VersionPlace]:
    text = read_text(lock)
    for block in re.finditer(r"^\[\[package\]\]\r?\n(?:(?!\[\[).*\r?\n?)*", text, re.M):
        source = re.search(r'^source = \{ (\w+) = "([^"]*)"', block[0], re.M)
        named = re.search(r'^name = "([^"]*)"', block[0], re.M)
        version = re.search(r'^version = "(?P<version>[^"]*)"', block[0], re.M)
        if not (version and named and normalize_name(named[1]) == normalize_name(name)):
            continue
        is_local = source is not None and source[1] in ("editable", "virtual", "directory")
        if source is None or (is_local and _is_same_folder(lock.parent / source[2], root)):
            start = block.start() + version.start("version")
            yield VersionPlace(lock, text, start, start + len(version["version"]))


def _find_pixi_entry(lock: Path, root: Path, name: str) -> Iterator[VersionPlace]:
    """Version and content hash; the hash is that of pyproject.toml, which changes with it."""
    text = read_text(lock)
    for block in re.finditer(r"^- pypi: (\S+)\r?\n(?:[ \t]+.*\r?\n?)*", text, re.M):
        named = re.search(r"^[ \t]+name: (\S+)", block[0], re.M)
        version = re.search(r"""^[ \t]+version: ["']?(?P<version>[^"'\s]+)""", block[0], re.M)
        if "://" in block[1] or not (named and version):
            continue
        if normalize_name(named[1]) == normalize_name(name) and _is_same_folder(
            lock.parent / block[1], root
        ):
            start = block.start() + version.start("version")
            yield VersionPlace(lock, text, start, start + len(version["version"]))


def compute_pixi_hash(pyproject: str) -> str:
    """The hash pixi keeps of a local project: its pyproject.toml with `\\n` line ends."""
    return hashlib.sha256("\n".join(pyproject.splitlines()).encode()).hexdigest()


def _is_same_folder(folder: Path, root: Path) -> bool:
    return folder.resolve() == root.resolve()
