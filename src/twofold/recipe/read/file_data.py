"""Data that a recipe loads from a project's files, without running them.

conda-build's `load_setup_py_data` runs setup.py inside its own process. Here literals are read;
where setup.py computes a value that recipes use, the project's metadata is built in isolation.

`load_file_regex` searches a file. Python's `re` has no time limit: a pattern such as `(a+)+$`
takes years on 40 letters. So the search runs in a separate process, which is ended at a timeout.
"""

from __future__ import annotations

import ast
import configparser
import json
import subprocess
import sys
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError

#: Seconds for all searches of one reading, the start of their processes included.
MAX_SECONDS = 5.0
#: Letters of a pattern.
MAX_PATTERN = 1000
_SEARCH = """\
import json, re, sys
request = json.loads(sys.stdin.buffer.read())
try:
    found = re.search(request["pattern"], request["text"])
except (re.error, OverflowError, RecursionError) as error:
    print(json.dumps({"error": str(error)}))
else:
    groups = found and {"all": found.group(), "groups": found.groups(), "named": found.groupdict()}
    print(json.dumps({"found": groups}))
"""


class Match:
    """A match, with the part of `re.Match` that recipes use."""

    offered = ("group", "groups", "groupdict")

    def __init__(self, found: dict[str, Any]) -> None:
        self._groups = [found["all"], *found["groups"]]
        self._named = found["named"]

    def group(self, *which: int | str) -> object:
        """Return the whole match for no argument or 0; a list for several arguments."""
        found = [self[one] for one in which or (0,)]
        return found if len(found) > 1 else found[0]

    def groups(self) -> list[str | None]:
        """Return all groups."""
        return self._groups[1:]

    def groupdict(self) -> dict[str, str | None]:
        """Return the named groups."""
        return dict(self._named)

    def __getitem__(self, which: int | str) -> str | None:
        found: str | None = self._named[which] if isinstance(which, str) else self._groups[which]
        return found


