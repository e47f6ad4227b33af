"""Where setuptools reads a version: setup.py, setup.cfg, and what `attr:` and `file:` name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.publish.release.python_versions import (
    find_assigned,
    find_string,
    list_assigned,
    list_module_files,
    parse_module,
)
from twofold.publish.release.version_place import VersionPlace, find_in_file, read_text

#: Folders that hold the packages of a project, beside those that its settings name.
USUAL_FOLDERS = ("src", "", "lib", "python")


@dataclass
class PackageFolders:
    """Where the code is: folders of packages, and packages with a folder of their own."""

    root: Path
    named: list[str] = field(default_factory=list)
    packages: dict[str, Path] = field(default_factory=dict)

    def add(self, mapping: Mapping[str, Any], where: Iterable[Any] = ()) -> None:
        """Add a `package-dir`, whose key '' is the folder of all others, and `where` to look."""
        for package, folder in mapping.items():
            if isinstance(folder, str) and package:
                self.packages[package] = self.root / folder
            elif isinstance(folder, str):
                self.named.append(folder)
        self.named += [one for one in where if isinstance(one, str)]

    def list_files(self, module: str) -> list[Path]:
        """The files that a module may have."""
        folders = [self.root / name for name in (*self.named, *USUAL_FOLDERS)]
        return list_module_files(folders, module, self.packages) if module else []

    def find_attribute(self, module: str, name: str) -> list[VersionPlace]:
        """Where a module assigns a name: itself, or the one file beside it that does."""
        files = self.list_files(module)
        for file in files:
            if place := find_assigned(file, name):
                return place
        beside = [f.parent for f in files if f.name == "__init__.py"]
        found = [
            p
            for folder in beside
            for f in sorted(folder.glob("*.py"))
            for p in find_assigned(f, name)
        ]
        return found if len(found) == 1 else []

    def find_reference(self, attr: str, file: str | Iterable[str]) -> list[VersionPlace]:
        """setuptools' `attr` (module and name in it) and `file` (its whole text)."""
        if attr:
            module, _, name = attr.rpartition(".")
            return self.find_attribute(module, name) if module else []
        names = [file] if isinstance(file, str) else list(file)
        for path in (self.root / name for name in names if name):
            if path.is_file():
                return find_in_file(path)
        return []


def list_code_files(root: Path) -> list[Path]:
    """The files that usually have a `__version__`."""
    patterns = (
        "src/*/__init__.py",
        "src/*/*version*.py",
        "src/*/*about*.py",
        "*/__init__.py",
        "*/*version*.py",
        "*/*about*.py",
        "*.py",
    )
    found = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return [path for path in found if path.is_file() and path.name != "setup.py"]


def find_in_setuptools_files(root: Path, folders: PackageFolders) -> tuple[str, list[VersionPlace]]:
    """The name and the version of setup.py, which takes precedence, and of setup.cfg."""
    setup, config = root / "setup.py", root / "setup.cfg"
    name, places = "", list[VersionPlace]()
    options = _read_config(config) if config.is_file() else {}
    pairs = [line.partition("=") for line in options.get("package_dir", "").splitlines()]
    folders.add(
        {package.strip(): folder.strip() for package, _, folder in pairs if folder.strip()},
        filter(None, [options.get("where", "").strip()]),
    )
    if setup.is_file():
        name, places = _find_in_setup_py(setup, folders)
    if config.is_file():
        name = name or options.get("name", "")
        places = places or _find_in_config(config, folders)
    if not places and (setup.is_file() or config.is_file()):
        places = _find_what_setup_reads(root)
    return name, places


def _find_in_setup_py(setup: Path, folders: PackageFolders) -> tuple[str, list[VersionPlace]]:
    module = parse_module(setup)
    if module is None:  # of another Python
        text = read_text(setup)
        name = re.search(r"""\bname\s*=\s*(["'])([\w.-]+)\1""", text)
        literal = re.search(r"""\bversion\s*=\s*(["'])(?P<version>[^"'\n]+)\1\s*[,)]""", text)
        place = [VersionPlace(setup, text, *literal.span("version"))] if literal else []
        return (name[2] if name else ""), place
    for value in _list_arguments(module, "package_dir"):
        if isinstance(value, ast.Dict):
            folders.add(_read_literals(value))
    names = _find_argument(setup, module, "name")
    return (names[0].version if names else ""), _find_argument(setup, module, "version")


