"""The pages of a folder's PyPI side, written from its cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twofold.index import simple
from twofold.index.cache import Cache
from twofold_build.atomic import write_if_changed


def write_project_pages(folder: Path, cache: Cache, names: Iterable[str]) -> int:
    """Write simple/: the list of projects, and the pages of those that changed."""
    place = folder / "simple"
    written = 0
    for name in names:
        files = [json.loads(text) for _, text in cache.entries_for("", name)]
        if not files:
            shutil.rmtree(place / name, ignore_errors=True)
            continue
        page = _assemble_page(name, files)
        written += write_if_changed(
            place / name / "index.html", simple.render_project_html(page).encode()
        )
        written += write_if_changed(place / name / "index.json", simple.serialize(page))
    root = simple.make_root_page(cache.names(""))
    written += write_if_changed(place / "index.html", simple.render_root_html(root).encode())
    return written + write_if_changed(place / "index.json", simple.serialize(root))


def _assemble_page(name: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The page from the entries that were kept, in the order of `simple.project_page`."""
    from packaging.version import Version

    ordered = sorted(files, key=lambda f: (Version(f["version"]), f["file"]["filename"]))
    page = simple.make_project_page(name, [])
    page["versions"] = list(dict.fromkeys(str(Version(file["version"])) for file in ordered))
    page["files"] = [file["file"] for file in ordered]
    return page
