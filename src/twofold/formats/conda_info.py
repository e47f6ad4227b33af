"""What lies under info/ of a conda package, as conda-build lays it down and clients read it."""

from __future__ import annotations

import json

from twofold.formats.info_recipe import generate_info_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.conda_metadata import CondaPackage


class PackedPath:
    """A file of the package as info/paths.json tells it.

    `placeholder` is the prefix written into a text file, which the installer replaces.
    """

    __slots__ = ("path", "placeholder", "sha256", "size")

    def __init__(self, path: str, sha256: bytes, size: int, placeholder: str = "") -> None:
        self.path = path
        self.sha256 = sha256
        self.size = size
        self.placeholder = placeholder

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            "_path": self.path,
            "path_type": "hardlink",
            "sha256": self.sha256.hex(),
            "size_in_bytes": self.size,
        }
        if self.placeholder:
            record["file_mode"] = "text"
            record["prefix_placeholder"] = self.placeholder
        return record


def make_info_files(package: CondaPackage, paths: Sequence[PackedPath]) -> list[tuple[str, bytes]]:
    """All files under info/ (path with `info/` -> bytes), in the order they are packed.

    index.json comes first: a reader of the metadata alone need not go further. A package without
    a recipe carries one that says what it is.
    """
    paths = sorted(paths, key=lambda path: path.path)
    carried = package.info_files
    if not any(path.startswith("recipe/") for path in carried):
        carried = {**generate_info_files(package, [path.path for path in paths]), **carried}
    files = {"info/hash_input.json": b"{}\n"}
    files |= {f"info/{path}": data for path, data in carried.items()}
    files |= {
        "info/about.json": _dump_json(package.about),
        "info/files": "".join(f"{path.path}\n" for path in paths).encode(),
        "info/paths.json": _dump_json(
            {"paths": [path.record for path in paths], "paths_version": 1}
        ),
    }
    if package.noarch:
        files["info/link.json"] = _dump_json(_make_link(package))
    replaced = [path for path in paths if path.placeholder]
    if replaced:
        lines = [f"{path.placeholder} text {path.path}\n" for path in replaced]
        files["info/has_prefix"] = "".join(lines).encode()
    return [("info/index.json", _dump_json(package.index)), *sorted(files.items())]


def _make_link(package: CondaPackage) -> dict[str, Any]:
    noarch: dict[str, Any] = {"type": package.noarch}
    if package.noarch == "python" and package.entry_points:
        noarch["entry_points"] = list(package.entry_points)
    return {"noarch": noarch, "package_metadata_version": 1}


def _dump_json(value: object) -> bytes:
    """Compact and sorted. The C encoder is used only without indent: ten times faster here."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(", ", ": ")).encode()