def _find_argument(setup: Path, module: ast.Module, name: str) -> list[VersionPlace]:
    """Where an argument of `setup(...)` is written; of a wrapped call, the only one of the name."""
    values = list(_list_arguments(module, name))
    for value in values:
        if place := find_string(setup, module, value):
            return place
    if values:
        return []
    every = [item for node in ast.walk(module) for item in _list_items(node, name)]
    literals = [item for item in every if isinstance(item, ast.Constant)]
    return find_string(setup, module, literals[0]) if len(literals) == 1 else []


def _list_arguments(module: ast.Module, name: str) -> Iterator[ast.expr]:
    """The values of an argument of `setup(...)`, also from a dictionary that it unpacks."""
    for call in ast.walk(module):
        if not isinstance(call, ast.Call):
            continue
        if "setup" not in (getattr(call.func, "id", ""), getattr(call.func, "attr", "")):
            continue
        yield from (one.value for one in call.keywords if one.arg == name)
        for unpacked in (one.value for one in call.keywords if one.arg is None):
            values = [unpacked]
            if isinstance(unpacked, ast.Name):
                values = list(list_assigned(module, unpacked.id))
            for value in values:
                yield from _list_items(value, name)


def _list_items(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """The values of a key of a dictionary, written as `{...}` or `dict(...)`."""
    if isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                yield item
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict":
        yield from (one.value for one in node.keywords if one.arg == name)


def _read_literals(value: ast.Dict) -> dict[str, Any]:
    """The keys and values that are written out."""
    return {
        str(key.value): item.value
        for key, item in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(item, ast.Constant)
    }


def _read_config(config: Path) -> dict[str, str]:
    """`name`, `package_dir` and `where` of a setup.cfg; nothing of one that cannot be read."""
    parser = RawConfigParser(strict=False)
    try:
        parser.read_string(read_text(config))
    except ConfigError:
        return {}
    places = {
        "name": ("metadata", "name"),
        "package_dir": ("options", "package_dir"),
        "where": ("options.packages.find", "where"),
    }
    return {key: parser.get(*at, fallback="") for key, at in places.items()}


def _find_in_config(config: Path, folders: PackageFolders) -> list[VersionPlace]:
    """`version` of [metadata]: written out, `attr: module.name` or `file: name`."""
    text = read_text(config)
    section = re.search(r"^\[metadata\][^\n]*\n((?:(?!\[).*\n?)*)", text, re.M)
    part, offset = (section[1], section.start(1)) if section else ("", 0)
    value = re.search(
        r"^version[ \t]*[=:][ \t]*+(?:\r?\n[ \t]++)?([^\s#;][^\r\n]*)", part, re.M | re.I
    )
    if not value:
        return []
    kind, colon, rest = value[1].partition(":")
    if colon:
        attr, file = (rest.strip(), "") if kind.strip() == "attr" else ("", rest.strip())
        return folders.find_reference(attr, file)
    start = value.start(1) + offset
    return [VersionPlace(config, text, start, start + len(value[1].rstrip()))]


def _find_what_setup_reads(root: Path) -> list[VersionPlace]:
    """The `__version__` that a setup.py reads, or the file of a version that it names."""
    for path in list_code_files(root):
        if places := find_assigned(path, "__version__", steps=0):
            return places
    setup = root / "setup.py"
    text = read_text(setup) if setup.is_file() else ""
    names = re.findall(r"""["']([\w./-]*version(?:\.txt)?)["']""", text, re.I)
    places = PackageFolders(root).find_reference("", names)
    return places if places and re.fullmatch(r"v?\d[\w.!+-]*", places[0].version) else []
