"""The functions and names a recipe's Jinja may use, beside those of the platform."""

from __future__ import annotations

import json
import re
import subprocess
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.errors import ToolFailed, TwofoldError
from twofold.recipe.file_regex import LONGEST, Match, search_file
from twofold.recipe.pin_run import Pin
from twofold.recipe.pins import HASH, Call, Calls
from twofold.recipe.platforms import Environ, Platform

#: Files that recipes read (pyproject.toml, package.json, a version's file) are far smaller.
LARGEST_FILE = 1024 * 1024
#: Variables of conda-build's environment: written so that the script's shell fills them in.
BUILD_VARIABLES = str.split(
    "PYTHON PREFIX SRC_DIR RECIPE_DIR SP_DIR STDLIB_DIR BUILD_PREFIX CPU_COUNT SHLIB_EXT "
    "LIBRARY_PREFIX LIBRARY_BIN LIBRARY_INC LIBRARY_LIB SCRIPTS"
)
#: What is known of the package only once its recipe has been read a first time.
PACKAGE_VARIABLES = ("PKG_NAME", "PKG_VERSION", "PKG_BUILDNUM")
_GIT = re.compile(r"\bGIT_\w+")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a recipe is read.

    `folder` holds the recipe; `roots` are the folders it may read files of (its own first, then
    the project's). `metadata_of` builds METADATA of a project in isolation (bytes), for a
    setup.py that computes what it says; None where that is not wanted. `variant` holds values of
    conda_build_config.yaml, `pins` its pin_run_as_build; None reads the first of each.
    """

    folder: Path
    roots: tuple[Path, ...]
    platform: Platform
    environ: Environ
    metadata_of: Callable[[Path], bytes] | None = None
    variant: Mapping[str, str] | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)


def functions(
    around: Surroundings, calls: Calls, text: str, package: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Everything the recipe's Jinja may name. `text` is the recipe, to see what it asks of git;
    `package` holds the values of PACKAGE_VARIABLES where they are known.
    """
    known = git_variables(around.roots[-1]) if _GIT.search(text) else {}
    known |= package or {name: f"${name}" for name in PACKAGE_VARIABLES}
    return {
        **around.platform.names(),
        **{name: f"${name}" for name in BUILD_VARIABLES},
        **known,
        "PKG_HASH": calls.sign(HASH),
        "environ": Variables(around.environ, known),
        "load_setup_py_data": SetupData(around),
        "load_setuptools": SetupData(around),
        "load_file_data": FileData(around),
        "load_file_regex": FileRegex(around),
        "compiler": lambda language: calls.sign(Call("compiler", _word(language))),
        "stdlib": lambda language: calls.sign(Call("stdlib", _word(language))),
        "cdt": lambda package, **_: calls.sign(Call("cdt", _word(package))),
        "pin_compatible": _pin_compatible(calls),
        "pin_subpackage": _pin_subpackage(calls),
    }


class Variables:
    """`environ` as recipes use it: `environ['X']`, `environ.get('X', default)`."""

    offered = ("get",)

    def __init__(self, environ: Environ, known: Mapping[str, str]) -> None:
        self._environ = environ
        self._known = known

    def __getitem__(self, name: str) -> str:
        if name in BUILD_VARIABLES:
            return f"${name}"
        return self._known[name] if name in self._known else self._environ[name]

    def get(self, name: str, default: object = None) -> object:
        try:
            return self[name]
        except KeyError:
            return default


class SetupData:
    """`load_setup_py_data(setup_file='setup.py', from_recipe_dir=False)`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._known: dict[Path, dict[str, Any]] = {}

    def __call__(
        self, setup_file: str = "setup.py", from_recipe_dir: bool = False, **_: object
    ) -> dict[str, Any]:
        found = find_file(self._around, setup_file, from_recipe_dir, or_beside="pyproject.toml")
        if found not in self._known:  # it may take a build, and a recipe may ask in a loop
            from twofold.recipe.setup_data import read_setup_data

            self._known[found] = read_setup_data(found, self._around.metadata_of)
        return dict(self._known[found])


class FileData:
    """`load_file_data(path, fileformat=None, from_recipe_dir=False)`: TOML, JSON or YAML."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def __call__(
        self,
        load_file: str,
        fileformat: str | None = None,
        from_recipe_dir: bool = False,
        **_: object,
    ) -> object:
        path = find_file(self._around, load_file, from_recipe_dir)
        _refuse_large("load_file_data", path, load_file)
        kind = (fileformat or path.suffix.lstrip(".")).lower()
        try:
            return _parsed(kind, path.read_text(encoding="utf-8"))
        except KeyError:
            raise TwofoldError(
                f"load_file_data: {load_file} is neither TOML, JSON nor YAML",
                "say fileformat='toml', 'json' or 'yaml'",
            ) from None
        except TwofoldError as error:
            said = str(error.problems[0])
            raise TwofoldError(f"load_file_data: {load_file} cannot be read: {said}") from error
        except (ValueError, RecursionError) as error:
            raise TwofoldError(f"load_file_data: {load_file} cannot be read: {error}") from error


