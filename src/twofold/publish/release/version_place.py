"""A version in a file: its place in the text, and how places are found in texts of any format."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from twofold.errors import Problem, ProjectErrors

#: `NAME = "1.0"`, with or without an annotation.
ASSIGNED = r"""^{name}\s*(?::[^=\n]+)?=\s*(["'])(?P<version>[^"'\n]+)\1"""

#: Phase of PEP 440 -> its name in Cargo.toml and package.json, whose versions are of SemVer.
_PHASES = {"a": "alpha", "b": "beta", "rc": "rc"}


@dataclass(frozen=True)
class VersionPlace:
    """The version at `text[start:end]` of a file.

    `is_own`: it is changed whatever it is. `form` is how it is written: `semver` as Cargo and npm
    have it (1.2.0-rc.1), `tuple` as parts of a tuple of Python (1, 2, 0).
    """

    path: Path
    text: str
    start: int
    end: int
    is_own: bool = False
    form: str = ""

    @property
    def version(self) -> str:
        """The version that is written there."""
        written = self.text[self.start : self.end]
        if self.form == "tuple":
            return ".".join(part.strip().strip("\"'") for part in written.split(","))
        if self.form == "semver":
            try:
                return str(Version(written))
            except InvalidVersion:
                return written
        return written

    def render(self, version: str) -> str:
        """Write another version in the form of the place."""
        if self.form == "tuple":
            parts = version.split(".")
            return ", ".join(part if part.isdigit() else f'"{part}"' for part in parts)
        return _to_semver(Version(version)) if self.form == "semver" else version


def _to_semver(version: Version) -> str:
    """SemVer has three numbers; what follows a hyphen comes before the release (SemVer 2.0, 9)."""
    numbers = ".".join(map(str, [*version.release, 0, 0][: max(3, len(version.release))]))
    marks = [f"{_PHASES[version.pre[0]]}.{version.pre[1]}"] if version.pre else []
    marks += [f"post.{version.post}"] if version.post is not None else []
    marks += [f"dev.{version.dev}"] if version.dev is not None else []
    return "-".join([numbers, ".".join(marks)]) if marks else numbers


def read_text(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 and line ends stay what they are."""
    return path.read_bytes().decode("utf-8", errors="surrogateescape")


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Parse a file's text; raises ProjectErrors if it is not valid TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "correct it: 'twofold check' names the line"
        raise ProjectErrors([Problem(f"it is not valid TOML: {error}", hint, path.name)]) from error


def search(files: Iterable[Path], pattern: re.Pattern[str], form: str = "") -> list[VersionPlace]:
    """The first match of each file: its group `version` or `value`, or the last one."""
    found = []
    for path in files:
        text = read_text(path) if path.is_file() else ""
        match = pattern.search(text)
        if match:
            named = [name for name in ("version", "value") if name in pattern.groupindex]
            group: str | int = named[0] if named else pattern.groups
            found.append(VersionPlace(path, text, match.start(group), match.end(group), form=form))
    return found


def find_in_file(path: Path) -> list[VersionPlace]:
    """The whole text of a file without the space around it."""
    text = read_text(path)
    start = len(text) - len(text.lstrip())
    return [VersionPlace(path, text, start, start + len(text.strip()))]


def find_toml(path: Path, keys: Sequence[str], form: str = "") -> list[VersionPlace]:
    """The text of a string value of a TOML file, in whatever form of TOML it is written."""
    text = read_text(path)
    return _find_value(path, text, parse_toml(path, text), tomllib.loads, keys, form)


def find_json(path: Path, keys: Sequence[str], form: str = "") -> list[VersionPlace]:
    """The text of a string value of a JSON file; nothing in one that is not valid."""
    if not path.is_file():
        return []
    text = read_text(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return _find_value(path, text, document, json.loads, keys, form)


def _find_value(
    path: Path,
    text: str,
    document: Any,
    parse: Callable[[str], Any],
    keys: Sequence[str],
    form: str,
) -> list[VersionPlace]:
    """The part of the text that changes the value if it is replaced."""
    value = look_up(document, keys)
    if not isinstance(value, str) or not value:
        return []
    other = f"{value}.other"
    for match in re.finditer(re.escape(value), text):
        start, end = match.span()
        try:
            changed = parse(f"{text[:start]}{other}{text[end:]}")
        except ValueError:  # a number or a key, for example
            continue
        if look_up(changed, keys) == other:
            return [VersionPlace(path, text, start, end, form=form)]
    return []


def look_up(document: Any, keys: Sequence[str]) -> Any:
    """The value below these keys of nested tables; None without one."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def get_table(document: Any, *keys: str) -> dict[str, Any]:
    """The table below these keys; an empty one where something else is written."""
    value = look_up(document, keys)
    return value if isinstance(value, dict) else {}


def get_text(document: Any, *keys: str) -> str:
    """The string below these keys; '' where something else is written."""
    value = look_up(document, keys)
    return value if isinstance(value, str) else ""


def get_texts(document: Any, *keys: str) -> list[str]:
    """The strings of a list below these keys, or the one string there."""
    value = look_up(document, keys)
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str)]


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern of the user's; None for one that Python's `re` does not read."""
    try:
        return re.compile(pattern, re.M)
    except (re.error, RecursionError, OverflowError):
        return None
