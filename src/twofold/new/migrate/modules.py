"""Set the modules to pack, and the places of files."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.file_patterns import fold_folders, list_files, to_pathlib_glob
from twofold.new.source_tree import read_source_tree
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
            if not is_compared:  # else its files are listed, or have a place
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
    if takes_all and not facts.finds_packages_alone:
        modules = _join_namespaces(facts, root, modules)
    if not takes_all:
        wanted = escape_for_filename(str(facts.project["name"]))
        return [name for name in modules if name.lower() == wanted] or list(modules)
    packages = [name for name in modules if modules[name].is_dir()]
    # setuptools, left to find packages in the root, takes no modules beside them.
    return packages if facts.packages == [] and packages else list(modules)


def _join_namespaces(facts: Facts, root: Path, modules: dict[str, Path]) -> dict[str, Path]:
    """Name a folder of modules whole, below a folder of sources, as setuptools packs all of it."""
    for source in facts.settings.get("source", ["src"] if (root / "src").is_dir() else []):
        for path in sorted((root / source).glob("*")) if source not in ("", ".") else ():
            is_plain = path.is_dir() and path.name.isidentifier() and not _is_package(path)
            if is_plain and _is_included(facts, path.name) and any(path.rglob("*.py")):
                inner = f"{path.name}."
                modules = {name: p for name, p in modules.items() if not name.startswith(inner)}
                modules[path.name] = path
    return modules


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


def set_modules(
    facts: Facts, root: Path, paths: Sequence[str], where: str, prefixes: Sequence[str] = ()
) -> None:
    """Set modules from folders and files: `src/my_package` is `my_package` below `src`.

    `prefixes` are the folders that imports start from, where they are known; "." is the project's.
    A part of a package brings that part alone.
    """
    sources = set()
    selected: dict[str, list[str]] = {}
    for text in paths:
        path = PurePosixPath(text.strip("/"))
        if not (root / path).exists() and not (root / f"{path}.py").exists():
            facts.drop(where, f"'{text}'", "no such folder")
            continue
        parts = list(path.parts)
        source = next((p for p in prefixes if str(path).startswith(f"{p}/")), "")
        if source:
            parts = parts[len(PurePosixPath(source).parts) :]
        elif "." not in prefixes and len(parts) > 1 and not _is_package(root / parts[0]):
            source = parts.pop(0)
        sources.add(source)
        top = f"{source}/{parts[0]}".lstrip("/")
        if len(parts) > 1 and _is_package(root / top) and top not in paths:
            inner = [p for p in list_files(root, None) if f"{p}/".startswith(f"{path}/")]
            selected.setdefault(source, []).extend(inner)
        else:
            facts.packages = [*(facts.packages or []), ".".join(parts).removesuffix(".py")]
    for source, files in selected.items():
        select_files(facts, root, source, files)
    for source in sorted(sources) if any(sources) else ():
        facts.add_source(source)


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").exists()


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