def search_file(
    path: Path, pattern: object, shown_name: str, seconds: float = MAX_SECONDS
) -> Match:
    """Search a file; raises TwofoldError if the pattern is invalid, not found or too slow."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise TwofoldError(
            f"load_file_regex: the pattern must be a text of at most {MAX_PATTERN} characters"
        )
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps({"pattern": pattern, "text": text}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TwofoldError(
            f"load_file_regex: searching for '{pattern}' in {shown_name} takes too long",
            "write a pattern without repeats inside repeats",
        ) from error
    result: dict[str, Any] = {"error": "the search was interrupted"}
    if done.returncode == 0:
        result = json.loads(done.stdout)
    if "error" in result:
        raise TwofoldError(
            f"load_file_regex: '{pattern}' is not a valid pattern: {result['error']}"
        )
    if result["found"] is None:
        raise TwofoldError(
            f"load_file_regex: '{pattern}' is not found in {shown_name}",
            "compare the pattern with the file",
        )
    return Match(result["found"])


#: A setup.py larger than this is not read.
MAX_SETUP_BYTES = 512 * 1024
_WANTED = frozenset(
    str.split(
        "name version description url license author author_email maintainer install_requires "
        "python_requires entry_points extras_require keywords classifiers project_urls packages "
        "setup_requires tests_require"
    )
)
#: Without these a recipe cannot be written; if setup.py computes one, it is run in isolation.
_NEEDED = frozenset({"name", "version", "install_requires", "python_requires", "entry_points"})


def read_setup_data(path: Path, metadata_of: Callable[[Path], bytes] | None) -> dict[str, Any]:
    """Read the keywords of `setup()` as far as known; `path` is setup.py or pyproject.toml."""
    folder = path.parent
    data: dict[str, Any] = {}
    computed: set[str] = set()
    if path.name != "pyproject.toml":
        data, computed = _read_setup_py(path)
    _add_setup_cfg(folder / "setup.cfg", data, computed)
    if (folder / "pyproject.toml").is_file():
        _add_project_table(folder, data, computed)
    if computed & _NEEDED or "name" not in data or "version" not in data:
        if metadata_of is None:
            raise TwofoldError(
                f"{path.name} computes {', '.join(sorted(computed)) or 'its name and version'}",
                "write it as a literal, or in the [project] table of pyproject.toml",
                str(path),
            )
        data |= _read_metadata(metadata_of(folder))
    return data


def _read_setup_py(path: Path) -> tuple[dict[str, Any], set[str]]:
    if path.stat().st_size > MAX_SETUP_BYTES:
        raise TwofoldError(f"{path.name} is larger than 512 KiB", "", str(path))
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TwofoldError(f"{path.name} is not valid Python: {error}", "", str(path)) from error
    known: dict[str, object] = {}
    data: dict[str, Any] = {}
    computed: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                known.pop(name, None)
                _set_value(known, name, value, known, set())
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _is_setup(call.func):
            for keyword in call.keywords:
                if keyword.arg is None:
                    computed |= _NEEDED
                elif keyword.arg in _WANTED:
                    _set_value(data, keyword.arg, keyword.value, known, computed)
    return data, computed


def _is_setup(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="setup") | ast.Attribute(attr="setup"):
            return True
    return False


def _set_value(
    into: dict[str, Any],
    name: str,
    value: ast.expr,
    known: dict[str, object],
    computed: set[str],
) -> None:
    if isinstance(value, ast.Name) and value.id in known:
        into[name] = known[value.id]
        return
    try:
        into[name] = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        computed.add(name)


def _add_setup_cfg(path: Path, data: dict[str, Any], computed: set[str]) -> None:
    if not path.is_file():
        return
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise TwofoldError(f"setup.cfg cannot be read: {error}", "", str(path)) from error
    for section in ("metadata", "options"):
        for key, value in parser.items(section) if parser.has_section(section) else ():
            if key not in _WANTED:
                continue
            if value.startswith(("attr:", "file:", "find:", "find_namespace:")):
                computed.add(key)
                continue
            computed.discard(key)
            several = key in ("install_requires", "setup_requires", "classifiers", "packages")
            data[key] = [line for line in value.splitlines() if line.strip()] if several else value
    if parser.has_section("options.entry_points"):
        data["entry_points"] = {
            group: [line.strip() for line in lines.splitlines() if line.strip()]
            for group, lines in parser.items("options.entry_points")
        }


def _add_project_table(folder: Path, data: dict[str, Any], computed: set[str]) -> None:
    import tomllib

    from twofold_build.pyproject import read_project

    document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    if "project" not in document:
        return
    own = document.get("build-system", {}).get("build-backend", "") == "twofold_build"
    project = read_project(folder, resolve=own)
    keywords: dict[str, Any] = {
        "name": project.name,
        "version": project.version,
        "description": project.description,
        "license": project.license or project.license_text,
        "python_requires": project.requires_python,
        "install_requires": project.dependencies,
        "extras_require": project.optional_dependencies,
        "keywords": project.keywords,
        "classifiers": project.classifiers,
        "project_urls": project.urls,
        "url": project.urls.get("Homepage", project.urls.get("homepage", "")),
        "entry_points": {
            group: [f"{name} = {target}" for name, target in points.items()]
            for group, points in project.entry_points.items()
        },
    }
    for key, value in keywords.items():
        if value:
            data[key] = value
            computed.discard(key)
    names = {"dependencies": "install_requires", "requires-python": "python_requires"}
    computed |= {names.get(key, key) for key in project.dynamic} & _NEEDED - data.keys()


def _read_metadata(metadata: bytes) -> dict[str, Any]:
    message = BytesParser().parsebytes(metadata)
    required = [str(line) for line in message.get_all("Requires-Dist", [])]
    return {
        "name": str(message["Name"]),
        "version": str(message["Version"]),
        "description": str(message.get("Summary", "")),
        "url": str(message.get("Home-page", "")),
        "license": str(message.get("License-Expression", message.get("License", ""))),
        "python_requires": str(message.get("Requires-Python", "")),
        "install_requires": [line for line in required if "extra ==" not in line],
    }
