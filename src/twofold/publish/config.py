"""The user's configuration: `config.toml` with the publish targets by name.

    [targets.lab]
    url = "https://packages.example.org/main"
    kind = "registry"

The file is `$TWOFOLD_CONFIG_DIR/config.toml`, else in the platform's configuration folder.
Tokens belong in the keyring (`twofold login`); without one they may be written here, in a
file that nobody else can read.
"""

from __future__ import annotations

import difflib
import os
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.publish.addresses import Secret, split_login
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.settings import TargetSettings
from twofold_build.atomic import write_atomically

STRINGS = {
    "url",
    "kind",
    "index",
    "public-url",
    "user",
    "token",
    "token-env",
    "owner",
    "channel",
    "ca",
    "client-cert",
}
LISTS = {"files", "labels"}
FLAGS = {"verify"}
KEYS = STRINGS | LISTS | FLAGS


def get_config_folder() -> Path:
    """Return `TWOFOLD_CONFIG_DIR`, else `twofold` in the platform's configuration folder."""
    configured = os.environ.get("TWOFOLD_CONFIG_DIR")
    if configured:
        return Path(configured)
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
        return Path(base, "twofold")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "twofold"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "twofold")


def get_config_file() -> Path:
    """Return the path of config.toml."""
    return get_config_folder() / "config.toml"


def read_targets(file: Path | None = None) -> dict[str, TargetSettings]:
    """Read the configured targets by name; empty without a file.

    Raises ProjectErrors with every mistake in the file, and TwofoldError if it contains tokens
    and others can read it.
    """
    path = file or get_config_file()
    if not path.is_file():
        return {}
    tables = _parse_toml(path).get("targets", {})
    problems: list[Problem] = []
    if not isinstance(tables, dict):
        raise TwofoldError("[targets] must be a table", "write [targets.NAME] tables", str(path))
    targets = {}
    for name, table in tables.items():
        where = f"{path}: [targets.{name}]"
        mistakes = _find_mistakes(table, where)
        problems += mistakes
        if not mistakes:
            targets[name] = _make_settings(name, table)
    if problems:
        raise ProjectErrors(problems)
    if any(target.token or target.read_login for target in targets.values()):
        _require_private(path)
    return targets


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "correct the file, or remove it"
        raise TwofoldError(f"it is not valid TOML: {error}", hint, str(path)) from error


def _find_mistakes(table: Any, where: str) -> list[Problem]:
    if not isinstance(table, dict):
        return [Problem("must be a table", "write it as [targets.NAME] with keys below", where)]
    problems = []
    for key, value in table.items():
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else "see docs/reference/configuration.md"
            problems.append(Problem(f"unknown key '{key}'", hint, where))
        elif key in LISTS and not (
            isinstance(value, list) and all(isinstance(v, str) for v in value)
        ):
            problems.append(Problem(f"'{key}' must be a list of strings", "", where))
        elif key in STRINGS and not isinstance(value, str):
            problems.append(Problem(f"'{key}' must be a string", "", where))
        elif key in FLAGS and not isinstance(value, bool):
            problems.append(Problem(f"'{key}' must be true or false", "", where))
    if table.get("kind", "registry") not in KINDS:
        problems.append(
            Problem(
                f"unknown kind '{table['kind']}'", f"one of {', '.join(KINDS.list_names())}", where
            )
        )
    kind = KINDS.get(table.get("kind", "registry"))
    if "url" not in table and not (kind and kind.has_default_url):
        problems.append(Problem("'url' is missing", 'add url = "https://host/channel"', where))
    return problems


def _make_settings(name: str, table: dict[str, Any]) -> TargetSettings:
    strings = {k.replace("-", "_"): v for k, v in table.items() if k in STRINGS - {"token", "url"}}
    bare = split_login(table.get("url", ""))
    if bare.user:
        strings.setdefault("user", bare.user)
    index, public = (split_login(table.get(key, "")) for key in ("index", "public-url"))
    strings |= {"index": index.url, "public_url": public.url}
    for key in ("ca", "client_cert"):
        if strings.get(key):
            strings[key] = str(Path(strings[key]).expanduser())
    return TargetSettings(
        name=name,
        url=bare.url,
        read_login=next((found for found in (public, index) if found.secret), None),
        token=Secret(table["token"]) if table.get("token") else bare.secret,
        files=tuple(table.get("files", ())),
        labels=tuple(table.get("labels", ())),
        verify=table.get("verify", True),
        **strings,
    )


def _require_private(path: Path) -> None:
    """Raise an error if others can read a file with tokens, as ssh does for its keys."""
    if os.name != "posix":
        return
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TwofoldError(
            f"it contains a token and others can read it (mode {stat.S_IMODE(mode):o})",
            f"chmod 600 {path}",
            str(path),
        )


def write_token(name: str, settings: TargetSettings, token: Secret | None, user: str) -> Path:
    """Write a target's token to the configuration, or remove it; the file is made private.

    Comments and all other content are kept. A target without a table gets one, with the keys
    needed to resolve it by that name.
    """
    import tomlkit

    path = get_config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8-sig") if path.is_file() else ""
    document = tomlkit.parse(text)
    targets = document.setdefault("targets", tomlkit.table(is_super_table=True))
    if name not in targets:
        kept = ("kind", "index", "owner", "channel")
        wanted = {key: getattr(settings, key) for key in kept}
        targets[name] = {"url": settings.url, **{k: v for k, v in wanted.items() if v}}
    table = targets[name]
    if token is None:
        table.pop("token", None)
    else:
        table["token"] = token.reveal()
    if user:
        table["user"] = user
    write_atomically(path, tomlkit.dumps(document).encode(), 0o600)
    return path
