"""Read a wheel of the project's own backend, for values that a program computes."""

from __future__ import annotations

import configparser
import re
import zipfile
from collections.abc import Iterable
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Any

from twofold.new.migrate.facts import (
    CommentedRequirement,
    Facts,
    find_readme,
    is_covered,
    parse_person,
    propose_readme,
    shorten,
)
from twofold.new.migrate.setuptools_settings import propose_entry_points
from twofold.new.migrate.wheel_diff import normalize_value
from twofold_build.version import read_assigned_version

_ENTRY_POINTS = ("scripts", "gui-scripts", "entry-points")
_EXTRA = r"extra == ['\"][^'\"]+['\"]"
_EXTRAS = re.compile(rf"(?:(?<!\s)\s++and\s+)?\(?{_EXTRA}(?: or {_EXTRA})*\)?(?:\s+and\s+)?")
#: The origin reported for values from a wheel.
ORIGIN = "its own backend"


def read_wheel(facts: Facts, root: Path, wheel: Path) -> None:
    """Fill in the [project] keys that could not be read, and which modules are packed."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(archive.read(info).decode("utf-8"))
        points = info.replace("METADATA", "entry_points.txt")
        text = archive.read(points).decode() if points in names else ""
    values = _convert_metadata(metadata)
    for line in (
        values["invalid"] if {"dependencies", "optional-dependencies"} & set(facts.unread) else ()
    ):
        facts.drop(ORIGIN, f"Requires-Dist: {line}", "it is no requirement of PEP 508")
    keys = [*facts.unread, *(k for k in ("name", "version") if k not in facts.project)]
    if not set(_ENTRY_POINTS).isdisjoint(keys):
        keys += [key for key in _ENTRY_POINTS if key not in keys]
    previous = {
        key: (facts.project.pop(key), facts.origins.get(key, ""))
        for key in keys
        if key in facts.project
    }
    for key in keys:
        if key == "version":
            _propose_version(facts, root, str(values["version"]), names)
        elif key == "readme":
            _propose_readme(facts, root, metadata)
        elif key == "license" and isinstance(values[key], dict):
            facts.propose_license(values[key]["text"], ORIGIN)
        else:
            facts.propose(key, values.get(key), ORIGIN)
    if "entry-points" in keys:
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        propose_entry_points(facts, {g: dict(parser[g]) for g in parser.sections()}, ORIGIN)
    for key, (value, origin) in previous.items():
        _reconcile(facts, key, value, origin)
    found = sorted(find_packed_modules(names))
    facts.packs_nothing = not found
    facts.packages = found or facts.packages
    facts.unread.clear()


def _reconcile(facts: Facts, key: str, previous: Any, origin: str) -> None:
    """Reconcile a key's value from the wheel with what was read before.

    The wheel has the whole value. What was read has the comments, and is reported where the wheel
    does not have it.
    """
    found = facts.project.get(key)
    if found is None or (key == "version" and isinstance(previous, dict)):
        facts.project[key], facts.origins[key] = previous, origin
    elif key == "urls":
        facts.project[key] = {**found, **previous}
    else:
        if isinstance(found, list):
            found = _keep_comments(previous, found)
        elif key == "optional-dependencies":
            found = {name: _keep_comments(previous.get(name, []), v) for name, v in found.items()}
        facts.project[key] = found
        if not is_covered(previous, found):
            facts.drop(origin, f"{key} = {shorten(previous)}", f"{ORIGIN} has another value")


def _keep_comments(previous: list[Any], found: list[Any]) -> list[Any]:
    """Keep each requirement as it was read before, with its comment, if it means the same."""
    held = {normalize_value("Requires-Dist", str(one)): one for one in previous}
    return [held.get(normalize_value("Requires-Dist", str(one)), one) for one in found]


def _propose_version(facts: Facts, root: Path, version: str, names: Iterable[str]) -> None:
    """Keep a version in the module that has it as `__version__`, and only there."""
    for name in sorted((n for n in names if n.endswith(".py")), key=lambda n: (n.count("/"), n)):
        for place in (f"src/{name}", name):
            file = root / place
            if file.is_file() and read_assigned_version(file.read_bytes()) == version:
                facts.propose("version", {"from": "module", "path": place}, ORIGIN)
                return
    facts.propose("version", version, ORIGIN)


def find_packed_modules(names: Iterable[str]) -> set[str]:
    """Find a wheel's importable names, dotted below folders without an `__init__.py`."""
    paths = [PurePosixPath(name) for name in names]
    inits = {path.parent for path in paths if path.name in ("__init__.py", "__init__.pyi")}
    found = set()
    for path in paths:
        if path.suffix not in (".py", ".pyi") or ".data/" in str(path):
            continue
        folders = [p for p in reversed(path.parents) if str(p) != "."]
        package = next((folder for folder in folders if folder in inits), None)
        if package is None:
            package = path.with_suffix("") if not folders else folders[-1]
        found.add(".".join(package.parts))
    return found


