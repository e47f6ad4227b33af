"""Convert the settings of setuptools that select files: to [tool.twofold], MANIFEST.in included.

The commands of MANIFEST.in become globs that match something in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.file_patterns import to_pathlib_glob
from twofold.new.migrate.modules import place_file
from twofold.new.migrate.setup_py import FindPackages


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """The file or files with settings, and the place (`file:line`), comment and source of each."""

    facts: Facts
    root: Path
    file: str
    places: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def locate(self, key: str) -> str:
        """Return the place of a key, or the file where the line is unknown."""
        return self.places.get(key, self.file)


def _set_packages(source: SettingsSource, value: Any) -> None:
    """Names, or a find_packages(): what is excluded inside a package stays out of the wheel."""
    facts = source.facts
    if isinstance(value, FindPackages):
        if value.where:
            facts.add_source(value.where)
        names = _list_packages(source.root / (value.where or ""))
        for pattern in value.exclude:
            inner = pattern.removesuffix(".*").removeprefix("*.")
            path = inner.replace(".", "/")
            is_outer = _holds_others(pattern, value.exclude, names)
            if "." in inner or pattern.startswith("*."):
                facts.add_setting("wheel.exclude", [f"**/{path}/{'*.*' if is_outer else '**'}"])
            elif is_outer:
                facts.add_setting("wheel.exclude", [f"{value.where or ''}/{path}/*.*".lstrip("/")])
        facts.packages = facts.packages or []
        facts.find_include = value.include
        facts.find_exclude = tuple(
            pattern for pattern in value.exclude if not _holds_others(pattern, value.exclude, names)
        )
        facts.finds_packages_alone = not value.namespaces
    elif isinstance(value, list):
        facts.packages = [*(facts.packages or []), *map(str, value)]
        facts.lists_packages = True


def _list_packages(folder: Path) -> list[str]:
    """List the dotted names of the folders with modules, as find_namespace_packages() does."""
    parents = {path.parent.relative_to(folder) for path in folder.rglob("*.py")}
    return [".".join(path.parts) for path in parents if all(p.isidentifier() for p in path.parts)]


def _holds_others(pattern: str, patterns: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a package that a pattern excludes has packages below it that no pattern excludes."""
    excluded = tuple(f"{name}." for name in names if fnmatchcase(name, pattern))
    kept = (name for name in names if not any(fnmatchcase(name, one) for one in patterns))
    return any(name.startswith(excluded) for name in kept)


def _set_py_modules(source: SettingsSource, value: Any) -> None:
    source.facts.packages = [*(source.facts.packages or []), *map(str, value)]


def _set_package_dir(source: SettingsSource, value: Any) -> None:
    for package, folder in dict(value).items():
        if not package:
            source.facts.add_source(str(folder).strip("./"))
        elif str(folder).strip("./").replace("/", ".").endswith(package):
            source.facts.add_source(str(folder).strip("./")[: -len(package)].strip("/"))
        elif not place_file(
            source.facts, source.root, "paths", str(folder), package.replace(".", "/")
        ):
            source.facts.drop(
                source.locate("package_dir"),
                f"package_dir: '{package}' is in '{folder}'",
                "move the folder so that it has the package's name",
            )


def _set_scripts(source: SettingsSource, value: Any) -> None:
    """Script files; a folder that holds just these becomes the wheel's scripts folder."""
    paths = [str(path) for path in value]
    folders = {str(Path(path).parent.as_posix()) for path in paths}
    folder = folders.pop() if len(folders) == 1 else ""
    there = {f.name for f in (source.root / folder).iterdir()} if folder not in ("", ".") else set()
    if there and there == {Path(path).name for path in paths}:
        source.facts.add_setting("wheel.data.scripts", folder)
        return
    for path in paths:
        if not place_file(source.facts, source.root, "scripts", path, Path(path).name):
            source.facts.drop(source.locate("scripts"), f"scripts: '{path}'", "no such file")


def _set_headers(source: SettingsSource, value: Any) -> None:
    for path in map(str, value):
        if not place_file(source.facts, source.root, "headers", path, Path(path).name):
            source.facts.drop(source.locate("headers"), f"headers: '{path}'", "no such file")


def _set_exclude_package_data(source: SettingsSource, value: Any) -> None:
    for package, globs in dict(value).items():
        folder = "**" if package in ("", "*") else f"**/{package.replace('.', '/')}"
        source.facts.add_setting("wheel.exclude", [f"{folder}/{glob}" for glob in globs])


