"""Compare the files that would be packed with those of the old wheel, and bring them nearer."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.modules import fold_folders, list_files, place_file
from twofold.new.migrate.wheel_diff import find_plain_name
from twofold_build.plan import make_plan

_LICENSES = "dist-info/licenses/"


@dataclass(frozen=True, slots=True)
class PackedFiles:
    """The files that only the old wheel has (`gone`), and only the new one (`added`), sorted."""

    gone: tuple[str, ...]
    added: tuple[str, ...]


def list_old_files(wheel: Path) -> set[str]:
    """List the files of a wheel that come from its project."""
    with zipfile.ZipFile(wheel) as archive:
        return _keep_project_files(map(find_plain_name, archive.namelist()))


def list_new_files(root: Path, text: str) -> dict[str, str]:
    """Map the files that twofold-build would pack with `text` as pyproject.toml to their paths.

    Raises ProjectErrors if it would not build.
    """
    files = {
        find_plain_name(name): file.path
        for file in make_plan(root, text).selection.files
        for name in file.wheel
    }
    return {name: files[name] for name in _keep_project_files(files)}


def _keep_project_files(names: Iterable[str]) -> set[str]:
    """Keep the names of files in the project: not those that a backend generates."""
    return {
        name for name in names if name and (name.startswith(_LICENSES) or "dist-info/" not in name)
    }


def compare_files(old: set[str], new: Mapping[str, str]) -> PackedFiles:
    """Compare the names of both sides."""
    return PackedFiles(tuple(sorted(old - set(new))), tuple(sorted(set(new) - old)))


def carry_over_files(facts: Facts, root: Path, old: set[str], new: Mapping[str, str]) -> None:
    """Name the license files of the old wheel; exclude packages and modules that it lacks."""
    licenses = sorted(name.removeprefix(_LICENSES) for name in old if name.startswith(_LICENSES))
    kept = sorted(name.removeprefix(_LICENSES) for name in new if name.startswith(_LICENSES))
    if set(licenses) - set(kept) and all((root / name).is_file() for name in licenses):
        facts.project["license-files"] = licenses
    folders = {str(parent) for name in old for parent in PurePosixPath(name).parents}
    # A folder that the old wheel has under another name stays, under both.
    needed = {path for name, path in new.items() if name in old}
    excluded: dict[str, None] = {}
    for name in compare_files(old, new).added:
        outer = [str(path) for path in PurePosixPath(name).parents if str(path) not in folders]
        if (
            outer
            and new[name].endswith(name)
            and any(n.startswith(f"{outer[-1]}/") and n.endswith(".py") for n in new)
        ):
            folder = f"{new[name].removesuffix(name)}{outer[-1]}/"
            if not any(path.startswith(folder) for path in needed):
                excluded[f"{folder}**"] = None
    if excluded:
        facts.add_setting("wheel.exclude", list(excluded))
    _place_gone_files(facts, root, old, new)


def _place_gone_files(facts: Facts, root: Path, old: set[str], new: Mapping[str, str]) -> None:
    """Place the files that the old wheel has at the same path as the project, and the new lacks."""
    gone = [name for name in compare_files(old, new).gone if (root / name).is_file()]
    kept = set(list_files(root, None)) - set(gone) if gone else set()
    for path in fold_folders(gone, kept):
        place_file(facts, root, "paths", path.removesuffix("/**"), path.removesuffix("/**"))
