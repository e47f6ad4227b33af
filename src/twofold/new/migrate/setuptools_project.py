"""Read setup.py and setup.cfg as one project, with setuptools' own precedence.

What a program passes to `setup()` comes first: setuptools skips a key of setup.cfg that has a
value already, each key by itself, so an author may be in the one file and the address in the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.new.migrate.facts import Facts, is_covered, shorten
from twofold.new.migrate.pyproject_writer import KEY_ORDER
from twofold.new.migrate.setup_cfg import read_setup_cfg
from twofold.new.migrate.setup_py import Computed, FileText, SetupCall, read_setup_py
from twofold.new.migrate.setuptools_files import SettingsSource
from twofold.new.migrate.setuptools_settings import read_settings


def is_built_by_setuptools(document: Mapping[str, Any]) -> bool:
    """Whether setuptools, or pbr, which calls it, builds the project."""
    system = document.get("build-system", {})
    backend = str(system.get("build-backend", "setuptools"))
    requires = system.get("requires", ())
    if "backend-path" in system and any(r.startswith("setuptools") for r in requires):
        backend = "setuptools"  # one of the project's own, which calls setuptools
    return backend.startswith(("setuptools", "pbr")) and "poetry" not in document.get("tool", {})


def read_setuptools_project(facts: Facts, root: Path) -> list[str]:
    """Read both files into the facts; returns the names of those that have metadata."""
    calls: dict[str, SetupCall] = {}
    if (root / "setup.py").is_file():
        call = read_setup_py(root / "setup.py")
        if call is None or not call.is_whole or "pbr" in call.arguments:
            _mark_all_computed(facts)
        calls["setup.py"] = call or SetupCall()
        calls["setup.py"].arguments.pop("pbr", None)
    if (root / "setup.cfg").is_file():
        call = read_setup_cfg(facts, root)
        if call.arguments:
            calls["setup.cfg"] = call
    if calls:
        _read_merged(facts, root, calls)
    return sorted(calls)


def _mark_all_computed(facts: Facts) -> None:
    """Mark every key as computed: the arguments of setup() cannot be read."""
    for key in (*KEY_ORDER, "packages"):
        if key not in ("dynamic", "license-files", "scripts", "gui-scripts"):
            facts.mark_unread(key, "setup.py")


def _read_merged(facts: Facts, root: Path, calls: Mapping[str, SetupCall]) -> None:
    """Read the arguments of all files; those of an earlier file take precedence."""
    arguments: dict[str, Any] = {}
    places: dict[str, str] = {}
    comments: dict[str, str] = {}
    texts: dict[str, str] = {}
    for file, call in calls.items():
        for key, value in call.arguments.items():
            place = f"{file}:{call.lines[key]}" if key in call.lines else file
            held = arguments.get(key)
            if held in ("", [], {}, None):
                arguments[key], places[key] = value, place
                texts[key] = call.texts.get(key, "")
            elif not isinstance(held, Computed) and not _is_repeated(value, held):
                hint = f"setuptools takes the value of {places[key]}"
                facts.drop(place, f"{key} = {shorten(value)}", hint)
        comments = {**call.comments, **comments}
    name = " and ".join(calls)
    read_settings(SettingsSource(facts, root, name, places, comments, texts), arguments)


def _is_repeated(value: Any, held: Any) -> bool:
    """Whether a value says nothing new, in the notation of its own file."""
    if isinstance(value, list) != isinstance(held, list):
        return is_covered(_to_list(value), _to_list(held))
    return is_covered(value, held)


def _to_list(value: Any) -> list[Any]:
    if isinstance(value, FileText):
        return [value.name]
    return value if isinstance(value, list) else re.split(r"\s*[,\n]\s*", str(value).strip())
