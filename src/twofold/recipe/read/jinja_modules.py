"""What a recipe's Jinja can read: the environment, files, and parts of Python's modules."""

from __future__ import annotations

import json
import os
import re
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError
from twofold.recipe.read.file_data import MAX_SECONDS, Match, search_file
from twofold.recipe.read.variants import Pin
from twofold.recipe.request import Environ, Platform

#: Files that recipes read (pyproject.toml, package.json, a version's file) are far smaller.
LARGEST_FILE = 1024 * 1024
#: Variables of conda-build's environment: written so that the script's shell fills them in.
BUILD_VARIABLES = str.split(
    "PYTHON PREFIX SRC_DIR RECIPE_DIR SP_DIR STDLIB_DIR BUILD_PREFIX CPU_COUNT "
    "LIBRARY_PREFIX LIBRARY_BIN LIBRARY_INC LIBRARY_LIB SCRIPTS"
)

#: A folder of the build at the beginning of a path: `{{ RECIPE_DIR }}/LICENSE` becomes this.
BUILD_FOLDER = re.compile(
    r"(?:file://)?(?:\$\{?(?P<name>RECIPE_DIR|SRC_DIR|PREFIX|BUILD_PREFIX|SP_DIR|STDLIB_DIR)\b\}?)"
    r"(?:[/\\]+|$)"
)


@dataclass(frozen=True, slots=True)
class ReadContext:
    """The context in which a recipe is read.

    `folder` holds the recipe; `roots` are the folders it may read files of (its own first, then
    the project's). `metadata_of` builds METADATA of a project in isolation (bytes), for a
    setup.py that computes its metadata; None where that is not wanted. `variant` holds values of
    conda_build_config.yaml, `pins` its pin_run_as_build and `lists` its lists; None reads the first
    of each.
    """

    folder: Path
    roots: tuple[Path, ...]
    platform: Platform
    environ: Environ
    metadata_of: Callable[[Path], bytes] | None = None
    variant: Mapping[str, str] | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)


class EnvironVariables:
    """`environ` as recipes use it: `environ['X']`, `environ.get('X', default)`."""

    offered = ("get",)

    def __init__(self, environ: Environ, known: Mapping[str, str]) -> None:
        self._environ = environ
        self._known = known

    def __getitem__(self, name: str) -> str:
        if name in BUILD_VARIABLES:
            return f"${name}"
        return self._known[name] if name in self._known else self._environ[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._environ, *self._known, *BUILD_VARIABLES}))

    def get(self, name: str, default: object = None) -> object:
        """Return a variable, or `default` if it is not set."""
        try:
            return self[name]
        except KeyError:
            return default


class OsModule:
    """`os` as recipes use it: its environment and separators."""

    offered = ("environ", "getenv", "pathsep", "sep")

    def __init__(self, environ: EnvironVariables) -> None:
        self.environ = environ
        self.getenv = environ.get
        self.sep = os.sep
        self.pathsep = os.pathsep


class TimeModule:
    """`time`: now, or the time in SOURCE_DATE_EPOCH, so that a build can be repeated."""

    offered = ("strftime", "time")

    def __init__(self, environ: Environ) -> None:
        epoch = environ.get("SOURCE_DATE_EPOCH", "")
        self._seconds = int(epoch) if epoch.isdecimal() and len(epoch) < 20 else int(time.time())

    def time(self) -> float:
        """Return the seconds since 1970."""
        return float(self._seconds)

    def now(self, *_: object) -> datetime:
        """Return the time in UTC."""
        return datetime.fromtimestamp(self._seconds, UTC)

    def strftime(self, form: str, *_: object) -> str:
        """Format the time in UTC."""
        return self.now().strftime(form)


class DatetimeModule:
    """`datetime`: `datetime.datetime.now()`, `datetime.date.today()`."""

    offered = ("date", "datetime", "now", "strptime", "today", "utcnow")

    def __init__(self, environ: Environ) -> None:
        self.now = self.utcnow = TimeModule(environ).now
        self.datetime = self.date = self
        self.strptime = datetime.strptime

    def today(self) -> date:
        """Return the day in UTC."""
        return self.now().date()


