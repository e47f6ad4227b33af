"""The `app` section of meta.yaml: a package that a launcher shows with its icon.

As conda-build, what it says goes into info/index.json, and the icon under info/.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.recipe.building.packaged import read_small_file
from twofold.recipe.model import Line
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.yaml_lines import Node, to_plain

#: Key of meta.yaml -> key of index.json.
_KEYS = {
    "entry": "app_entry",
    "type": "app_type",
    "cli_opts": "app_cli_opts",
    "summary": "summary",
    "own_environment": "app_own_environment",
}


@dataclass(frozen=True, slots=True)
class App:
    """What index.json says of it (`told`), and the icon's file beside the recipe."""

    index_fields: Mapping[str, object]
    line: Line
    icon: Line | None = None


def read_app(reader: SectionReader, node: Node | None) -> App | None:
    """None where there is no section, or it names no entry: conda-build leaves it out then."""
    parts = reader.read_section(node, (*_KEYS, "icon"), "app")
    if node is None or "entry" not in parts:
        return None
    told = {new: to_plain(parts[old]) for old, new in _KEYS.items() if old in parts}
    icon = reader.read_lines(parts.get("icon"))
    return App({"type": "app", **told}, Line("app", node.line, "app"), icon[0] if icon else None)


def package_app(app: App, folder: Path, file: str) -> tuple[dict[str, object], dict[str, bytes]]:
    """Further keys of index.json, and files (path under info/ -> bytes)."""
    if app.icon is None:
        return dict(app.index_fields), {}
    path = (folder / app.icon.text).resolve()
    where = app.icon.where(file)
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise TwofoldError(
            f"the icon '{app.icon.text}' does not lie beside the recipe", "check the path", where
        )
    data = read_small_file(path, where)
    name = f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}.png"
    return {**app.index_fields, "icon": name}, {"icon.png": data}
