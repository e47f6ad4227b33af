"""What a recipe says, checked: frozen values that the rest of the room reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twofold.recipe.deferred_calls import DeferredCalls
from twofold.recipe.platform import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.recipe.app import App


@dataclass(frozen=True, slots=True)
class Line:
    """A text of the recipe with its line in the file and its key (`build/script`)."""

    text: str
    number: int
    key: str

    def where(self, file: str) -> str:
        return f"{file}:{self.number}: {self.key}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the source comes from: `kind` is 'path', 'url' or 'git'.

    `location` is the path or address; `mirrors` further addresses of the same file; `hashes`
    algorithm -> hex; `revision` a git revision; `folder` where it goes below the work folder.
    """

    kind: str
    location: Line
    mirrors: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    folder: str = ""
    patches: tuple[Line, ...] = ()


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
    """MatchSpecs by the environment they belong to; signs of calls may be in them (see `pins`)."""

    build: tuple[Line, ...] = ()
    host: tuple[Line, ...] = ()
    run: tuple[Line, ...] = ()
    constrained: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Tests:
    """The test section. `scripts` are run_test.* beside the recipe, or what test/script names."""

    imports: tuple[Line, ...] = ()
    commands: tuple[Line, ...] = ()
    requires: tuple[Line, ...] = ()
    source_files: tuple[Line, ...] = ()
    files: tuple[Line, ...] = ()
    scripts: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return any((self.imports, self.commands, self.scripts))


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
        return self.about.get("license_file", ())


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe as it was read for one platform and Python.

    `path` is meta.yaml; `text` what it holds, `rendered` what Jinja made of it. `specific` says
    whether selectors or Jinja asked for the platform or Python, `asks_python` whether for Python.
    `remarks` are to be told. `asked` are the names that selectors and Jinja mention, `variant` the
    values it was read with (see `variants`).
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

    @property
    def folder(self) -> Path:
        return self.path.parent
