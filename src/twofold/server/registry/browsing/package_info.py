"""What a file says of itself beside its metadata, as the registry keeps it for its pages."""

from __future__ import annotations

import configparser
import json
from contextlib import closing
from pathlib import Path

from twofold.formats import limits
from twofold.formats.conda_reader import parse_json, read_info
from twofold.formats.zip_archive import ZipArchive
from twofold.formats.zip_safety import ZipMember

RUN_EXPORTS, ABOUT = "info/run_exports.json", "info/about.json"

_ENTRY_POINTS = ".dist-info/entry_points.txt"

#: The most names of a kind that are kept.
MAX_NAMES = 100

#: The largest about.json that is kept (bytes); larger ones are cut down to their short values.
MAX_ABOUT = 64 << 10


def read_package_info(path: Path) -> tuple[str | None, str | None]:
    """Return a conda package's run_exports (CEP 12) and about.json as JSON, None without one.

    In place of about.json a wheel has its entry points and import names (`read_wheel_info`).
    """
    if path.name.endswith(".whl"):
        return None, read_wheel_info(path)
    if not path.name.endswith((".conda", ".tar.bz2")):
        return None, None
    found = read_info(
        path, {"info/index.json": 1 << 20, RUN_EXPORTS: 1 << 20, ABOUT: limits.METADATA}
    )
    exports, about = found.get(RUN_EXPORTS), found.get(ABOUT)
    return (
        json.dumps(parse_json(exports, path, RUN_EXPORTS)) if exports else None,
        _shorten_about(parse_json(about, path, ABOUT)) if about else None,
    )


def read_wheel_info(path: Path) -> str:
    """Return as JSON: `entry_points`, group -> names, and `import_names`, the top-level ones."""
    with closing(ZipArchive(path)) as archive:
        members = archive.members
        listed = next((name for name in members if name.endswith(_ENTRY_POINTS)), None)
        text = archive.read(listed, MAX_ABOUT) if listed and _is_small(members[listed]) else b""
    found = {
        "entry_points": _read_entry_points(text),
        "import_names": sorted(set(filter(None, map(_find_import_name, members))))[:MAX_NAMES],
    }
    return json.dumps(found)


def _is_small(member: ZipMember) -> bool:
    return member.size <= MAX_ABOUT


def _read_entry_points(text: bytes) -> dict[str, list[str]]:
    """Return group -> names of entry_points.txt; nothing of one that cannot be read."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text.decode("utf-8", "replace"))
    except configparser.Error:
        return {}
    return {group: list(parser[group])[:MAX_NAMES] for group in parser.sections()[:MAX_NAMES]}


def _find_import_name(member: str) -> str:
    """Return the top-level name under which a member of a wheel is imported; '' for none."""
    top, slash, _ = member.partition("/")
    if not member.endswith((".py", ".so", ".pyd")) or top.endswith((".dist-info", ".data")):
        return ""
    name = top if slash else top.partition(".")[0]
    return name if name.isidentifier() else ""


def _shorten_about(about: dict[str, object]) -> str:
    """Return about.json; of a large one, a recipe's environment for example, its short values."""
    text = json.dumps(about)
    if len(text) <= MAX_ABOUT:
        return text
    short = {key: value for key, value in about.items() if len(json.dumps(value)) < MAX_ABOUT // 16}
    return json.dumps(dict(list(short.items())[:16]))
