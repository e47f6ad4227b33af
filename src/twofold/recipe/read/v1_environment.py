"""The names, functions, filters and tests of recipe.yaml's expressions, as rattler-build has them.

They are fewer than meta.yaml's: minijinja has no methods of texts and lists. What is not here is
left to rattler-build, which reads it or says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined, UndefinedError
from jinja2.exceptions import SecurityError

from twofold.names.match_specs import meets_version_spec
from twofold.recipe.model import DeferredCall, DeferredCalls
from twofold.recipe.read.jinja_functions import PACKAGE_VARIABLES, make_functions
from twofold.recipe.read.jinja_modules import BUILD_VARIABLES, EnvironVariables, ReadContext
from twofold.recipe.read.limits import Budget
from twofold.recipe.read.sandbox import V1, RecipeEnvironment
from twofold.recipe.read.variant_defaults import find_shared_library_ending
from twofold.recipe.read.variants import PYTHON_MIN
from twofold.recipe.request import Environ, Platform

#: Known in scripts only, where the shell fills them in.
SCRIPT_VARIABLES = frozenset({*BUILD_VARIABLES, *PACKAGE_VARIABLES})
#: Names of the platform that have the same value in meta.yaml.
_SHARED = str.split(
    "linux osx win emscripten wasi freebsd zos x86_64 arm64 aarch64 ppc64 ppc64le s390x armv6l "
    "armv7l riscv64 wasm32 z linux32 linux64 win32 win64 target_platform build_platform python"
)
_FILTERS = str.split(
    "abs default first int join last length list lower max min replace reverse sort split trim "
    "unique upper"
)
_TESTS = frozenset(
    str.split(
        "boolean defined eq even false float ge gt in integer le lt ne none number odd sequence "
        "string true undefined"
    )
)
#: The filters of texts, which minijinja gives numbers too.
_OF_TEXTS = ("lower", "replace", "trim", "upper")
#: rattler-build reads no version alone: 1.2 might mean ==1.2 or 1.2.*.
_SPEC = re.compile(r"(?:[<>]=?|[=!~]=|=)\s*[\w.!+*]+|[\w.!+]*\*")


def make_v1_names(context: ReadContext, calls: DeferredCalls, text: str) -> dict[str, object]:
    """Make all functions and variables; `text` is the recipe."""
    older = make_functions(context, calls, text)
    platform = context.platform.variables()
    return {
        **{name: platform[name] for name in _SHARED},
        **_make_other_platform_names(context.platform),
        **{name: f"${name}" for name in SCRIPT_VARIABLES},
        **{name: older[name] for name in ("compiler", "stdlib", "cdt")},
        "SHLIB_EXT": find_shared_library_ending(context.platform),
        "python_min": PYTHON_MIN,
        "env": _Env(context.environ),
        "match": _match,
        "pin_subpackage": _make_pin(calls, "pin_subpackage"),
        "pin_compatible": _make_pin(calls, "pin_compatible"),
    }


def _make_other_platform_names(platform: Platform) -> dict[str, object]:
    """Make those that differ from meta.yaml's: `x86` has 32 bits, `unix` is no wasi."""
    system, _, machine = platform.subdir.partition("-")
    return {
        "x86": machine == "32",
        "unix": system in ("linux", "osx", "freebsd", "emscripten"),
    }


class V1Environment(RecipeEnvironment):
    """The environment of one rendering of a recipe.yaml."""

    def __init__(self, names: Mapping[str, object], budget: Budget) -> None:
        super().__init__(names, budget, V1, _write)
        self.globals = dict(names)
        own = {name: self.filters[name] for name in self.filters if name.startswith("_")}
        self.filters = {**own, **_choose_filters(self.filters)}
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow the functions of `env` alone: texts and lists have no methods."""
        is_own = isinstance(obj, _Env)
        return is_own and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:  # noqa: ARG002
        """Refuse `str.format`, which is a method as others are."""
        return


def _write(value: object) -> object:
    """Write truth values and none as minijinja does, which rattler-build reads recipes with."""
    if isinstance(value, list | tuple | dict) or (isinstance(value, float) and "e" in repr(value)):
        raise SecurityError(f"a {type(value).__name__} is not a text")
    return str(value).lower() if value is None or isinstance(value, bool) else value


def _choose_filters(
    filters: Mapping[str, Callable[..., object]],
) -> dict[str, Callable[..., object]]:
    """Choose recipe v1's filters, which refuse a value of another kind than theirs."""

    def restrict(name: str, *kinds: type) -> Callable[..., object]:
        def applied(value: object, *given: object, **options: object) -> object:
            if isinstance(value, Undefined):
                return value
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise TypeError(f"the filter '{name}' does not take a {type(value).__name__}")
            return filters[name](value, *given, **options)

        return applied

    def to_int(value: object) -> object:
        return numbers(float(value) if isinstance(value, str) else value)

    numbers = restrict("int", int, float, bool)
    texts = {name: restrict(name, str, int, float) for name in _OF_TEXTS}
    chosen = {**{name: filters[name] for name in _FILTERS}, **texts}
    return {**chosen, "int": to_int, "split": restrict("split", str)}


class _Env:
    """`env.get('X')`, `env.get('X', default='')`, `env.exists('X')`."""

    offered = ("get", "exists")

    def __init__(self, environ: Environ) -> None:
        self._variables = EnvironVariables(environ, {})

    def get(self, name: str, *, default: object = None) -> object:
        """Return a variable; raises UndefinedError if it is not set and has no default."""
        found = self._variables.get(name, default)
        if found is None:
            raise UndefinedError(f"the environment variable {name} is not set")
        return found

    def exists(self, name: str) -> bool:
        """Whether a variable is set."""
        return name in self._variables


def _match(version: object, spec: str) -> bool:
    """Whether a version is in a spec, by conda's order of versions: 2.0rc1 is below 2.0."""
    parts = [part.strip() for part in re.split("[,|]", str(spec))]
    if not str(version) or not all(_SPEC.fullmatch(part) for part in parts):
        raise UndefinedError(f"match({version!r}, {spec!r}) compares no version with a spec")
    return meets_version_spec(str(version), str(spec))


def _make_pin(calls: DeferredCalls, function: str) -> Callable[..., str]:
    def pin(
        name: str,
        lower_bound: str | None = "x.x.x.x.x.x",
        upper_bound: str | None = "x",
        exact: bool = False,
    ) -> str:
        """Make a pin function; bounds are forms such as 'x.x', or versions."""
        min_pin, lower = _parse_bound(lower_bound)
        max_pin, upper = _parse_bound(upper_bound)
        return calls.add_placeholder(
            DeferredCall(function, name.lower(), min_pin, max_pin, lower, upper, exact)
        )

    return pin


def _parse_bound(bound: str | None) -> tuple[str | None, str | None]:
    """Parse a bound: a form of x's or a version; the other is None."""
    if not bound:
        return None, None
    return (bound, None) if set(bound) <= {"x", "."} else (None, bound)
