"""Set the modules to pack, and bring the packed files near to those of the old wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.wheel_diff import find_plain_name
from twofold.new.source_tree import read_source_tree
from twofold_build.names import escape_for_filename
from twofold_build.plan import make_plan


def settle_modules(facts: Facts, root: Path, takes_all: bool, *, is_compared: bool = False) -> None:
    """Write [tool.twofold] `modules`, `source` and `wheel.exclude` where they are needed.

    `is_compared`: the old wheel has the modules, and its list of files tells what to exclude.
    `takes_all`: where no module is named, all that are there are packed (as setuptools does, and
    as is meant with a folder of modules), not just the one of the project's name.
    """
    listed = facts.packages
    sources = _find_sources(facts, root)
    if listed:
        modules = _minimize_modules(root, sources, listed)
        for name in [m for m in modules if not any(_find_place(root / s, m) for s in sources)]:
            facts.drop("packages", f"'{name}'", "no such module in the tree")
            modules.remove(name)
        if any("." in name for name in listed) and not is_compared:
            exclude_unlisted(facts, root, sources, listed)
    else:
        modules = _find_modules(facts, root, takes_all)
    _write_settings(facts, root, modules, sources)
    _drop_unmatched(facts, root)


def _find_modules(facts: Facts, root: Path, takes_all: bool) -> list[str]:
    """Find the modules in the tree, where none is named."""
    code = read_source_tree(root, facts.settings.get("source"))
    modules = [name for name in code.modules if _is_included(facts, name)]
    if not takes_all:
        wanted = escape_for_filename(str(facts.project["name"]))
        return [name for name in modules if name.lower() == wanted] or modules
    packages = [name for name in modules if code.modules[name].is_dir()]
    # setuptools, left to find packages in the root, takes no modules beside them.
    return packages if facts.packages == [] and packages else modules


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
    source = facts.settings.get("source")
    if source is not None:
        return [str(source)]
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


def _write_settings(facts: Facts, root: Path, modules: list[str], sources: Sequence[str]) -> None:
    found = [s for s in sources if any(_find_place(root / s, module) for module in modules)]
    source = found[0] if found else ""
    usual = [""] if not (root / "src").is_dir() else ["src", ""]
    if source in usual:
        facts.settings.pop("source", None)
    else:
        facts.settings["source"] = source
    wanted = escape_for_filename(str(facts.project["name"]))
    if [name.lower() for name in modules] != [wanted]:
        if modules:
            facts.settings = {"modules": modules, **facts.settings}
        else:
            facts.doubt("packages", "no module was found", "name it: [tool.twofold] modules")
    facts.settings = {
        key: facts.settings[key]
        for key in sorted(facts.settings, key=lambda key: isinstance(facts.settings[key], dict))
    }


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
    excluded: dict[str, None] = {}
    for name in compare_files(old, new).added:
        outer = [str(path) for path in PurePosixPath(name).parents if str(path) not in folders]
        if (
            outer
            and new[name].endswith(name)
            and any(n.startswith(f"{outer[-1]}/") and n.endswith(".py") for n in new)
        ):
            excluded[f"{new[name].removesuffix(name)}{outer[-1]}/**"] = None
    if excluded:
        facts.add_setting("wheel.exclude", list(excluded))
