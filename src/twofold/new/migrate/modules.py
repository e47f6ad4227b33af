"""Set the modules to pack, and the places of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold.new.source_tree import read_source_tree
from twofold_build.globs import Globs
from twofold_build.ignore import IgnoreRule
from twofold_build.names import escape_for_filename


def settle_modules(facts: Facts, root: Path, takes_all: bool, *, is_compared: bool = False) -> None:
    """Write [tool.twofold] `modules`, `source` and `wheel.exclude` where they are needed.

    `is_compared`: the modules are those of the old wheel, whose files decide what is excluded.
    `takes_all`: where no module is named, all that are there are packed (as setuptools does, and
    as is meant with a folder of modules), not just the one of the project's name.
    """
    listed = facts.packages
    sources = _find_sources(facts, root)
    if facts.packs_nothing:
        facts.settings = {"modules": [], **facts.settings}
        _drop_unmatched(facts, root)
        return
    if listed and is_compared:
        listed = _place_inner_packages(facts, root, sources, listed)
    placed = facts.settings.get("wheel", {}).get("paths", {})
    if placed and listed:
        own = {str(place).replace("/", ".") for place in placed.values()}
        listed = [name for name in listed if name not in own]
    if placed and not listed:
        modules: list[str] = []
    elif listed:
        modules = _minimize_modules(root, sources, listed)
        for name in [m for m in modules if not any(_find_place(root / s, m) for s in sources)]:
            facts.drop("packages", f"'{name}'", "no such module in the tree")
            modules.remove(name)
        if facts.lists_packages and not is_compared:
            exclude_unlisted(facts, root, sources, listed)
    else:
        modules = _find_modules(facts, root, takes_all)
    if facts.finds_packages_alone and not is_compared:
        _exclude_plain_folders(facts, root, sources, modules)
    _write_settings(facts, root, modules, sources)
    own_name = escape_for_filename(str(facts.project["name"]))
    if not modules and any(f"{source}/{own_name}".lstrip("/") in placed for source in sources):
        # The package of the project's name has another place, and must not be found as well.
        facts.settings = {"modules": [], **facts.settings}
    _drop_unmatched(facts, root)


def _place_inner_packages(
    facts: Facts, root: Path, sources: Sequence[str], listed: Sequence[str]
) -> list[str]:
    """Place the packages whose parents have an `__init__.py` here that the old wheel lacks.

    It is there for the namespace that several projects share. Returns the other packages.
    """
    left = []
    for name in listed:
        path = name.replace(".", "/")
        parents = [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
        source = next((s for s in sources if _find_place(root / s, name)), "")
        is_inner = any((root / source / parent / "__init__.py").exists() for parent in parents)
        folder = f"{source}/{path}".lstrip("/")
        if not (is_inner and place_file(facts, root, "paths", folder, path)):
            left.append(name)
    return left


def _find_modules(facts: Facts, root: Path, takes_all: bool) -> list[str]:
    """Find the modules in the tree, where none is named."""
    modules = {
        name: path
        for source in facts.settings.get("source", [None])
        for name, path in read_source_tree(root, source).modules.items()
        if _is_included(facts, name)
    }
    if not takes_all:
        wanted = escape_for_filename(str(facts.project["name"]))
        return [name for name in modules if name.lower() == wanted] or list(modules)
    packages = [name for name in modules if modules[name].is_dir()]
    # setuptools, left to find packages in the root, takes no modules beside them.
    return packages if facts.packages == [] and packages else list(modules)


def _is_included(facts: Facts, name: str) -> bool:
    """Whether the patterns of find_packages include a package."""
    included = not facts.find_include or any(fnmatchcase(name, p) for p in facts.find_include)
    return included and not any(fnmatchcase(name, pattern) for pattern in facts.find_exclude)


def _drop_unmatched(facts: Facts, root: Path) -> None:
    """Drop includes that match no file: an error in twofold-build, but not in old backends."""
    for table, key in ((facts.settings, "include"), (facts.settings.get("sdist", {}), "include")):
        globs = table.get(key, [])
        kept = [glob for glob in globs if any(map(Path.is_file, root.glob(to_pathlib_glob(glob))))]
        for glob in globs:
            if glob not in kept:
                facts.drop("the files to include", f"'{glob}'", "it matches no file here")
        if globs:
            table[key] = kept
    if facts.settings.get("sdist", {}).get("include") == []:
        del facts.settings["sdist"]["include"]
    if facts.settings.get("include") == []:
        del facts.settings["include"]
    if facts.settings.get("sdist") == {}:
        del facts.settings["sdist"]


def to_pathlib_glob(glob: str) -> str:
    """Convert a glob for Path.glob, where a final `**` matches folders only."""
    return f"{glob}/*" if glob.endswith("**") else glob


def _find_sources(facts: Facts, root: Path) -> list[str]:
    if "source" in facts.settings:
        return [str(source) for source in facts.settings["source"]]
    return ["src", ""] if (root / "src").is_dir() else ["", "lib", "source", "python"]


def _find_place(base: Path, module: str) -> bool:
    path = base / module.replace(".", "/")
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file()


def _minimize_modules(root: Path, sources: Sequence[str], listed: Sequence[str]) -> list[str]:
    """Minimize modules: `a` includes `a.b` and `a.b.c`; below a namespace each is named."""
    found: dict[str, None] = {}
    for name in sorted(set(listed)):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            path = "/".join(parts[:length])
            whole = length == len(parts)
            if whole or any((root / s / path / "__init__.py").exists() for s in sources):
                found.setdefault(".".join(parts[:length]))
                break
    inner = [n for n in found if any(n.startswith(f"{other}.") for other in found)]
    return [name for name in found if name not in inner]


def exclude_unlisted(
    facts: Facts, root: Path, sources: Sequence[str], listed: Sequence[str]
) -> None:
    """Exclude subpackages that are not listed from the wheel."""
    for source in sources:
        for name in listed:
            folder = root / source / name.replace(".", "/")
            for init in sorted(folder.glob("*/__init__.py")):
                data = [*facts.package_data.get(name, ()), *facts.package_data.get("", ())]
                is_data = any(glob.startswith(f"{init.parent.name}/") for glob in data)
                if f"{name}.{init.parent.name}" not in listed and not is_data:
                    path = init.parent.relative_to(root).as_posix()
                    facts.add_setting("wheel.exclude", [f"{path}/**"])


def _exclude_plain_folders(
    facts: Facts, root: Path, sources: Sequence[str], modules: Sequence[str]
) -> None:
    """Exclude folders of modules without an `__init__.py`: find_packages() leaves them out."""
    names = modules or [escape_for_filename(str(facts.project["name"]))]
    bases = (root / source / name.replace(".", "/") for source in sources for name in names)
    for base in bases:
        plain: list[Path] = []
        for path in sorted(base.rglob("*.py")):
            folder = path.parent
            is_inside = any(outer in (folder, *folder.parents) for outer in plain)
            if not is_inside and not (folder / "__init__.py").exists():
                plain.append(folder)
        globs = [f"{folder.relative_to(root).as_posix()}/**" for folder in plain if folder != base]
        if globs:
            facts.add_setting("wheel.exclude", globs)


def _write_settings(facts: Facts, root: Path, modules: list[str], sources: Sequence[str]) -> None:
    places = (next((s for s in sources if _find_place(root / s, name)), "") for name in modules)
    found = list(dict.fromkeys(places)) or [""]
    usual = [""] if not (root / "src").is_dir() else ["src", ""]
    if len(found) == 1 and found[0] in usual:
        facts.settings.pop("source", None)
    else:
        facts.settings["source"] = found[0] if len(found) == 1 else [s or "." for s in found]
    wanted = escape_for_filename(str(facts.project["name"]))
    if [name.lower() for name in modules] != [wanted]:
        # Without one, a build reports that there is no module.
        facts.settings = {**({"modules": modules} if modules else {}), **facts.settings}
    facts.settings = {
        key: facts.settings[key]
        for key in sorted(facts.settings, key=lambda key: isinstance(facts.settings[key], dict))
    }


def select_files(facts: Facts, root: Path, source: str, files: Sequence[str]) -> None:
    """Pack modules for the sake of some of their files, and exclude the others.

    `files` are below `source`, the folder that imports start from; '' is the project's own.
    """
    prefix = f"{source}/" if source else ""
    tops = dict.fromkeys(path.removeprefix(prefix).partition("/")[0] for path in files)
    whole = {str(name).replace(".", "/") for name in facts.packages or ()}
    facts.packages = [*(facts.packages or []), *(top.removesuffix(".py") for top in tops)]
    folders = tuple(f"{prefix}{top}/" for top in tops if top not in whole)
    others = [p for p in list_files(root, None) if p.startswith(folders) and p not in set(files)]
    if others:
        facts.add_setting("wheel.exclude", fold_folders(others, set(files)))


#: Folders that no build packs.
_UNREAD_FOLDERS = frozenset({".git", ".hg", "__pycache__", ".venv", ".tox", ".nox"})


def set_modules(
    facts: Facts, root: Path, paths: Sequence[str], where: str, prefixes: Sequence[str] = ()
) -> None:
    """Set modules from folders and files: `src/my_package` is `my_package` below `src`.

    `prefixes` are the folders that imports start from, where they are known.
    """
    sources = set()
    for text in paths:
        path = PurePosixPath(text.strip("/"))
        if not (root / path).exists() and not (root / f"{path}.py").exists():
            facts.drop(where, f"'{text}'", "no such folder")
            continue
        parts = list(path.parts)
        source = next((p for p in prefixes if str(path).startswith(f"{p}/")), "")
        if source:
            parts = parts[len(PurePosixPath(source).parts) :]
        elif len(parts) > 1 and not (root / parts[0] / "__init__.py").exists():
            source = parts.pop(0)
        sources.add(source)
        facts.packages = [*(facts.packages or []), ".".join(parts).removesuffix(".py")]
    for source in sorted(sources) if any(sources) else ():
        facts.add_source(source)


def place_file(facts: Facts, root: Path, kind: str, path: str, place: str) -> bool:
    """Give a file or folder its own place in the wheel: below `paths`, or a kind of `data`.

    False if the path does not exist or the kind has a folder already.
    """
    table = facts.settings.setdefault("wheel", {})
    if kind != "paths":
        table = table.setdefault("data", {})
    held = table.setdefault(kind, {})
    plain = path.strip("/").removeprefix("./")
    if not isinstance(held, dict) or not (root / plain).exists() or place.startswith("/"):
        if held == {}:
            del table[kind]
        return False
    held[plain] = place.strip("/") or "."
    return True


def convert_globs(facts: Facts, root: Path, setting: str, patterns: Sequence[str]) -> None:
    """Convert gitignore-like patterns to paths from the project's folder."""
    globs = []
    for pattern in patterns:
        plain = pattern.strip("/").removeprefix("./")
        if (root / plain).is_dir():
            globs.append(f"{plain}/**")
        elif "/" in pattern.rstrip("/") or (root / plain).exists():
            globs.append(plain)
        else:
            globs.append(f"**/{plain}")
    if globs:
        facts.add_setting(setting, globs)


