"""The validated content of a recipe, as frozen values.

conda-build calls its solver while it renders a recipe. Here a Jinja call such as `compiler('c')`
leaves a placeholder in the YAML: two letters of Unicode's private area around a number. The code
that builds the package resolves each `DeferredCall`: to a version that is known by then, to a
compiler of the channel, or to the same call in recipe v1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twofold.recipe.request import Platform

_PLACEHOLDER_START, _PLACEHOLDER_END = "\ue002", "\ue003"
_CALL = re.compile(f"{_PLACEHOLDER_START}(\\d+){_PLACEHOLDER_END}")


@dataclass(frozen=True, slots=True)
class DeferredCall:
    """A deferred call: `compiler('c')`, `stdlib('c')`, `cdt('x')`, `pin_compatible(...)`; or HASH.

    `min_pin` and `max_pin` are 'x.x' forms or None; `lower` and `upper` versions or None.
    """

    function: str
    name: str
    min_pin: str | None = None
    max_pin: str | None = None
    lower: str | None = None
    upper: str | None = None
    exact: bool = False


#: What pins of meta.yaml keep of a version unless they say otherwise.
MIN_PIN, MAX_PIN = "x.x.x.x.x.x", "x"
#: `{{ PKG_HASH }}` in a build string: known once all variants of the recipe are.
HASH = DeferredCall("PKG_HASH", "")


class DeferredCalls:
    """The calls of one rendering, by the number in their placeholders."""

    def __init__(self) -> None:
        self._calls: list[DeferredCall] = []

    def add_placeholder(self, call: DeferredCall) -> str:
        """Record a call and return its placeholder."""
        self._calls.append(call)
        return f"{_PLACEHOLDER_START}{len(self._calls) - 1}{_PLACEHOLDER_END}"

    def find_call(self, text: str) -> DeferredCall | None:
        """Find the call whose placeholder a text contains, if any."""
        found = _CALL.search(text)
        return self._calls[int(found.group(1))] if found else None

    def replace(self, text: str, resolve: Callable[[DeferredCall], str]) -> str:
        """Replace each placeholder by what `resolve` returns for its call."""
        return _CALL.sub(lambda found: resolve(self._calls[int(found.group(1))]), text)

    def restore_source(self, text: str) -> str:
        """Replace each placeholder by the call as its author wrote it: `compiler('c')`."""
        return self.replace(text, lambda call: f"{{{{ {_write_call(call)} }}}}")


def _write_call(call: DeferredCall) -> str:
    if call == HASH:
        return call.function
    arguments = [repr(call.name)]
    if call.function.startswith("pin_"):
        given = {"lower_bound": call.lower, "upper_bound": call.upper}
        arguments += [f"{key}={value!r}" for key, value in given.items() if value]
        arguments += [f"min_pin={call.min_pin!r}"] if call.min_pin != MIN_PIN else []
        arguments += [f"max_pin={call.max_pin!r}"] if call.max_pin != MAX_PIN else []
        arguments += ["exact=True"] if call.exact else []
    return f"{call.function}({', '.join(arguments)})"


def resolve_pin(call: DeferredCall, version: str, build: str) -> str:
    """Return the requirement that a pin means once the version of the package is known.

    As in conda-build: `min_pin` and `max_pin` give the number of version parts to keep; the upper
    bound is the last of them plus one, with `.0a0` so that its pre-releases stay out.
    """
    if call.exact:
        return f"{call.name} {version} {build}"
    bounds = []
    if call.lower:
        bounds.append(f">={call.lower}")
    elif call.min_pin:
        bounds.append(f">={_truncate_version(version, call.min_pin)}")
    if call.upper:
        bounds.append(f"<{call.upper}")
    elif call.max_pin:
        bounds.append(f"<{_next_version(version, call.max_pin)}")
    return f"{call.name} {','.join(bounds)}".strip()


def _truncate_version(version: str, pin: str) -> str:
    return ".".join(version.split(".")[: pin.count("x")])


def _next_version(version: str, pin: str) -> str:
    parts = version.split(".")[: pin.count("x")]
    parts += ["0"] * (pin.count("x") - len(parts))
    number = re.match(r"\d+", parts[-1])
    parts[-1] = str(int(number.group(0)) + 1) if number else parts[-1]
    return ".".join([*parts, "0a0"])


@dataclass(frozen=True, slots=True)
class Line:
    """A text of the recipe with its line in the file and its key (`build/script`)."""

    text: str
    number: int
    key: str

    def where(self, file: str) -> str:
        """Return `file:line: key`, for messages."""
        return f"{file}:{self.number}: {self.key}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the source comes from: `kind` is 'path', 'url' or 'git'.

    `location` is the path or address; `mirrors` further addresses of the same file; `hashes`
    algorithm -> hex; `revision` a git revision; `folder` where it goes below the work folder;
    `keeps_top_folder`: the one folder at an archive's top is not cut off; `file_name` is what a
    fetched file is called, '' for the name in its address.
    """

    kind: str
    location: Line
    mirrors: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    folder: str = ""
    patches: tuple[Line, ...] = ()
    keeps_top_folder: bool = False
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """The build section. `noarch` is 'python', 'generic' or ''; `string` '' when not given.

    `script` are the lines of build/script, or of build.sh beside the recipe (`script_file`).
    `kept` holds keys that only a build with a host environment uses, as they were read.
    """

    number: int = 0
    string: str = ""
    noarch: str = ""
    skip: bool = False
    script: tuple[Line, ...] = ()
    script_file: str = ""
    script_env: tuple[Line, ...] = ()
    entry_points: tuple[Line, ...] = ()
    run_exports: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    linking: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    noarch_line: int = 0


