"""Plan a migration: the precedence of the files, and what the old backend must compute."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.check.other_backend import DeclaredProject
from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.new.migrate import bare_code
from twofold.new.migrate.built_wheel import read_wheel
from twofold.new.migrate.dependency_lists import (
    RecipeFacts,
    read_conda_recipe,
    read_environment,
    read_requirements,
)
from twofold.new.migrate.facts import (
    PROJECT_TABLE,
    DroppedSetting,
    Facts,
    settle_license,
)
from twofold.new.migrate.modules import exclude_unlisted, settle_modules
from twofold.new.migrate.packed_files import (
    PackedFiles,
    carry_over_files,
    compare_files,
    keep_wheel_files,
    list_new_files,
    list_old_files,
    place_data_files,
)
from twofold.new.migrate.pyproject_reader import read_pyproject_tables
from twofold.new.migrate.pyproject_writer import render_pyproject
from twofold.new.migrate.setup_cfg import (
    is_built_by_setuptools,
    read_setuptools_project,
)
from twofold.new.migrate.setuptools_files import read_manifest
from twofold.new.source_tree import read_source_tree
from twofold.source_analysis import InstalledDistributions

_RECIPES = ("meta.yaml", "recipe/meta.yaml", "conda/meta.yaml", "conda.recipe/meta.yaml")
_ENVIRONMENTS = ("environment.yml", "environment.yaml")


@dataclass(frozen=True, slots=True)
class MigrationTools:
    """What a migration cannot do by itself, given by the caller.

    `build_wheel()` builds the project with its own backend and returns the wheel, which stays
    while the plan is made; None where nothing may be run. `read_recipe` reads a meta.yaml;
    `environment` knows what is installed.
    """

    build_wheel: Callable[[], Path] | None = None
    read_recipe: Callable[[Path], RecipeFacts] | None = None
    environment: InstalledDistributions = field(default_factory=InstalledDistributions)


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What `twofold init` would write, and its remarks.

    `sources` are the files that were read; `dropped` the settings that were not carried over.
    `is_bare`: no file configures a build, so there is no old wheel to compare with. `packed`
    compares the files of the old wheel, None where there is none; `problems` are why the new
    file would not build: it must not be written then.
    """

    path: Path
    text: str
    name: str
    sources: tuple[str, ...]
    dropped: tuple[DroppedSetting, ...]
    remarks: tuple[str, ...]
    is_bare: bool
    packed: PackedFiles | None = None
    problems: tuple[Problem, ...] = ()


#: How the names of backends begin whose tables are read.
_READ_BACKENDS = ("poetry", "flit", "hatchling", "pdm", "uv", "twofold_build")


@dataclass(slots=True)
class _Gathered:
    """The facts so far, the old file without what is replaced, the files read."""

    root: Path
    facts: Facts
    document: dict[str, Any] = field(default_factory=dict)
    rest: str = ""
    sources: list[str] = field(default_factory=list)
    is_bare: bool = True
    is_setuptools: bool = False
    wheel: Path | None = None


def plan_migration(root: Path, tools: MigrationTools) -> MigrationPlan:
    """Read the project and work out the new pyproject.toml; writes nothing.

    Raises TwofoldError if the project is migrated already or has no Python, BadFile for a
    file that cannot be read, ToolFailed when its own backend is needed and fails.
    """
    found = gather_facts(root, tools)
    facts = found.facts
    for problem in facts.overlooked:
        facts.drop(problem.where, problem.message, problem.hint)
    text = _render(found)
    packed: PackedFiles | None = None
    problems: tuple[Problem, ...] = ()
    try:
        text, packed = _compare_packed_files(found, text)
    except ProjectErrors as error:
        problems = tuple(error.problems)
    if packed is None or packed.gone:
        facts.dropped += [one for one in facts.doubts if one not in facts.dropped]
    return MigrationPlan(
        root / "pyproject.toml",
        text,
        str(facts.project["name"]),
        tuple(found.sources),
        tuple(facts.dropped),
        tuple(facts.remarks),
        found.is_bare,
        packed,
        problems,
    )


def _render(found: _Gathered) -> str:
    text = render_pyproject(_finish_version(found.facts), found.rest)
    _check_toml(text)
    return text


def _compare_packed_files(found: _Gathered, text: str) -> tuple[str, PackedFiles | None]:
    """Plan a build of the new file, and bring its files nearer to those of the old wheel.

    Raises ProjectErrors if it would not build.
    """
    new = list_new_files(found.root, text)
    if found.wheel is None:
        return text, None
    old = list_old_files(found.wheel)
    carry_over_files(found.facts, found.root, old, new)
    place_data_files(found.facts, found.root, found.wheel, old - set(new))
    text = _render(found)
    return text, compare_files(old, list_new_files(found.root, text))


def gather_facts(root: Path, tools: MigrationTools) -> _Gathered:
    """Gather everything known about a project, file by file, and then from its code."""
    found = read_static_facts(root, tools)
    if found.is_bare:
        bare_code.read_bare_code(found.facts, root, tools.environment)
    else:
        found.wheel = _read_built_wheel(found, tools)
        if found.is_setuptools and found.wheel is None:
            found.facts.remarks.append(
                "every file in a package is packed now, not just those of package_data and "
                "MANIFEST.in: exclude others in [tool.twofold.wheel] exclude"
            )
    if "name" not in found.facts.project:
        found.facts.project["name"] = root.resolve().name
        found.facts.remarks.append("no name found: using the folder's name")
    settle_license(found.facts)
    takes_all = found.is_bare or found.is_setuptools
    settle_modules(found.facts, root, takes_all, is_compared=found.wheel is not None)
    keep_wheel_files(found.facts, root, list_old_files(found.wheel) if found.wheel else None)
    return found


