"""Reads [tool.twofold]: the settings of a project beyond PEP 621."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics

#: Keys of [tool.twofold] that this backend reads.
KEYS = ("source", "modules", "include", "exclude", "sbom-files", "version", "sdist", "wheel")
#: Tables of [tool.twofold] that other parts of twofold read and check.
OTHER_TABLES = ("check", "conda", "deps", "exports", "publish", "recipe", "release", "workspace")
DATA_KINDS = ("data", "headers", "platlib", "purelib", "scripts")


class Placement:
    """A file or folder and its place in the wheel.

    `path` is below the project's root, `place` below the wheel's root, or below the folder of a
    data `kind`; '' is that folder itself. `setting` is where it is declared, for messages.
    """

    __slots__ = ("kind", "path", "place", "setting")

    def __init__(self, path: str, place: str, kind: str, setting: str) -> None:
        self.path = path
        self.place = place
        self.kind = kind
        self.setting = setting


class Settings:
    """[tool.twofold], checked.

    `sources` are the folders imports start from ('' is the root), None when not declared;
    `modules` the import names of what is packed, None for automatic discovery. `include` are globs
    of files to include although git ignores them; `exclude` globs of files to leave out everywhere.
    `placements` are files with a place of their own. `version_from` is 'module', 'git', '' or
    'unknown' after a mistake in its table;
    `version_path` the file that holds `__version__`; `version_tag` the prefix of git tags.
    `table` is the whole of [tool.twofold].
    """

    __slots__ = (
        "exclude",
        "include",
        "modules",
        "placements",
        "sbom_files",
        "sdist_exclude",
        "sdist_include",
        "sources",
        "table",
        "version_from",
        "version_path",
        "version_tag",
        "wheel_exclude",
    )

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.sources: list[str] | None = None
        self.modules: list[str] | None = None
        self.include: list[str] = []
        self.exclude: list[str] = []
        self.sdist_include: list[str] = []
        self.sdist_exclude: list[str] = []
        self.wheel_exclude: list[str] = []
        self.sbom_files: list[str] = []
        self.placements: list[Placement] = []
        self.version_from = ""
        self.version_path = ""
        self.version_tag = "v"


def read_settings(table: object, root: str, diagnostics: Diagnostics) -> Settings:
    """Read and check [tool.twofold]; a project without it has the defaults."""
    if not isinstance(table, dict):
        diagnostics.add("must be a table", "write [tool.twofold]", table="tool.twofold")
        return Settings({})
    settings = Settings(table)
    if not table:
        return settings
    reader = _SettingsReader(table, root, diagnostics)
    reader.check_keys(table, (*KEYS, *OTHER_TABLES), "tool.twofold")
    settings.sources = reader.get_sources()
    settings.modules = reader.get_modules()
    settings.include = reader.get_globs(table, "include", "tool.twofold")
    settings.exclude = reader.get_globs(table, "exclude", "tool.twofold")
    settings.sbom_files = reader.get_globs(table, "sbom-files", "tool.twofold")
    sdist = reader.get_table("sdist", ("include", "exclude"))
    settings.sdist_include = reader.get_globs(sdist, "include", "tool.twofold.sdist")
    settings.sdist_exclude = reader.get_globs(sdist, "exclude", "tool.twofold.sdist")
    wheel = reader.get_table("wheel", ("exclude", "data", "paths"))
    settings.wheel_exclude = reader.get_globs(wheel, "exclude", "tool.twofold.wheel")
    if "data" in wheel or "paths" in wheel:
        settings.placements = reader.get_data(wheel) + reader.get_paths(wheel)
    reader.read_version(settings)
    return settings


def _is_module(name: str) -> bool:
    """Whether it is a dotted import name, or that of a stubs package (PEP 561)."""
    return all(part.isidentifier() for part in name.removesuffix("-stubs").split("."))


def _find_place_problem(place: object, is_file: bool) -> tuple[str, str] | None:
    """Return what is wrong with a place in the wheel, and a hint; None for nothing."""
    hint = 'write the path in the wheel with "/", like "my_package/data"'
    if not isinstance(place, str):
        return "the place must be a string", hint
    parts = place.removeprefix("./").rstrip("/").split("/")
    if place.startswith("/") or place[1:2] == ":":
        return f"'{place}' is absolute", hint
    if ".." in parts:
        return f"'{place}' leaves the wheel", hint
    if "\\" in place or not place.isprintable():
        return f"{place!a} holds a backslash or a control character", hint
    if place != "." and any(part in ("", ".") for part in parts):
        return f"'{place}' is not a path", hint
    if is_file and (place == "." or place.endswith("/")):
        return f"'{place}' is a folder", "write the file's whole path, with its name"
    if parts[0].endswith((".dist-info", ".data")):
        return f"'{parts[0]}' is written by the build alone", hint
    return None


class _SettingsReader:
    """Typed access to [tool.twofold]; mistakes are collected."""

    def __init__(self, root_table: dict[str, Any], root: str, diagnostics: Diagnostics) -> None:
        self.root_table = root_table
        self.root = root
        self.diagnostics = diagnostics

    def check_keys(self, table: dict[str, Any], keys: tuple[str, ...], name: str) -> None:
        for key in table:
            if key not in keys:
                self.diagnostics.add_unknown(key, keys, table=name)

    def get_table(self, key: str, keys: tuple[str, ...]) -> dict[str, Any]:
        value = self.root_table.get(key, {})
        if not isinstance(value, dict):
            hint = f"write [tool.twofold.{key}]"
            self.diagnostics.add("must be a table", hint, table="tool.twofold", key=key)
            return {}
        self.check_keys(value, keys, f"tool.twofold.{key}")
        return value

    def get_globs(self, table: dict[str, Any], key: str, name: str) -> list[str]:
        from twofold_build.globs import find_glob_problem, get_glob_hint

        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.diagnostics.add(
                "must be a list of patterns", f'write {key} = ["docs/**"]', table=name, key=key
            )
            return []
        for glob in value:
            wrong = find_glob_problem(glob)
            if wrong:
                self.diagnostics.add(
                    wrong,
                    get_glob_hint(glob, "write patterns relative to the project's folder"),
                    table=name,
                    key=key,
                    value=glob,
                )
        return [glob for glob in value if not find_glob_problem(glob)]

    def get_sources(self) -> list[str] | None:
        value = self.root_table.get("source")
        if value is None or isinstance(value, str):
            one = self.get_folder(self.root_table, "source", "tool.twofold")
            return None if one is None else [one]
        if not isinstance(value, list) or not value:
            self.diagnostics.add(
                "must be a folder's name, or a list of them",
                'write source = "src", or source = ["src", "lib"]',
                table="tool.twofold",
                key="source",
            )
            return None
        found = [self.get_folder({"source": item}, "source", "tool.twofold") for item in value]
        return [folder for folder in found if folder is not None]

    def get_folder(self, table: dict[str, Any], key: str, name: str) -> str | None:
        from twofold_build.globs import find_glob_problem

        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.diagnostics.add(
                "must be a folder's name", f'write {key} = "src"', table=name, key=key
            )
            return None
        if value in ("", "."):
            return ""
        wrong = find_glob_problem(value)
        if wrong:
            self.diagnostics.add(wrong, "name a folder inside the project", table=name, key=key)
            return None
        if not os.path.isdir(os.path.join(self.root, value)):
            self.diagnostics.add(
                f"the folder '{value}' does not exist", "check its name", table=name, key=key
            )
            return None
        return value.removeprefix("./").rstrip("/")

    def get_modules(self) -> list[str] | None:
        value = self.root_table.get("modules")
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.diagnostics.add(
                "must be a list of import names",
                'write modules = ["my_package"]',
                table="tool.twofold",
                key="modules",
            )
            return None
        for name in value:
            if not _is_module(name):
                self.diagnostics.add(
                    f"'{name}' is not an import name",
                    "write it as in an import: dots instead of '/', without 'src' and '.py'",
                    table="tool.twofold",
                    key="modules",
                    value=name,
                )
        return [name for name in value if _is_module(name)]

    def get_data(self, wheel: dict[str, Any]) -> list[Placement]:
        name = "tool.twofold.wheel.data"
        value = wheel.get("data", {})
        if not isinstance(value, dict):
            self.diagnostics.add(
                "must be a table",
                'write [tool.twofold.wheel.data] with data = "FOLDER"',
                table="tool.twofold.wheel",
                key="data",
            )
            return []
        self.check_keys(value, DATA_KINDS, name)
        found = []
        for kind in sorted(value):
            if kind not in DATA_KINDS:
                continue
            if isinstance(value[kind], dict):
                found += self.get_placements(value[kind], kind, f"{name}.{kind}")
            elif folder := self.get_folder(value, kind, name):
                found.append(Placement(folder, "", kind, f"[{name}] {kind}"))
        return found

    def get_paths(self, wheel: dict[str, Any]) -> list[Placement]:
        value = wheel.get("paths", {})
        if not isinstance(value, dict):
            self.diagnostics.add(
                "must be a table",
                'write [tool.twofold.wheel.paths] with "FOLDER" = "my_package/folder"',
                table="tool.twofold.wheel",
                key="paths",
            )
            return []
        return self.get_placements(value, "", "tool.twofold.wheel.paths")

    def get_placements(self, table: dict[str, Any], kind: str, name: str) -> list[Placement]:
        found = []
        for path, place in table.items():
            plain = path.removeprefix("./").rstrip("/")
            is_file = os.path.isfile(os.path.join(self.root, plain))
            problem = self.find_path_problem(plain) or _find_place_problem(place, is_file)
            if problem:
                self.diagnostics.add(*problem, table=name, key=path)
            else:
                inner = "" if place == "." else place.removeprefix("./").rstrip("/")
                found.append(Placement(plain, inner, kind, f"[{name}] '{path}'"))
        return found

    def find_path_problem(self, path: str) -> tuple[str, str] | None:
        from twofold_build.globs import find_glob_problem

        if path in ("", "."):
            return "this is the whole project", "name a file or a folder in it"
        if wrong := find_glob_problem(path):
            return wrong, "name a file or a folder inside the project"
        if not os.path.exists(os.path.join(self.root, path)):
            return (
                f"'{path}' does not exist",
                "check the path, or generate the file before the build",
            )
        return None

    def read_version(self, settings: Settings) -> None:
        table = self.get_table("version", ("from", "path", "tag-prefix"))
        if not table:
            return
        from twofold_build.globs import find_glob_problem

        name = "tool.twofold.version"
        origin = table.get("from")
        if origin not in ("module", "git"):
            self.diagnostics.add(
                '\'from\' must be "module" or "git"',
                'write from = "module" for __version__ in the code, from = "git" for the tag',
                table=name,
                key="from",
            )
            return
        settings.version_from = origin
        for key, default in (("path", ""), ("tag-prefix", "v")):
            value = table.get(key, default)
            if not isinstance(value, str):
                self.diagnostics.add(
                    "must be a string", "put it in quotation marks", table=name, key=key
                )
                continue
            wrong = find_glob_problem(value) if key == "path" and value else ""
            if wrong:
                self.diagnostics.add(wrong, "name a file inside the project", table=name, key=key)
                settings.version_from = "unknown"  # reported here
            elif key == "path":
                settings.version_path = value
            else:
                settings.version_tag = value