def load_str_data(text: str, fileformat: str, *_: object, **__: object) -> object:
    """`load_str_data('{"a": 1}', 'json')`: TOML, JSON or YAML in a text."""
    try:
        return _parse_file(str(fileformat).lower(), str(text))
    except KeyError:
        raise TwofoldError(
            f"load_str_data: '{fileformat}' is neither TOML, JSON nor YAML", "write 'json'"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TwofoldError(f"load_str_data: the text cannot be read: {error}") from error


class SetupData:
    """`load_setup_py_data(setup_file='setup.py', from_recipe_dir=False)`."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context
        self._known: dict[Path, dict[str, Any]] = {}

    def __call__(
        self, setup_file: str = "setup.py", from_recipe_dir: bool = False, **_: object
    ) -> dict[str, Any]:
        """Return the keywords of setup() as far as they are known."""
        found = find_file(self._context, setup_file, from_recipe_dir, or_beside="pyproject.toml")
        if found not in self._known:  # it may take a build, and a recipe may ask in a loop
            from twofold.recipe.read.file_data import read_setup_data

            self._known[found] = read_setup_data(found, self._context.metadata_of)
        return dict(self._known[found])


class FileData:
    """`load_file_data(path, fileformat=None, from_recipe_dir=False)`: TOML, JSON or YAML."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def __call__(
        self,
        load_file: str,
        fileformat: str | None = None,
        from_recipe_dir: bool = False,
        **_: object,
    ) -> object:
        """Return the content of a file; `fileformat` overrides its suffix."""
        path = find_file(self._context, load_file, from_recipe_dir)
        _check_file_size("load_file_data", path, load_file)
        kind = (fileformat or path.suffix.lstrip(".")).lower()
        try:
            return _parse_file(kind, path.read_text(encoding="utf-8"))
        except KeyError:
            raise TwofoldError(
                f"load_file_data: {load_file} is neither TOML, JSON nor YAML",
                "write fileformat='toml', 'json' or 'yaml'",
            ) from None
        except TwofoldError as error:
            detail = str(error.problems[0])
            raise TwofoldError(f"load_file_data: {load_file} cannot be read: {detail}") from error
        except (ValueError, RecursionError) as error:
            raise TwofoldError(f"load_file_data: {load_file} cannot be read: {error}") from error


class FileRegex:
    """`load_file_regex(load_file, regex_pattern, from_recipe_dir=False)`."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context
        self._seconds_left = MAX_SECONDS

    def __call__(
        self, load_file: str, regex_pattern: str, from_recipe_dir: bool = False, **_: object
    ) -> Match:
        """Return the first match in a file. All searches of a recipe share one time limit."""
        path = find_file(self._context, load_file, from_recipe_dir)
        _check_file_size("load_file_regex", path, load_file)
        started = time.monotonic()
        try:
            return search_file(path, regex_pattern, load_file, max(self._seconds_left, 0.0))
        finally:
            self._seconds_left -= time.monotonic() - started


def _check_file_size(function: str, path: Path, name: str) -> None:
    if path.stat().st_size > LARGEST_FILE:
        raise TwofoldError(f"{function}: {name} is larger than 1 MiB", "read a smaller file")


def _parse_file(kind: str, text: str) -> object:
    from twofold.recipe.read.yaml_lines import read_tree, to_plain

    readers: Mapping[str, Callable[[str], object]] = {
        "toml": tomllib.loads,
        "json": json.loads,
        "yaml": lambda yaml: to_plain(read_tree(yaml, "", remarks=[])),
        "yml": lambda yaml: to_plain(read_tree(yaml, "", remarks=[])),
    }
    return readers[kind](text)


#: Bytes of a file's name; no common file system holds more.
_LONGEST_NAME = 255


def find_file(context: ReadContext, name: str, from_recipe_dir: bool, or_beside: str = "") -> Path:
    """Find a file in the recipe's or the project's folder, with links resolved."""
    if not isinstance(name, str):
        raise TwofoldError("a file's name must be a text")
    if "\0" in name or any(len(part.encode()) > _LONGEST_NAME for part in name.split("/")):
        raise TwofoldError(f"the recipe reads '{name[:60]}...', which no file can be called")
    folders = context.roots[:1] if from_recipe_dir else tuple(reversed(context.roots))
    below = BUILD_FOLDER.match(name)
    if below and below["name"] in ("RECIPE_DIR", "SRC_DIR"):
        name = name[below.end() :]
        folders = context.roots[:1] if below["name"] == "RECIPE_DIR" else context.roots[::-1]
    for folder in folders:
        for candidate in filter(None, (name, or_beside)):
            path = (folder / candidate).resolve()
            if path.is_file():
                _check_inside(context.roots, path, name)
                return path
    if any(part == ".." for part in Path(name).parts) or Path(name).is_absolute():
        _check_inside(context.roots, (folders[0] / name).resolve(), name)
    raise TwofoldError(
        f"the recipe reads '{name}', which does not exist",
        f"looked in {', '.join(map(str, folders))}",
    )


def _check_inside(roots: Sequence[Path], path: Path, name: str) -> None:
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise TwofoldError(
            f"the recipe reads '{name}', which is outside its folder and its project",
            "a recipe reads files of its own folder and of the project it builds",
        )
