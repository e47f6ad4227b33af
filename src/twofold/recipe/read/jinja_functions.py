"""The functions and variables of a recipe's Jinja, beside those of the platform."""

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

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.recipe.model import HASH, DeferredCall, DeferredCalls
from twofold.recipe.read.file_data import MAX_SECONDS, Match, search_file
from twofold.recipe.read.variants import Pin
from twofold.recipe.request import Environ, Platform

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
class ReadContext:
    """The context in which a recipe is read.

    `folder` holds the recipe; `roots` are the folders it may read files of (its own first, then
    the project's). `metadata_of` builds METADATA of a project in isolation (bytes), for a
    setup.py that computes its metadata; None where that is not wanted. `variant` holds values of
    conda_build_config.yaml, `pins` its pin_run_as_build; None reads the first of each.
    """

    folder: Path
    roots: tuple[Path, ...]
    platform: Platform
    environ: Environ
    metadata_of: Callable[[Path], bytes] | None = None
    variant: Mapping[str, str] | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)


def make_functions(
    context: ReadContext, calls: DeferredCalls, text: str, package: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Make all functions and variables of the recipe's Jinja.

    `text` is the recipe, searched for git variables; `package` holds the values of
    PACKAGE_VARIABLES where they are known.
    """
    known = read_git_variables(context.roots[-1]) if _GIT.search(text) else {}
    known |= package or {name: f"${name}" for name in PACKAGE_VARIABLES}
    return {
        **context.platform.variables(),
        **{name: f"${name}" for name in BUILD_VARIABLES},
        **known,
        "PKG_HASH": calls.add_placeholder(HASH),
        "environ": EnvironVariables(context.environ, known),
        "load_setup_py_data": SetupData(context),
        "load_setuptools": SetupData(context),
        "load_file_data": FileData(context),
        "load_file_regex": FileRegex(context),
        "compiler": lambda language: calls.add_placeholder(
            DeferredCall("compiler", _check_name(language))
        ),
        "stdlib": lambda language: calls.add_placeholder(
            DeferredCall("stdlib", _check_name(language))
        ),
        "cdt": lambda package, **_: calls.add_placeholder(
            DeferredCall("cdt", _check_name(package))
        ),
        "pin_compatible": _make_pin_compatible(calls),
        "pin_subpackage": _make_pin_subpackage(calls),
    }


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

    def get(self, name: str, default: object = None) -> object:
        """Return a variable, or `default` if it is not set."""
        try:
            return self[name]
        except KeyError:
            return default


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
        "yaml": lambda yaml: to_plain(read_tree(yaml, "")),
        "yml": lambda yaml: to_plain(read_tree(yaml, "")),
    }
    return readers[kind](text)


def find_file(context: ReadContext, name: str, from_recipe_dir: bool, or_beside: str = "") -> Path:
    """Find a file in the recipe's or the project's folder, with links resolved."""
    if not isinstance(name, str):
        raise TwofoldError("a file's name must be a text")
    folders = context.roots[:1] if from_recipe_dir else tuple(reversed(context.roots))
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


def read_git_variables(folder: Path) -> dict[str, str]:
    """Read GIT_DESCRIBE_TAG, GIT_DESCRIBE_NUMBER, GIT_FULL_HASH, ...; {} outside a checkout."""
    full = _run_git(folder, "rev-parse", "HEAD")
    if not full:
        return {}
    found = {"GIT_FULL_HASH": full, "GIT_BUILD_STR": f"0_g{full[:7]}"}
    described = _run_git(folder, "describe", "--tags", "--long", "HEAD")
    if described:
        tag, number, short = described.rsplit("-", 2)
        found |= {
            "GIT_DESCRIBE_TAG": tag,
            "GIT_DESCRIBE_NUMBER": number,
            "GIT_DESCRIBE_HASH": short,
            "GIT_BUILD_STR": f"{number}_{short}",
        }
    return found


def _run_git(folder: Path, *words: str) -> str:
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
        raise SubprocessFailed("git timed out after 20 s") from error
    return done.stdout.strip() if done.returncode == 0 else ""


def _make_pin_compatible(calls: DeferredCalls) -> Callable[..., str]:
    def pin_compatible(
        package_name: str,
        lower_bound: str | None = None,
        upper_bound: str | None = None,
        min_pin: str | None = "x.x.x.x.x.x",
        max_pin: str | None = "x",
        exact: bool = False,
        **_: object,
    ) -> str:
        return calls.add_placeholder(
            DeferredCall(
                "pin_compatible",
                _check_name(package_name),
                min_pin,
                max_pin,
                lower_bound,
                upper_bound,
                exact,
            )
        )

    return pin_compatible


def _make_pin_subpackage(calls: DeferredCalls) -> Callable[..., str]:
    def pin_subpackage(
        subpackage_name: str,
        min_pin: str | None = "x.x.x.x.x.x",
        max_pin: str | None = "x",
        exact: bool = False,
        **_: object,
    ) -> str:
        return calls.add_placeholder(
            DeferredCall(
                "pin_subpackage", _check_name(subpackage_name), min_pin, max_pin, exact=exact
            )
        )

    return pin_subpackage


def _check_name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.+-]+", value):
        raise TwofoldError(f"{value!r} is not the name of a package or language")
    return value
