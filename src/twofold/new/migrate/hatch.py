"""Read the tables of hatch: in [tool.hatch] and in hatch.toml, which takes precedence.

Its patterns are gitignore's, with negation: what cannot be one glob of ours becomes the list of the
files and folders that they select here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from twofold.errors import BadFile
from twofold.new.migrate.facts import Facts
from twofold.new.migrate.file_patterns import convert_globs, fold_folders, list_files, to_rules
from twofold.new.migrate.modules import place_file, set_modules
from twofold.new.migrate.schema import validate
from twofold.new.migrate.setup_py import is_plain_version
from twofold.new.migrate.setuptools_settings import overlook_missing, set_git_version

#: Tables of files with a place of their own -> where twofold-build has them.
_PLACES = {"force-include": "paths", "shared-data": "data", "shared-scripts": "scripts"}
Table = Mapping[str, Any]
FILE = "hatch.toml"
#: Keys of a target without effect on what is packed.
_NEEDLESS = ("hooks", "directory", "dev-mode-dirs", "reproducible", "core-metadata-version",
             "versions", "skip-excluded-dirs", "strict-naming", "dev-mode-exact",
             "macos-max-compat")  # fmt: skip
_COMPILES = "twofold-build packs pure Python: keep hatchling as the backend for this"
_HAS_VERSION = "read it with importlib.metadata"
#: Build hooks of hatchling and its plug-ins -> what to do without them.
_HOOK_HINTS = {
    "version": _HAS_VERSION,
    "vcs": _HAS_VERSION,
    "mypyc": _COMPILES,
    "cython": _COMPILES,
    "scikit-build": _COMPILES,
}


def read_hatch(facts: Facts, root: Path, tool: Table) -> list[str]:
    """Read version, files and hooks; returns the tables of pyproject.toml that are converted."""
    own = tool.get("hatch", {})
    other = read_hatch_file(root)
    for name, read in (
        ("version", _read_version),
        ("build", _read_build),
        ("metadata", _read_metadata),
    ):
        table, where = own.get(name), f"pyproject.toml [tool.hatch.{name}"
        if isinstance(other.get(name), dict):
            table, where = other[name], f"{FILE} [{name}"
        if table:
            read(facts, root, table, where)
    if {"version", "build", "metadata"} & set(other):
        facts.remarks.append(f"{FILE}: only hatch's own commands read it from now on")
    return [f"tool.hatch.{name}" for name in ("version", "build", "metadata") if own.get(name)]


def read_hatch_file(root: Path) -> Table:
    """Read hatch.toml; empty where there is none."""
    from twofold_build.toml import loads

    path = root / FILE
    if not path.is_file():
        return {}
    try:
        document = loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(f"cannot be read: {error}", "correct it first", str(path)) from error
    validate({"tool": {"hatch": document}}, "", FILE)
    return document


def _read_version(facts: Facts, root: Path, table: Table, where: str) -> None:
    where = f"{where}]"
    if table.get("source", "regex") == "vcs":
        plain = {key: value for key, value in table.items() if key != "raw-options"}
        set_git_version(facts, where, {**plain, **table.get("raw-options", {})})
    elif "path" in table and is_plain_version(root, table["path"]):
        facts.propose("version", {"from": "module", "path": table["path"]}, where)
    else:
        facts.mark_unread("version", where)
        if "path" in table and not (root / table["path"]).is_file():
            overlook_missing(facts, where, f"the file '{table['path']}'", "hatch builds nothing")


#: What hatch replaces in requirements: `{root:uri}`, `{home}`, `{env:NAME}`.
_CONTEXT = re.compile(r"\{(?:root|home|env)[:}]")


def _read_metadata(facts: Facts, root: Path, table: Table, where: str) -> None:
    del root
    project = facts.project
    for listed in (project.get("dependencies"), *project.get("optional-dependencies", {}).values()):
        for number, text in enumerate(listed or ()):
            name, at, address = str(text).partition("@")
            if at and _CONTEXT.search(address):
                listed[number] = name.strip()
                facts.drop(f"{where}]", f"{text}", "a package requires a version, not a path")
    for name, rule in table.get("hooks", {}).items():
        facts.drop(f"{where}.hooks.{name}]", f"a hook: {dict(rule)!r}"[:120])


def _read_build(facts: Facts, root: Path, table: Table, where: str) -> None:
    targets = table.get("targets", {})
    shared = {key: value for key, value in table.items() if key not in ("targets", "hooks")}
    wheel = {**shared, **targets.get("wheel", {})}
    sdist = {**shared, **targets.get("sdist", {})}
    artifacts = [*wheel.pop("artifacts", ()), *sdist.pop("artifacts", ())]
    if documents := wheel.pop("sbom-files", ()):
        facts.add_setting("sbom-files", list(documents))
    _read_wheel_files(facts, root, wheel, f"{where}.targets.wheel]")
    _read_sdist_files(facts, root, sdist, f"{where}.targets.sdist]")
    _include_artifacts(facts, root, artifacts)
    for key, hint in (
        ("ignore-vcs", "name the files that git ignores in [tool.twofold] include"),
        ("only-packages", "exclude the folders without an __init__.py"),
    ):
        if wheel.pop(key, False):
            facts.doubt(f"{where}.targets.wheel]", f"{key} = True", hint)
    for key, value in wheel.items():
        if key not in _NEEDLESS:
            facts.drop(f"{where}.targets.wheel]", f"{key} = {value!r}"[:160])
    for key, value in sdist.items():
        if key not in (
            *_NEEDLESS,
            "hooks",
            "packages",
            "sources",
            "support-legacy",
            "ignore-vcs",
            *wheel,
        ):
            facts.drop(f"{where}.targets.sdist]", f"{key} = {value!r}"[:160])
    hooks = {**table.get("hooks", {}), **targets.get("wheel", {}).get("hooks", {})}
    for name, rule in hooks.items():
        hint = _HOOK_HINTS.get(name, "write by hand what it makes, or keep hatchling")
        facts.drop(f"{where}.hooks.{name}]", f"a hook: {dict(rule)}", hint)
    for name in targets:
        if name not in ("wheel", "sdist"):
            facts.drop(f"{where}.targets.{name}]", "another kind of artifact")


def _include_artifacts(facts: Facts, root: Path, patterns: Sequence[str]) -> None:
    """Include files that git ignores; with a negated pattern, those that are selected here."""
    if any(str(pattern).startswith("!") for pattern in patterns):
        patterns = list_files(root, to_rules(patterns))
        facts.remarks.append(
            "artifacts has a negated pattern: [tool.twofold] include lists the files of today"
        )
    convert_globs(facts, root, "include", patterns)


def _read_wheel_files(facts: Facts, root: Path, wheel: dict[str, Any], where: str) -> None:
    """Read the modules of the wheel, and which of their files it lacks."""
    packages = [str(path).strip("/") for path in wheel.pop("packages", ())]
    only = [str(path).strip("/") for path in wheel.pop("only-include", ())]
    include = list(wheel.pop("include", ()))
    sources = wheel.pop("sources", ())
    prefixes = _read_prefixes(facts, root, sources, where)
    prefixes += [str(PurePosixPath(path).parent) for path in packages if "/" in path]
    placed = facts.settings.get("wheel", {}).get("paths", {})
    moves = _read_moves(sources, packages)
    for key, kind in _PLACES.items():
        table = wheel.pop(key, {})
        for path, given in table.items() if isinstance(table, Mapping) else ():
            place = str(given).strip("/")
            is_folder = place and (root / str(path)).is_dir()
            moved = _move(f"{place}/" if is_folder else place, moves).strip("/")
            if not place_file(facts, root, kind, str(path), moved):
                facts.drop(where, f"{key}: '{path}' is '{given}'", "no such file in the project")
    chosen = [path for path in (*packages, *only) if path not in placed]
    if include and not chosen:
        chosen = _find_included_modules(facts, root, include, prefixes, where)
    if isinstance(sources, Mapping) and (folder := str(sources.get("", "")).strip("/")):
        chosen = [path for path in chosen if not _move_below(facts, root, path, folder)]
    if wheel.pop("bypass-selection", False) and not chosen:
        facts.packs_nothing = True
    _set_chosen(facts, root, chosen, prefixes, where)
    exclude = list(wheel.pop("exclude", ()))
    if include:
        _exclude_others(facts, root, chosen, include)
    _exclude(facts, root, "wheel.exclude", exclude)


def _read_prefixes(facts: Facts, root: Path, sources: object, where: str) -> list[str]:
    """Read the folders that `sources` strips from the paths in the wheel."""
    if not isinstance(sources, Mapping):
        return [str(path).strip("/") for path in sources] if isinstance(sources, list) else []
    found = []
    for old, new in sources.items():
        path, name = str(old).strip("/"), str(new).strip("/")
        if not path:
            continue  # a folder of the wheel for everything: `_move_below`
        if not name:
            found.append(path)
        elif path.endswith(f"/{name}"):
            found.append(path.removesuffix(f"/{name}"))
        elif path != name and not place_file(facts, root, "paths", path, name):
            facts.drop(where, f"sources: '{old}' is '{new}' in the wheel", "no such folder")
    return found


def _read_moves(sources: object, packages: Sequence[str]) -> dict[str, str]:
    """How a path in the wheel begins -> what takes its place: for placed files too.

    As hatchling computes it, in its order, in which the first that fits counts.
    """
    pairs = sources.items() if isinstance(sources, Mapping) else ()
    moves = {str(old).strip("/"): str(new).strip("/") for old, new in pairs}
    moves |= {str(path).strip("/"): "" for path in sources} if isinstance(sources, list) else {}
    for path in packages:
        if "/" in path and path not in moves:
            moves[path.rpartition("/")[0]] = ""
    return {old and f"{old}/": new and f"{new}/" for old, new in sorted(moves.items())}


def _move(place: str, moves: Mapping[str, str]) -> str:
    for old, new in moves.items():
        if place.startswith(old):
            return new + place.removeprefix(old)
    return place


def _move_below(facts: Facts, root: Path, path: str, folder: str) -> bool:
    """Give a package another place: below a folder of the wheel. False if it does not exist."""
    return place_file(facts, root, "paths", path, f"{folder}/{PurePosixPath(path).name}")


def _find_included_modules(
    facts: Facts, root: Path, include: Sequence[str], prefixes: Sequence[str], where: str
) -> list[str]:
    """Find the packages and modules that the patterns of `include` select."""
    found: dict[str, None] = {}
    beside: list[str] = []
    for path in list_files(root, to_rules(include)):
        prefix = next((f"{p}/" for p in prefixes if path.startswith(f"{p}/")), "")
        top, slash, _ = path.removeprefix(prefix).partition("/")
        if slash and (path.endswith((".py", ".pyi")) or f"{prefix}{top}" in found):
            found[f"{prefix}{top}"] = None
        elif path.endswith((".py", ".pyi")):
            found[path] = None
        else:
            beside.append(path)
    beside = [path for path in beside if not path.startswith(tuple(f"{p}/" for p in found))]
    if beside:
        facts.doubt(where, f"include: {', '.join(beside)[:120]} outside every package")
    return list(found)


def _set_chosen(
    facts: Facts, root: Path, chosen: Sequence[str], prefixes: Sequence[str], where: str
) -> None:
    paths: list[str] = []
    for path in chosen:
        if path in prefixes:  # everything in the folder
            paths += sorted(
                f"{path}/{entry.name}"
                for entry in (root / path).iterdir()
                if entry.suffix == ".py" or (entry.is_dir() and any(entry.rglob("*.py")))
            )
        else:
            paths.append(path)
    set_modules(facts, root, paths, where, prefixes)


def _exclude_others(
    facts: Facts, root: Path, chosen: Sequence[str], include: Sequence[str]
) -> None:
    """Exclude the files of the packages that `include` does not select."""
    rules = to_rules(include)
    kept = set(list_files(root, rules))
    others = [
        path
        for path in list_files(root, None)
        if path.startswith(tuple(f"{one}/" for one in chosen)) and path not in kept
    ]
    if others:
        facts.add_setting("wheel.exclude", fold_folders(others, kept))


def _read_sdist_files(facts: Facts, root: Path, sdist: dict[str, Any], where: str) -> None:
    include = [*sdist.pop("include", ()), *sdist.pop("only-include", ())]
    negated = [pattern for pattern in include if str(pattern).startswith("!")]
    if negated:
        facts.doubt(where, f"include: {', '.join(negated)}", "write it in exclude")
    convert_globs(facts, root, "sdist.include", [p for p in include if p not in negated])
    _exclude(facts, root, "sdist.exclude", sdist.pop("exclude", ()))


def _exclude(facts: Facts, root: Path, setting: str, patterns: Sequence[str]) -> None:
    """Convert the patterns of an `exclude`; with a negated one, to the files they select here."""
    if not any(pattern.startswith("!") for pattern in patterns):
        convert_globs(facts, root, setting, patterns)
        return
    excluded = list_files(root, to_rules(patterns))
    kept = set(list_files(root, None)) - set(excluded)
    if excluded:
        facts.add_setting(setting, fold_folders(excluded, kept))
        facts.remarks.append(
            f"exclude = {list(patterns)} has a negated pattern: [tool.twofold] {setting} lists the "
            "files of today"
        )
