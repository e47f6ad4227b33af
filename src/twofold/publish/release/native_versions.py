"""Versions in the files of build systems for compiled code: Cargo, Meson, CMake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twofold.publish.release.version_place import (
    VersionPlace,
    compile_pattern,
    find_in_file,
    find_toml,
    get_table,
    get_text,
    look_up,
    parse_toml,
    read_text,
    search,
)

#: `version` of `project(...)` of meson.build: a string, or the file that has it.
#: The first call counts: of others meson knows nothing.
_MESON = (
    r"(?ms)\A(?>.*?^[ \t]*+project\s*\()"
    r"(?:[^()'\[]|'[^'\n]*'|\([^()]*\)|\[[^\]]*\])*?\bversion\s*:\s*"
)
_MESON_STRING = re.compile(_MESON + r"'(?P<version>[^'\n]+)'")
_MESON_FILE = re.compile(_MESON + r"files\(\s*'(?P<file>[^'\n]+)'")

#: scikit-build-core's own pattern.
_SCIKIT_BUILD = r"""(?i)^(__version__|VERSION)(?: ?\: ?str)? *= *(['"])v?(?P<value>.+?)\2"""


def find_native(root: Path, tool: dict[str, Any]) -> list[VersionPlace]:
    """The version of the first of these that the project has."""
    return _find_scikit_build(root, tool) or _find_cargo(root, tool) or _find_meson(root)


def _find_scikit_build(root: Path, tool: dict[str, Any]) -> list[VersionPlace]:
    """The file and pattern of `provider = "scikit_build_core.metadata.regex"`."""
    settings = get_table(tool, "scikit-build", "metadata", "version")
    if not get_text(settings, "provider").endswith(".regex"):
        return []
    file = get_text(settings, "input")
    pattern = compile_pattern(get_text(settings, "regex") or _SCIKIT_BUILD)
    return search([root / file], pattern) if file and pattern else []


def _find_cargo(root: Path, tool: dict[str, Any]) -> list[VersionPlace]:
    """maturin's Cargo.toml, whose version may be that of the workspace above it."""
    cargo = root / (get_text(tool, "maturin", "manifest-path") or "Cargo.toml")
    if not cargo.is_file():
        return []
    places = find_toml(cargo, ("package", "version"), "semver")
    document = parse_toml(cargo, read_text(cargo))
    if places or look_up(document, ("package", "version", "workspace")) is not True:
        return places
    for folder in cargo.parents:
        above = folder / "Cargo.toml"
        keys = ("workspace", "package", "version")
        if above.is_file() and (found := find_toml(above, keys, "semver")):
            return found
        if (folder / ".git").exists():
            break
    return []


def _find_meson(root: Path) -> list[VersionPlace]:
    meson = root / "meson.build"
    if not meson.is_file():
        return []
    if found := search([meson], _MESON_STRING):
        return found
    named = _MESON_FILE.search(read_text(meson))
    file = root / named["file"] if named else root
    return find_in_file(file) if file.is_file() else []


def find_cargo_lock(places: list[VersionPlace]) -> Iterator[VersionPlace]:
    """The entries of Cargo.lock that are of this project: of no registry, with its version."""
    for place in places:
        if place.path.name != "Cargo.toml":
            continue
        lock = next(
            (one / "Cargo.lock" for one in place.path.parents if (one / "Cargo.lock").is_file()),
            None,
        )
        if lock is not None:
            yield from _find_own_entries(lock, place)


def _find_own_entries(lock: Path, place: VersionPlace) -> Iterator[VersionPlace]:
    text = read_text(lock)
    for block in re.finditer(r"^\[\[package\]\]\r?\n(?:(?!\[\[).*\r?\n?)*", text, re.M):
        version = re.search(r'^version = "(?P<version>[^"]*)"', block[0], re.M)
        is_fetched = re.search(r"^source = ", block[0], re.M) is not None
        written = place.text[place.start : place.end]
        if version and not is_fetched and version["version"] == written:
            start = block.start() + version.start("version")
            yield VersionPlace(lock, text, start, start + len(written), form="semver")