def _propose_readme(facts: Facts, root: Path, metadata: Message) -> None:
    """Propose the file with the description's text; if composed, the usual file with a remark."""
    body = metadata.get_payload()
    text = body if isinstance(body, str) and body.strip() else str(metadata.get("Description", ""))
    if not text.strip():
        return
    name = find_readme(root, text)
    if not name:
        name = find_readme(root)
        shown = f"the readme is {name} alone now" if name else "no readme is there"
        facts.drop(facts.unread.get("readme", ORIGIN), "a readme composed by a program", shown)
    if name:
        propose_readme(
            facts, root, [name], ORIGIN, str(metadata.get("Description-Content-Type", ""))
        )


def _convert_metadata(metadata: Message) -> dict[str, Any]:
    """Convert METADATA to the keys of [project]; `invalid` are the lines that PEP 508 forbids."""

    def one(header: str) -> str:
        return str(metadata.get(header, "") or "").strip()

    def every(header: str) -> list[str]:
        return [str(value).strip() for value in metadata.get_all(header, [])]

    urls = dict(_parse_url(line) for line in every("Project-URL"))
    for header, label in (("Home-page", "Homepage"), ("Download-URL", "Download")):
        if one(header):
            urls.setdefault(label, one(header))
    dependencies, extras, invalid = _split_requirements(
        every("Requires-Dist"), every("Provides-Extra")
    )
    return {
        "name": one("Name"),
        "version": one("Version"),
        "description": one("Summary"),
        "requires-python": one("Requires-Python"),
        "license": one("License-Expression")
        or ({"text": one("License")} if one("License") else None),
        "authors": _make_people(one("Author"), one("Author-email")),
        "maintainers": _make_people(one("Maintainer"), one("Maintainer-email")),
        "keywords": [word.strip() for word in one("Keywords").split(",") if word.strip()],
        "classifiers": every("Classifier"),
        "urls": urls,
        "dependencies": dependencies,
        "optional-dependencies": extras,
        "invalid": invalid,
    }


def _parse_url(line: str) -> tuple[str, str]:
    label, _, address = line.partition(",")
    return label.strip(), address.strip()


def _make_people(names: str, emails: str) -> list[dict[str, str]]:
    named = [parse_person(part) for part in emails.split(",") if part.strip()]
    if names and named and all("name" not in one for one in named) and len(named) == 1:
        return [{"name": names, **named[0]}]
    return ([{"name": names}] if names else []) + named


def _split_requirements(
    lines: list[str], provided: list[str]
) -> tuple[list[CommentedRequirement], dict[str, list[CommentedRequirement]], list[str]]:
    """Split Requires-Dist by `extra ==`, which PEP 621 expresses as the table's key.

    The lines that PEP 508 does not allow come last: poetry-core writes alternatives as `||`.
    """
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    needed: list[CommentedRequirement] = []
    extras: dict[str, list[CommentedRequirement]] = {name: [] for name in provided}
    invalid: list[str] = []
    for line in lines:
        try:
            parsed = Parsed(line)
        except InvalidRequirement:
            invalid.append(line)
            continue
        marker = str(parsed.marker) if parsed.marker else ""
        names, rest = _split_extras(marker)
        parsed.marker = None
        plain = str(parsed)
        text = f"{plain}{' ' if parsed.url else ''}; {rest}" if rest else plain
        for held in [extras.setdefault(name, []) for name in names] or [needed]:
            held.append(CommentedRequirement.with_comment(text))
    return needed, extras, invalid


def _split_extras(marker: str) -> tuple[list[str], str]:
    """Split `python_version < "3.11" and extra == "a"`: (["a"], 'python_version < "3.11"').

    poetry-core writes one line for several extras: `(extra == "a" or extra == "b")`.
    """
    found = _EXTRAS.search(marker)
    if not found:
        return [], marker
    rest = f"{marker[: found.start()]} {marker[found.end() :]}".strip()
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1]
    return re.findall(r"['\"]([^'\"]+)['\"]", found[0]), rest