def list_files(root: Path, rules: Sequence[IgnoreRule] | None) -> list[str]:
    """List the project's files, sorted; with `rules` those that the last fitting rule selects.

    A rule fits a file if it matches its path or a folder above it.
    """
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in _UNREAD_FOLDERS)
        for name in sorted(files):
            path = (Path(folder) / name).relative_to(root).as_posix()
            if rules is None or _is_selected(path, rules):
                found.append(path)
    return sorted(found)


def _is_selected(path: str, rules: Sequence[IgnoreRule]) -> bool:
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    for rule in reversed(rules):
        if any(rule.match(p, p.rpartition("/")[2], p != path) for p in places):
            return not rule.negated
    return False


def match_files(root: Path, glob: str) -> set[str]:
    """The files that a glob of ours or of poetry's matches."""
    globs = Globs([glob.removesuffix("/*") if glob.endswith("**/*") else glob])
    return {path for path in list_files(root, None) if globs.match(path)}


def to_rules(patterns: Iterable[str]) -> list[IgnoreRule]:
    """Return gitignore's patterns as rules, from the project's folder on."""
    return [IgnoreRule(str(pattern), "") for pattern in patterns if str(pattern).strip("!/ ")]


def fold_folders(paths: Iterable[str], kept: set[str]) -> list[str]:
    """Name folders instead of all their files, where none of the others is in them."""
    used = {str(parent) for path in kept for parent in PurePosixPath(path).parents}
    found: dict[str, None] = {}
    for path in paths:
        outer = [str(p) for p in PurePosixPath(path).parents if str(p) not in (*used, ".")]
        found[f"{outer[-1]}/**" if outer else path] = None
    return list(found)
