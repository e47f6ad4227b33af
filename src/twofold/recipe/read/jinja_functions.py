"""The functions and variables of a recipe's Jinja, beside those of the platform."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.recipe.model import HASH, MAX_PIN, MIN_PIN, DeferredCall, DeferredCalls
from twofold.recipe.read.jinja_modules import (
    BUILD_VARIABLES,
    DatetimeModule,
    EnvironVariables,
    FileData,
    FileRegex,
    OsModule,
    ReadContext,
    SetupData,
    TimeModule,
    load_str_data,
)
from twofold.recipe.read.variant_defaults import list_build_variables

#: What is known of the package only once its recipe has been read a first time.
PACKAGE_VARIABLES = ("PKG_NAME", "PKG_VERSION", "PKG_BUILDNUM")
#: The names of a first reading: the second one has the values.
_NOT_YET_KNOWN = frozenset(f"${name}" for name in PACKAGE_VARIABLES)
#: What conda-build sets for its own runs, as a recipe sees it while it is read.
_STATE = {"CONDA_BUILD": "1", "CONDA_BUILD_STATE": "RENDER"}
_SHELL_VARIABLE = re.compile(rf"\$(?:{'|'.join((*BUILD_VARIABLES, *PACKAGE_VARIABLES))})\b")
_GIT = re.compile(r"\bGIT_\w+")


def make_functions(
    context: ReadContext, calls: DeferredCalls, text: str, package: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Make all functions and variables of the recipe's Jinja.

    `text` is the recipe, searched for git variables; `package` holds the values of
    PACKAGE_VARIABLES where they are known.
    """
    known = read_git_variables(context.roots[-1]) if _GIT.search(text) else {}
    known |= package or {name: f"${name}" for name in PACKAGE_VARIABLES}
    known |= list_build_variables(context.platform, context.variant or {})
    known |= _STATE
    environ = EnvironVariables(context.environ, known)
    return {
        **context.platform.variables(),
        **{name: f"${name}" for name in BUILD_VARIABLES},
        **known,
        "PKG_HASH": calls.add_placeholder(HASH),
        "environ": environ,
        "load_setup_py_data": SetupData(context),
        "load_setuptools": SetupData(context),
        "load_file_data": FileData(context),
        "load_file_regex": FileRegex(context),
        "load_str_data": load_str_data,
        "load_npm": lambda: FileData(context)("package.json"),
        "os": OsModule(environ),
        "datetime": DatetimeModule(context.environ),
        "time": TimeModule(context.environ),
        "ccache": _add_ccache,
        "resolved_packages": _refuse_resolved_packages,
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


def write_for_cmd(text: str) -> str:
    """Write `$PYTHON`, which Jinja's {{ PYTHON }} became, as cmd.exe reads it: `%PYTHON%`."""
    return _SHELL_VARIABLE.sub(lambda found: f"%{found.group(0)[1:]}%", text)


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


def _add_ccache(_method: str = "") -> str:
    """Return the package of `ccache('method')`; the method is conda-build's own setting."""
    return "ccache"


def _refuse_resolved_packages(_environment: str = "") -> str:
    raise TwofoldError(
        "conda-build knows resolved_packages(), twofold does not: it needs the solved host",
        "name the packages, or build this recipe with conda-build",
    )


def _make_pin_compatible(calls: DeferredCalls) -> Callable[..., str]:
    def pin_compatible(
        package_name: str,
        lower_bound: str | None = None,
        upper_bound: str | None = None,
        min_pin: str | None = MIN_PIN,
        max_pin: str | None = MAX_PIN,
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
        min_pin: str | None = MIN_PIN,
        max_pin: str | None = MAX_PIN,
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
    if isinstance(value, str) and any(name in value for name in _NOT_YET_KNOWN):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[\w.+-]+", value):
        raise TwofoldError(f"{value!r} is not the name of a package or language")
    return value