def _set_package_data(source: SettingsSource, value: Any) -> None:
    source.facts.package_data = {k if k != "*" else "": list(v) for k, v in dict(value).items()}


def _set_data_files(source: SettingsSource, value: Any) -> None:
    """Pairs of a folder below the prefix and its files."""
    for entry in value:
        folder, paths = ("", [entry]) if isinstance(entry, str) else (str(entry[0]), entry[1])
        for path in (path for pattern in paths for path in _expand_glob(source.root, str(pattern))):
            place = f"{folder.rstrip('/')}/{Path(path).name}" if folder else Path(path).name
            is_file = (source.root / path).is_file()
            if not is_file or not place_file(source.facts, source.root, "data", path, place):
                what = f"data_files = {[(folder, [path])]}"
                source.facts.drop(source.locate("data_files"), what)


def _expand_glob(root: Path, pattern: str) -> list[str]:
    """The files of a glob; a pattern that matches none stays, to be reported."""
    if "*" not in pattern or pattern.startswith("/"):
        return [pattern]
    found = [p.relative_to(root).as_posix() for p in root.glob(pattern) if p.is_file()]
    return sorted(found) or [pattern]


def _set_platforms(source: SettingsSource, value: Any) -> None:
    listed = [value] if isinstance(value, str) else [str(item) for item in value]
    if [item.lower() for item in listed] != ["any"]:
        hint = "the wheel's tag covers it"
        source.facts.drop(source.locate("platforms"), f"platforms = {', '.join(listed)}", hint)


def _set_license_files(source: SettingsSource, value: Any) -> None:
    listed = [value] if isinstance(value, str) else list(value)
    there = [name for name in listed if any(source.root.glob(str(name)))]
    source.facts.propose("license-files", there, source.locate("license_files"))


#: setup()'s key -> what takes it over.
FILE_HANDLERS: dict[str, Callable[[SettingsSource, Any], None]] = {
    "packages": _set_packages,
    "py_modules": _set_py_modules,
    "package_dir": _set_package_dir,
    "package_data": _set_package_data,
    "platforms": _set_platforms,
    "data_files": _set_data_files,
    "exclude_package_data": _set_exclude_package_data,
    "scripts": _set_scripts,
    "headers": _set_headers,
    "script_files": _set_scripts,  # its name in [tool.setuptools]
    "license_files": _set_license_files,
}

#: Keys whose files have a place that the old wheel shows, where a program computes them.
PLACED_BY_WHEEL = ("data_files", "scripts", "headers")


#: twofold-build leaves these out by itself.
_JUNK = (
    "__pycache__",
    "*.pyc",
    "*.pyo",
    "*.py[cod]",
    "*.py[co]",
    "*~",
    ".DS_Store",
    "*.swp",
    "*.so",
)


def read_manifest(facts: Facts, path: Path) -> None:
    """Take over every command of the file."""
    root = path.parent
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        includes, excludes, is_known = _convert_command(words[0], words[1:])
        if not is_known:
            facts.drop(f"MANIFEST.in:{number}", " ".join(words), "not a command of MANIFEST.in")
        there = [
            glob for glob in includes if any(map(Path.is_file, root.glob(to_pathlib_glob(glob))))
        ]
        if there:
            facts.add_setting("sdist.include", there)
        wanted = [glob for glob in excludes if not glob.endswith(_JUNK)]
        if wanted:
            facts.add_setting("sdist.exclude", wanted)


def _convert_command(command: str, arguments: list[str]) -> tuple[list[str], list[str], bool]:
    """Return (include globs, exclude globs, whether the command is known)."""
    arguments = [word.strip("/").removeprefix("./") for word in arguments]
    if command in ("include", "exclude"):
        globs = arguments
    elif command in ("recursive-include", "recursive-exclude") and len(arguments) > 1:
        folder, patterns = arguments[0], arguments[1:]
        prefix = "" if folder in (".", "*", "") else f"{folder}/"
        globs = [f"{prefix}**/{p}" if p != "*" else f"{prefix}**" for p in patterns]
    elif command in ("graft", "prune"):
        globs = [f"{word}/**" for word in arguments]
    elif command in ("global-include", "global-exclude"):
        globs = [f"**/{word}" for word in arguments]
    else:
        return [], [], False
    if command in ("include", "recursive-include", "graft", "global-include"):
        return globs, [], True
    return [], globs, True