def _check_toml(text: str) -> None:
    """Fail before writing if the output is not valid TOML."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TwofoldError(
            f"pyproject.toml is written in a way that cannot be changed safely ({error})",
            "write each table under a [header] of its own, once",
            "pyproject.toml",
        ) from error


def read_static_facts(root: Path, tools: MigrationTools) -> _Gathered:
    """Read the project's metadata files; its code is not read and nothing is run."""
    found = _Gathered(root, Facts())
    content = read_pyproject_tables(found.facts, root)
    if content:
        found.sources.append("pyproject.toml")
        found.rest, found.is_bare = content.rest, content.is_bare
        found.document = content.document
    _read_setuptools_files(found)
    for key in found.document.get("project", {}).get("dynamic", ()):
        if key not in found.facts.project:
            found.facts.mark_unread(key, PROJECT_TABLE)
    for name in _RECIPES:
        if (root / name).is_file() and tools.read_recipe:
            read_conda_recipe(found.facts, tools.read_recipe(root / name), name)
            found.sources.append(name)
            break
    if found.is_bare:
        _read_lists(found)
    return found


def _read_setuptools_files(found: _Gathered) -> None:
    """Read setup.py, setup.cfg and MANIFEST.in, unless another backend builds the project."""
    backend = str(found.document.get("build-system", {}).get("build-backend", ""))
    if not is_built_by_setuptools(found.document):
        if backend and not backend.startswith(_READ_BACKENDS):
            hint = "its settings are not read: keep it for what it compiles or generates"
            where = "pyproject.toml [build-system]"
            found.facts.drop(where, f"build-backend = {backend}", hint)
        return
    found.is_setuptools = not backend.startswith("pbr")
    names = read_setuptools_project(found.facts, found.root)
    found.is_bare = found.is_bare and not names
    if not found.is_bare and (found.root / "MANIFEST.in").is_file():
        read_manifest(found.facts, found.root / "MANIFEST.in")
        names.append("MANIFEST.in")
    found.sources += names


def _read_built_wheel(found: _Gathered, tools: MigrationTools) -> Path | None:
    """Read modules and computed values from a wheel of the old backend, if it may run.

    Where nothing is computed, a backend that fails is only remarked on.
    """
    facts = found.facts
    for key in ("name", "version"):
        if key not in facts.project:
            facts.mark_unread(key, found.sources[-1])
    if tools.build_wheel is None:
        for key, where in facts.unread.items():
            facts.drop(where, key, "computed by a program, which was not run")
        bare_code.propose_module_version(facts, read_source_tree(found.root))
        facts.project.setdefault("version", "0.0.0")
        return None
    try:
        wheel = tools.build_wheel()
    except TwofoldError as error:
        if facts.unread:
            raise
        facts.remarks.append(
            "the old backend built no wheel, so the packed files are not compared: "
            f"{error.problems[0].message}"
        )
        return None
    if facts.unread:
        facts.remarks.append(
            "computed by a program; read from a wheel of the old backend: "
            f"{', '.join(facts.unread)}"
        )
    read_wheel(facts, found.root, wheel)
    return wheel


def _read_lists(found: _Gathered) -> None:
    """Read what a folder without metadata may have: an environment, requirements."""
    for name in _ENVIRONMENTS:
        if (found.root / name).is_file():
            read_environment(found.facts, found.root / name)
            found.sources.append(name)
    for name, group in (
        ("requirements.txt", ""),
        ("requirements-dev.txt", "dev"),
        ("dev-requirements.txt", "dev"),
        ("requirements-test.txt", "test"),
        ("test-requirements.txt", "test"),
    ):
        if (found.root / name).is_file():
            read_requirements(found.facts, found.root / name, group)
            found.sources.append(name)


def _finish_version(facts: Facts) -> Facts:
    """Move a dynamic version to [tool.twofold.version]."""
    version = facts.project.get("version")
    if isinstance(version, dict):
        del facts.project["version"]
        facts.project["dynamic"] = ["version"]
        for key, value in version.items():
            facts.add_setting(f"version.{key}", value)
    return facts


def read_declared_project(root: Path) -> DeclaredProject:
    """Read a project as `twofold init` does, without running code: computed values stay unknown.

    Raises TwofoldError for files that cannot be read.
    """
    found = read_static_facts(root, MigrationTools())
    facts = found.facts
    facts.project.setdefault("name", root.resolve().name)
    classifiers = facts.project.get("classifiers")
    settle_license(facts)
    if classifiers and isinstance(found.document.get("project", {}).get("license"), str):
        facts.project["classifiers"] = classifiers  # beside an expression they are judged too
    listed = list(facts.packages or ()) if found.is_setuptools else []
    settle_modules(facts, root, found.is_bare or found.is_setuptools)
    if listed:
        sources = facts.settings.get("source", "src" if (root / "src").is_dir() else "")
        sources = [sources] if isinstance(sources, str) else sources
        exclude_unlisted(facts, root, sources, listed)
    places = [name for name in found.sources if name in ("setup.cfg", "setup.py")]
    return DeclaredProject(
        facts.project,
        facts.settings,
        frozenset(key for key in facts.unread if key != "packages"),
        places[-1] if places else "pyproject.toml",
        facts.unread.get("packages", ""),
        tuple(facts.overlooked),
    )
