"""Plan a migration: the precedence of the files, and what the old backend must compute."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.check.other_backend import DeclaredProject
from twofold.errors import TwofoldError
from twofold.new.migrate import bare_code
from twofold.new.migrate.backend_tables import read_backend_tables
from twofold.new.migrate.built_wheel import read_wheel
from twofold.new.migrate.dependency_lists import (
    RecipeFacts,
    read_conda_recipe,
    read_environment,
    read_requirements,
)
from twofold.new.migrate.facts import (
    PROJECT_TABLE,
    CommentedRequirement,
    DroppedSetting,
    Facts,
    merge_tables,
    settle_license,
)
from twofold.new.migrate.flit import read_flit, read_flit_module
from twofold.new.migrate.modules import exclude_unlisted, settle_modules
from twofold.new.migrate.poetry import read_poetry
from twofold.new.migrate.pyproject_writer import render_pyproject
from twofold.new.migrate.schema import validate
from twofold.new.migrate.setuptools_files import read_manifest
from twofold.new.migrate.setuptools_project import (
    is_built_by_setuptools,
    read_setuptools_project,
)
from twofold.new.migrate.toml_text import (
    find_comments,
    group_tables,
    list_comments,
    remove_tables,
    split_sections,
)
from twofold.source_analysis import InstalledDistributions
from twofold_build.pyproject import read_document

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
    `is_bare`: no file configures a build, so there is no old wheel to compare with.
    """

    path: Path
    text: str
    name: str
    sources: tuple[str, ...]
    dropped: tuple[DroppedSetting, ...]
    remarks: tuple[str, ...]
    is_bare: bool


@dataclass(slots=True)
class _Gathered:
    """The facts so far, the old file without what is replaced, the files read."""

    root: Path
    facts: Facts
    rest: str = ""
    sources: list[str] = field(default_factory=list)
    is_bare: bool = True
    is_setuptools: bool = False


def plan_migration(root: Path, tools: MigrationTools) -> MigrationPlan:
    """Read the project and work out the new pyproject.toml; writes nothing.

    Raises TwofoldError if the project is migrated already or has no Python, BadFile for a
    file that cannot be read, ToolFailed when its own backend is needed and fails.
    """
    found = gather_facts(root, tools)
    facts = found.facts
    text = render_pyproject(_finish_version(facts), found.rest)
    _check_toml(text)
    return MigrationPlan(
        root / "pyproject.toml",
        text,
        str(facts.project["name"]),
        tuple(found.sources),
        tuple(facts.dropped),
        tuple(facts.remarks),
        found.is_bare,
    )


def gather_facts(root: Path, tools: MigrationTools) -> _Gathered:
    """Gather everything known about a project, file by file, and then from its code."""
    found = read_static_facts(root, tools)
    if found.is_bare:
        bare_code.read_bare_code(found.facts, root, tools.environment)
    else:
        _read_built_wheel(found, tools)
    if "name" not in found.facts.project:
        found.facts.project["name"] = root.resolve().name
        found.facts.remarks.append("no name found: using the folder's name")
    settle_license(found.facts)
    settle_modules(found.facts, root, found.is_bare or found.is_setuptools)
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
    document = _read_pyproject(found)
    _read_setuptools_files(found, document)
    for key in document.get("project", {}).get("dynamic", ()):
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


