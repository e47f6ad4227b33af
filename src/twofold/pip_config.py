"""Passes pip's configuration to uv, when uv has no configuration of its own.

A mirror, a proxy index or a folder of wheels is configured once, for pip; uv does not read it.
A build reads it before uv is started: so each import counts here.
"""

from __future__ import annotations

import os
import sys

from twofold.programs import find_program
from twofold_build.toml import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_UV_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_CONFIG_FILE",
    "UV_NO_INDEX",
)
#: Keys whose values are lists, on one line or several.
_LISTS = ("extra-index-url", "find-links")


def find_uv() -> str | None:
    """Find uv beside our own Python, or on PATH."""
    name = "uv.exe" if os.name == "nt" else "uv"
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.path.isfile(beside) else find_program("uv")


def get_uv_settings(project: str | os.PathLike[str]) -> tuple[list[str], dict[str, str]]:
    """Return the options and the variables for uv, by one reading of pip's configuration."""
    settings = read_pip_settings()
    return _list_index_options(project, settings), get_uv_certificates(settings)


def _list_index_options(project: str | os.PathLike[str], settings: Mapping[str, str]) -> list[str]:
    """List the options for pip's indexes; none if uv has its own."""
    if _uv_is_configured(project):
        return []
    options: list[str] = []
    if settings.get("index-url"):
        options += ["--default-index", settings["index-url"]]
    for address in settings.get("extra-index-url", "").split():
        options += ["--index", address]
    for place in settings.get("find-links", "").split():
        options += ["--find-links", place]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    if len(options) > 2:
        # pip takes the best version of all its indexes; uv stops at the first with the name.
        options += ["--index-strategy", "unsafe-best-match"]
    return options


def get_uv_certificates(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variable that makes uv trust pip's `cert`, unless one is set already.

    `settings` are pip's where they have been read.
    """
    if "SSL_CERT_FILE" in os.environ:
        return {}
    certificates = (read_pip_settings() if settings is None else settings).get("cert")
    return {"SSL_CERT_FILE": certificates} if certificates else {}


def read_pip_settings() -> dict[str, str]:
    """Return what pip reads from its configuration files and variables; the nearest one wins.

    The files are those of pip's documentation: to let pip list its settings takes 0.3 s.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for path in list_config_files():
        for section, values in _read_config_file(path).items():
            sections.get(section, {}).update(values)
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            sections[":env:"][_normalize_key(name.removeprefix("PIP_"))] = value
    settings: dict[str, str] = {}
    for values in sections.values():
        for key, value in values.items():
            text = " ".join(value.split()) if key in _LISTS else value.strip()
            both = key == "find-links" and key in settings
            settings[key] = f"{settings[key]} {text}" if both else text
    return settings


def list_config_files() -> list[str]:
    """The files that pip may have its configuration in, the nearest last."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = os.path.expanduser("~")
    if os.name == "nt":
        shared = os.environ.get("PROGRAMDATA", "C:/ProgramData")
        own = os.environ.get("APPDATA", home)
        places = [*(os.path.join(folder, "pip") for folder in (shared, home, own)), sys.prefix]
        return [*(os.path.join(place, "pip.ini") for place in places), *([named] if named else [])]
    config = os.path.join(_find_config_folder(home), "pip")
    folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    places = [*(os.path.join(folder, "pip") for folder in folders), "/etc"]
    if sys.platform == "darwin":
        support = "Library/Application Support/pip"
        places = [os.path.join("/", support)]
        own = os.path.join(home, support)
        config = own if os.path.isdir(own) else config
    places += [os.path.join(home, ".pip"), config, sys.prefix]
    return [*(os.path.join(place, "pip.conf") for place in places), *([named] if named else [])]


def _find_config_folder(home: str) -> str:
    return os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")


def _read_config_file(path: str) -> dict[str, dict[str, str]]:
    """Section -> its keys and values; nothing of a file that is not there or is damaged."""
    if not os.path.isfile(path):
        return {}
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return {}  # pip itself reports it
    return {
        section: {_normalize_key(key): value for key, value in parser.items(section)}
        for section in parser.sections()
    }


def _normalize_key(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def _uv_is_configured(project: str | os.PathLike[str]) -> bool:
    if any(name in os.environ for name in _UV_VARIABLES):
        return True
    folders = [os.path.join(_find_config_folder(os.path.expanduser("~")), "uv"), "/etc/uv"]
    if os.name == "nt":
        folders.append(os.path.join(os.environ.get("APPDATA", ""), "uv"))
    if any(_has_index(_read_table(os.path.join(f, "uv.toml"))) for f in (*folders, project)):
        return True
    tool = _read_table(os.path.join(project, "pyproject.toml")).get("tool", {})
    return isinstance(tool, dict) and _has_index(tool.get("uv", {}))


def _read_table(path: str) -> dict[str, object]:
    try:
        with open(path, encoding="utf-8") as file:
            return loads(file.read())
    except (OSError, ValueError):  # among them TOMLDecodeError and UnicodeDecodeError
        return {}


def _has_index(table: object) -> bool:
    keys = {"index", "index-url", "extra-index-url", "find-links", "no-index"}
    return isinstance(table, dict) and bool(keys & (set(table) | set(table.get("pip", {}) or {})))