class FileRegex:
    """`load_file_regex(load_file, regex_pattern, from_recipe_dir=False)`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._left = LONGEST

    def __call__(
        self, load_file: str, regex_pattern: str, from_recipe_dir: bool = False, **_: object
    ) -> Match:
        path = find_file(self._around, load_file, from_recipe_dir)
        _refuse_large("load_file_regex", path, load_file)
        started = time.monotonic()
        try:
            return search_file(path, regex_pattern, load_file, max(self._left, 0.0))
        finally:
            self._left -= time.monotonic() - started


def _refuse_large(function: str, path: Path, name: str) -> None:
    if path.stat().st_size > LARGEST_FILE:
        raise TwofoldError(f"{function}: {name} is larger than 1 MiB", "read a smaller file")


def _parsed(kind: str, text: str) -> object:
    from twofold.recipe.tree import plain, read_tree

    readers: Mapping[str, Callable[[str], object]] = {
        "toml": tomllib.loads,
        "json": json.loads,
        "yaml": lambda yaml: plain(read_tree(yaml, "")),
        "yml": lambda yaml: plain(read_tree(yaml, "")),
    }
    return readers[kind](text)


def find_file(around: Surroundings, name: str, from_recipe_dir: bool, or_beside: str = "") -> Path:
    """A file the recipe may read: below its own folder or the project's, links followed."""
    if not isinstance(name, str):
        raise TwofoldError("a file's name must be a text")
    folders = around.roots[:1] if from_recipe_dir else tuple(reversed(around.roots))
    for folder in folders:
        for candidate in filter(None, (name, or_beside)):
            path = (folder / candidate).resolve()
            if path.is_file():
                _refuse_outside(around.roots, path, name)
                return path
    if any(part == ".." for part in Path(name).parts) or Path(name).is_absolute():
        _refuse_outside(around.roots, (folders[0] / name).resolve(), name)
    raise TwofoldError(
        f"the recipe reads '{name}', which is not there",
        f"looked in {', '.join(map(str, folders))}",
    )


def _refuse_outside(roots: Sequence[Path], path: Path, name: str) -> None:
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise TwofoldError(
            f"the recipe reads '{name}', which lies outside its folder and its project",
            "a recipe reads files of its own folder and of the project it builds",
        )


def git_variables(folder: Path) -> dict[str, str]:
    """GIT_DESCRIBE_TAG, GIT_DESCRIBE_NUMBER, GIT_FULL_HASH, ... of a checkout; {} outside one."""
    full = _git(folder, "rev-parse", "HEAD")
    if not full:
        return {}
    found = {"GIT_FULL_HASH": full, "GIT_BUILD_STR": f"0_g{full[:7]}"}
    described = _git(folder, "describe", "--tags", "--long", "HEAD")
    if described:
        tag, number, short = described.rsplit("-", 2)
        found |= {
            "GIT_DESCRIBE_TAG": tag,
            "GIT_DESCRIBE_NUMBER": number,
            "GIT_DESCRIBE_HASH": short,
            "GIT_BUILD_STR": f"{number}_{short}",
        }
    return found


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=False,
        )
    except FileNotFoundError:
        return ""
    except subprocess.TimeoutExpired as error:
        raise ToolFailed("git did not answer within 20 s") from error
    return done.stdout.strip() if done.returncode == 0 else ""


def _pin_compatible(calls: Calls) -> Callable[..., str]:
    def pin_compatible(
        package_name: str,
        lower_bound: str | None = None,
        upper_bound: str | None = None,
        min_pin: str | None = "x.x.x.x.x.x",
        max_pin: str | None = "x",
        exact: bool = False,
        **_: object,
    ) -> str:
        return calls.sign(
            Call(
                "pin_compatible",
                _word(package_name),
                min_pin,
                max_pin,
                lower_bound,
                upper_bound,
                exact,
            )
        )

    return pin_compatible


def _pin_subpackage(calls: Calls) -> Callable[..., str]:
    def pin_subpackage(
        subpackage_name: str,
        min_pin: str | None = "x.x.x.x.x.x",
        max_pin: str | None = "x",
        exact: bool = False,
        **_: object,
    ) -> str:
        return calls.sign(
            Call("pin_subpackage", _word(subpackage_name), min_pin, max_pin, exact=exact)
        )

    return pin_subpackage


def _word(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.+-]+", value):
        raise TwofoldError(f"{value!r} is not the name of a package or language")
    return value