def _read_pyproject(found: _Gathered) -> dict[str, Any]:
    """Read [project] and the tables of backends."""
    path = found.root / "pyproject.toml"
    if not path.is_file():
        return {}
    text, document = read_document(found.root)
    validate(document, text)
    backend = str(document.get("build-system", {}).get("build-backend", ""))
    if backend == "twofold_build" and "project" in document:
        raise TwofoldError(
            "the project uses twofold-build already", "build it: twofold build", str(path)
        )
    found.sources.append("pyproject.toml")
    facts, project, tool = found.facts, document.get("project", {}), document.get("tool", {})
    _propose_project(facts, project)
    done = ["build-system"] if "build-system" in document else []
    if "poetry" in tool:
        read_poetry(
            facts, found.root, tool["poetry"], _make_comment_finder(text, ("tool", "poetry"))
        )
        done.append("tool.poetry")
    if "flit" in tool:
        read_flit(facts, found.root, tool["flit"])
        done.append("tool.flit")
    done += read_backend_tables(facts, found.root, tool)
    if "twofold" in tool:
        facts.settings = merge_tables(tool["twofold"], facts.settings)
        done.append("tool.twofold")
    dynamic = list(project.get("dynamic", ()))
    if "flit" in backend:
        keys = dynamic if project else ["version", "description"]
        read_flit_module(facts, found.root, keys)
    found.is_bare = not (project or {"poetry", "setuptools"} & set(tool) or tool.get("flit"))
    found.rest = remove_tables(group_tables(text, "project"), done)
    _keep_comments(facts, text, found.rest)
    return document


def _propose_project(facts: Facts, project: dict[str, Any]) -> None:
    for key, value in project.items():
        if key == "license" and isinstance(value, dict) and "text" in value:
            facts.propose_license(value["text"], PROJECT_TABLE)
        elif key != "dynamic":
            facts.project[key] = value
            facts.origins[key] = PROJECT_TABLE


def _make_comment_finder(text: str, base: tuple[str, ...]) -> Callable[..., str]:
    beside = {section.name: find_comments(section)[0] for section in split_sections(text)}

    def comment(*path: str) -> str:
        return beside.get((*base, *path[:-1]), {}).get(path[-1], "")

    return comment


def _keep_comments(facts: Facts, text: str, rest: str) -> None:
    """Move comments of replaced tables that are not beside a requirement above [project]."""
    held = {
        one.comment
        for listed in (
            facts.project.get("dependencies", []),
            *facts.project.get("optional-dependencies", {}).values(),
            *facts.groups.values(),
        )
        for one in listed
        if isinstance(one, CommentedRequirement) and one.comment
    }
    still = list_comments(rest)
    for comment in list_comments(text):
        if comment in still:
            still.remove(comment)
        elif comment.lstrip("# ").partition(": ")[2] not in held:
            facts.comments.append(comment)


def _read_setuptools_files(found: _Gathered, document: dict[str, Any]) -> None:
    """Read setup.py, setup.cfg and MANIFEST.in, unless another backend builds the project."""
    if not is_built_by_setuptools(document):
        return
    backend = str(document.get("build-system", {}).get("build-backend", ""))
    found.is_setuptools = not backend.startswith("pbr")
    names = read_setuptools_project(found.facts, found.root)
    found.is_bare = found.is_bare and not names
    if not found.is_bare and (found.root / "MANIFEST.in").is_file():
        read_manifest(found.facts, found.root / "MANIFEST.in")
        names.append("MANIFEST.in")
    found.sources += names


def _read_built_wheel(found: _Gathered, tools: MigrationTools) -> None:
    """Read computed values from a wheel of the old backend; drop them if it may not run."""
    facts = found.facts
    for key in ("name", "version"):
        if key not in facts.project:
            facts.mark_unread(key, found.sources[-1])
    if not facts.unread:
        return
    if tools.build_wheel is None:
        for key, where in facts.unread.items():
            facts.drop(where, key, "computed by a program, which was not run")
        facts.project.setdefault("version", "0.0.0")
        return
    facts.remarks.append(
        f"computed by a program; read from a wheel of the old backend: {', '.join(facts.unread)}"
    )
    read_wheel(facts, found.root, tools.build_wheel())


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
    settle_license(facts)
    listed = list(facts.packages or ()) if found.is_setuptools else []
    settle_modules(facts, root, found.is_bare or found.is_setuptools)
    if listed:
        source = str(facts.settings.get("source", "src" if (root / "src").is_dir() else ""))
        exclude_unlisted(facts, root, [source], listed)
    places = [name for name in found.sources if name in ("setup.cfg", "setup.py")]
    return DeclaredProject(
        facts.project,
        facts.settings,
        frozenset(key for key in facts.unread if key != "packages"),
        places[-1] if places else "pyproject.toml",
        facts.unread.get("packages", ""),
    )