@dataclass(frozen=True, slots=True)
class Requirements:
    """MatchSpecs by environment; they may contain placeholders of `DeferredCall`s."""

    build: tuple[Line, ...] = ()
    host: tuple[Line, ...] = ()
    run: tuple[Line, ...] = ()
    constrained: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Tests:
    """The test section. `scripts` are run_test.* beside the recipe, or what test/script names.

    `contents` are recipe v1's tests of the package's files, carried as they are.
    """

    imports: tuple[Line, ...] = ()
    commands: tuple[Line, ...] = ()
    requires: tuple[Line, ...] = ()
    source_files: tuple[Line, ...] = ()
    files: tuple[Line, ...] = ()
    scripts: tuple[Path, ...] = ()
    contents: tuple[object, ...] = ()

    def __bool__(self) -> bool:
        return any((self.imports, self.commands, self.scripts))


@dataclass(frozen=True, slots=True)
class App:
    """Its fields of index.json (`index_fields`), and the icon's file beside the recipe."""

    index_fields: Mapping[str, object]
    line: Line
    icon: Line | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One package of a recipe.

    `files` are the globs of what a split recipe moves into it, `excluded` of what it leaves.
    """

    name: str
    version: str
    line: int
    build: Build
    requirements: Requirements
    tests: Tests
    about: Mapping[str, tuple[Line, ...]]
    files: tuple[Line, ...] = ()
    excluded_files: tuple[Line, ...] = ()
    app: App | None = None
    is_split: bool = False

    @property
    def license_files(self) -> tuple[Line, ...]:
        """The values of about/license_file."""
        return self.about.get("license_file", ())


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe as it was read for one platform and Python.

    `path` is meta.yaml; `text` its content, `rendered` the output of Jinja. `is_specific`:
    selectors or Jinja use the platform or Python; `uses_python`: they use Python. `remarks` are
    for the user. `names_used` are the names that selectors and Jinja mention, `variant` the
    values it was read with (see `variants`). `is_v1`: it is in the form of recipe.yaml.
    """

    path: Path
    platform: Platform
    sources: tuple[Source, ...]
    outputs: tuple[Output, ...]
    extra: Mapping[str, object]
    calls: DeferredCalls
    text: str
    rendered: str
    is_specific: bool
    uses_python: bool
    remarks: tuple[str, ...]
    names_used: frozenset[str] = frozenset()
    variant: Mapping[str, str] = field(default_factory=dict)
    is_v1: bool = False

    @property
    def folder(self) -> Path:
        """The folder of the recipe."""
        return self.path.parent
