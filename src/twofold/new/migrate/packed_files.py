"""Compare the files that would be packed with those of the old wheel, and bring them nearer."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.file_patterns import fold_folders, list_files, match_files
from twofold.new.migrate.modules import place_file
from twofold.new.migrate.wheel_diff import find_plain_name
from twofold_build.globs import Globs
from twofold_build.names import escape_for_filename
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


def place_data_files(facts: Facts, root: Path, wheel: Path, gone: Iterable[str]) -> None:
    """Place the files of a wheel's .data that the project has, by their names and contents."""
    wanted = [name for name in gone if name.startswith("data/") and name.count("/") > 1]
    if not wanted:
        return
    with zipfile.ZipFile(wheel) as archive:
        held = {find_plain_name(name): archive.read(name) for name in archive.namelist()}
    files: dict[str, list[str]] = {}
    for path in list_files(root, None):
        files.setdefault(PurePosixPath(path).name, []).append(path)
    for name in sorted(wanted):
        _, kind, place = name.split("/", 2)
        paths = files.get(PurePosixPath(name).name, ())
        same = [p for p in paths if _text(held[name]) == _text((root / p).read_bytes())]
        if same:
            place_file(facts, root, kind, same[0], place)


def _text(data: bytes) -> bytes:
    """A file's content without the `#!` line, which setuptools writes anew."""
    return data.partition(b"\n")[2] if data.startswith(b"#!") else data


def keep_wheel_files(facts: Facts, root: Path, old: set[str] | None) -> None:
    """Take what the wheel has out of `sdist.exclude`, for the wheel is built from the sdist.

    Other backends build it from the tree. `old` are the files of the old wheel; without it, the
    Python files of the packed modules count.
    """
    table = facts.settings.get("sdist", {})
    settings = facts.settings
    left_out = Globs([*settings.get("exclude", ()), *settings.get("wheel", {}).get("exclude", ())])
    for glob in [*table.get("exclude", ())]:
        matched = {path for path in match_files(root, glob) if not left_out.match(path)}
        inside = {path for path in matched if _is_in_wheel(facts, path, old)}
        if not inside:
            continue
        others = sorted(matched - inside)
        kept = set(list_files(root, None)) - set(others)
        table["exclude"].remove(glob)
        table["exclude"] += fold_folders(others, kept)
        hint = "the wheel has such files, and is built from the sdist"
        facts.drop("the files to exclude from the sdist", f"'{glob}'", hint)
    if table.get("exclude") == []:
        del table["exclude"]
    if settings.get("sdist") == {}:
        del settings["sdist"]


def _is_in_wheel(facts: Facts, path: str, old: set[str] | None) -> bool:
    sources = facts.settings.get("source", ("src", ""))
    folders = [sources] if isinstance(sources, str) else ["" if s == "." else s for s in sources]
    inner = [path.removeprefix(f"{s}/") for s in folders if not s or path.startswith(f"{s}/")]
    if old is not None:
        return not old.isdisjoint(inner)
    names = facts.settings.get("modules") or [escape_for_filename(str(facts.project["name"]))]
    roots = tuple(f"{str(name).replace('.', '/')}/" for name in names)
    return path.endswith(".py") and any(one.startswith(roots) for one in inner)


#: What no wheel of pure Python should bring along.
_GENERATED = (".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib")


def _include_ignored_files(
    facts: Facts, root: Path, gone: Iterable[str], new: Mapping[str, str]
) -> list[str]:
    """Include the files of packed modules that git ignores: not every backend heeds that.

    Returns the other files that are gone.
    """
    wheel = facts.settings.get("wheel", {})
    excluded = Globs([*facts.settings.get("exclude", ()), *wheel.get("exclude", ())])
    bases = {
        name.partition("/")[0]: path.removesuffix(name)
        for name, path in new.items()
        if "/" in name and path.endswith(name)
    }
    left = []
    for name in gone:
        path = bases.get(name.partition("/")[0], "/") + name
        is_ours = not path.startswith("/") and not name.endswith(_GENERATED)
        if is_ours and (root / path).is_file() and not (excluded and excluded.match(path)):
            facts.add_setting("include", [path])
        else:
            left.append(name)
    return left


def _place_gone_files(facts: Facts, root: Path, old: set[str], new: Mapping[str, str]) -> None:
    """Place the files that the old wheel has at the same path as the project, and the new lacks."""
    gone = _include_ignored_files(facts, root, compare_files(old, new).gone, new)
    gone = [name for name in gone if (root / name).is_file()]
    kept = set(list_files(root, None)) - set(gone) if gone else set()
    for path in fold_folders(gone, kept):
        place_file(facts, root, "paths", path.removesuffix("/**"), path.removesuffix("/**"))
