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
OTHER_TABLES = ("check", "conda", "deps", "exports", "publish", "recipe", "release")
DATA_KINDS = ("data", "headers", "platlib", "purelib", "scripts")


class Settings:
    """[tool.twofold], checked.

    `source` is the folder imports start from ('' is the root), None when not declared; `modules`
    the import names of what is packed, empty for automatic discovery. `include` are globs of
    files to include although git ignores them; `exclude` globs of files to leave out everywhere.
    `data` maps a wheel data kind to a folder. `version_from` is 'module', 'git' or '';
    `version_path` the file that holds `__version__`; `version_tag` the prefix of git tags.
    `table` is the whole of [tool.twofold].
    """

    __slots__ = (
        "data",
        "exclude",
        "include",
        "modules",
        "sbom_files",
        "sdist_exclude",
        "sdist_include",
        "source",
        "table",
        "version_from",
        "version_path",
        "version_tag",
        "wheel_exclude",
    )

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.source: str | None = None
        self.modules: list[str] = []
        self.include: list[str] = []
        self.exclude: list[str] = []
        self.sdist_include: list[str] = []
        self.sdist_exclude: list[str] = []
        self.wheel_exclude: list[str] = []
        self.sbom_files: list[str] = []
        self.data: dict[str, str] = {}
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
    settings.source = reader.get_folder(table, "source", "tool.twofold")
    settings.modules = reader.get_modules()
    settings.include = reader.get_globs(table, "include", "tool.twofold")
    settings.exclude = reader.get_globs(table, "exclude", "tool.twofold")
    settings.sbom_files = reader.get_globs(table, "sbom-files", "tool.twofold")
    sdist = reader.get_table("sdist", ("include", "exclude"))
    settings.sdist_include = reader.get_globs(sdist, "include", "tool.twofold.sdist")
    settings.sdist_exclude = reader.get_globs(sdist, "exclude", "tool.twofold.sdist")
    wheel = reader.get_table("wheel", ("exclude", "data"))
    settings.wheel_exclude = reader.get_globs(wheel, "exclude", "tool.twofold.wheel")
    settings.data = reader.get_data(wheel)
    reader.read_version(settings)
    return settings


def _is_module(name: str) -> bool:
    """Whether it is a dotted import name, or that of a stubs package (PEP 561)."""
    return all(part.isidentifier() for part in name.removesuffix("-stubs").split("."))


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
        from twofold_build.globs import find_glob_problem

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
                    "write patterns relative to the project's folder",
                    table=name,
                    key=key,
                    value=glob,
                )
        return [glob for glob in value if not find_glob_problem(glob)]

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

    def get_modules(self) -> list[str]:
        value = self.root_table.get("modules", [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.diagnostics.add(
                "must be a list of import names",
                'write modules = ["my_package"]',
                table="tool.twofold",
                key="modules",
            )
            return []
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

    def get_data(self, wheel: dict[str, Any]) -> dict[str, str]:
        value = wheel.get("data", {})
        if not isinstance(value, dict):
            self.diagnostics.add(
                "must be a table",
                'write [tool.twofold.wheel.data] with data = "FOLDER"',
                table="tool.twofold.wheel",
                key="data",
            )
            return {}
        self.check_keys(value, DATA_KINDS, "tool.twofold.wheel.data")
        found = {}
        for key in value:
            folder = (
                self.get_folder(value, key, "tool.twofold.wheel.data")
                if key in DATA_KINDS
                else None
            )
            if folder:
                found[key] = folder
        return found

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
            elif key == "path":
                settings.version_path = value
            else:
                settings.version_tag = value
