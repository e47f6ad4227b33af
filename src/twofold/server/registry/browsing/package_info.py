"""What a file says of itself beside its metadata, as the registry keeps it for its pages."""

from __future__ import annotations

import configparser
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from twofold.formats import limits
from twofold.formats.conda_reader import parse_json, read_info
from twofold.formats.zip_archive import ZipArchive
from twofold.formats.zip_safety import ZipMember
from twofold.server.pages.description import README, README_TYPE

RUN_EXPORTS, ABOUT = "info/run_exports.json", "info/about.json"

#: Where conda-build puts the file that `about/readme` of a recipe names -> its media type.
READMES = {
    "info/README.md": "text/markdown",
    "info/README.rst": "text/x-rst",
    "info/README": "text/plain",
}

#: The longest README that is kept (bytes): longer ones are not rendered.
MAX_README = 200_000

_ENTRY_POINTS = ".dist-info/entry_points.txt"

#: The most names of a kind that are kept.
MAX_NAMES = 100

#: The largest about.json that is kept (bytes); larger ones are cut down to their short values.
MAX_ABOUT = 64 << 10


def read_package_info(path: Path) -> tuple[str | None, str | None]:
    """Return a conda package's run_exports (CEP 12) and about.json as JSON, None without one.

    The README that a package carries is added to its about.json. In place of both a wheel has its
    entry points and import names (`read_wheel_info`).
    """
    if path.name.endswith(".whl"):
        return None, read_wheel_info(path)
    if not path.name.endswith((".conda", ".tar.bz2")):
        return None, None
    sizes = dict.fromkeys(("info/index.json", RUN_EXPORTS, ABOUT), limits.METADATA)
    readmes = dict.fromkeys(READMES, limits.max_list_size(path.stat().st_size))
    found = read_info(path, {**sizes, **readmes})
    exports, about = found.get(RUN_EXPORTS), found.get(ABOUT)
    kept = _shorten_about(parse_json(about, path, ABOUT)) if about else {}
    kept = {**kept, **_read_readme(found)}
    return (
        json.dumps(parse_json(exports, path, RUN_EXPORTS)) if exports else None,
        json.dumps(kept) if about or kept else None,
    )


def _read_readme(found: Mapping[str, bytes]) -> dict[str, str]:
    """Return the README that a conda package carries, cut to the longest that is kept."""
    for name, media in READMES.items():
        text = found.get(name, b"")[:MAX_README].decode("utf-8", "replace")
        if text.strip():
            return {README: text, README_TYPE: media}
    return {}


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


def _shorten_about(about: dict[str, object]) -> dict[str, object]:
    """Return about.json; of a large one, a recipe's environment for example, its short values.

    A description is kept in any case, as a README is.
    """
    if len(json.dumps(about)) <= MAX_ABOUT:
        return about
    short = {key: value for key, value in about.items() if len(json.dumps(value)) < MAX_ABOUT // 16}
    kept = dict(list(short.items())[:16])
    description = about.get("description")
    if isinstance(description, str):
        kept["description"] = description[:MAX_README]
    return kept
