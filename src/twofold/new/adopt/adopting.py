"""The order in which files are believed, and what is asked of the old backend."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError
from twofold.imports import Environment
from twofold.new.adopt import bare
from twofold.new.adopt.backends import offer_backend_tables
from twofold.new.adopt.facts import Facts, Lost, Requirement, merged, settle_licence
from twofold.new.adopt.flit import offer_flit, offer_from_module
from twofold.new.adopt.lists import (
    RecipeFacts,
    offer_environment,
    offer_recipe,
    offer_requirements,
)
from twofold.new.adopt.manifest import offer_manifest
from twofold.new.adopt.modules import settle_modules
from twofold.new.adopt.poetry import offer_poetry
from twofold.new.adopt.setup_cfg import offer_setup_cfg
from twofold.new.adopt.setup_py import read_setup_py
from twofold.new.adopt.setuptools_files import Source
from twofold.new.adopt.setuptools_settings import offer_settings
from twofold.new.adopt.shapes import judge
from twofold.new.adopt.toml_text import all_comments, comments_of, sections, together, without
from twofold.new.adopt.wheel import offer_wheel
from twofold.new.adopt.writing import ORDER, pyproject_text
from twofold_build.project import read_document

_RECIPES = ("meta.yaml", "recipe/meta.yaml", "conda/meta.yaml", "conda.recipe/meta.yaml")
_ENVIRONMENTS = ("environment.yml", "environment.yaml")
_PROJECT = "pyproject.toml [project]"


@dataclass(frozen=True, slots=True)
class Tools:
    """What adoption cannot do by itself, given by the caller.

    `build_wheel()` builds the project with its own backend and returns the wheel, which stays
    while adoption runs; None where nothing may be run. `read_recipe` reads a meta.yaml;
    `environment` knows what is installed.
    """

    build_wheel: Callable[[], Path] | None = None
    read_recipe: Callable[[Path], RecipeFacts] | None = None
    environment: Environment = field(default_factory=Environment)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What `twofold init` would write, and what it has to say.

    `sources` are the files that were read; `lost` the settings that were not carried over.
    `is_bare`: nothing said how to build it, so there is no old way to compare with.
    """

    path: Path
    text: str
    name: str
    sources: tuple[str, ...]
    lost: tuple[Lost, ...]
    remarks: tuple[str, ...]
    is_bare: bool


@dataclass(slots=True)
class _Gathering:
    """Work in progress: the facts, the old file without what is replaced, the files read."""

    root: Path
    facts: Facts
    rest: str = ""
    sources: list[str] = field(default_factory=list)
    is_bare: bool = True
    is_setuptools: bool = False


def adopt(root: Path, tools: Tools) -> Adoption:
    """Read what is there and work out the new pyproject.toml; writes nothing.

    Raises TwofoldError when the project is adopted already or holds no Python, BadFile for a
    file that cannot be read, ToolFailed when its own backend is needed and fails.
    """
    found = gather(root, tools)
    facts = found.facts
    text = pyproject_text(_written(facts), found.rest)
    _prove(text)
    return Adoption(
        root / "pyproject.toml",
        text,
        str(facts.project["name"]),
        tuple(found.sources),
        tuple(facts.lost),
        tuple(facts.remarks),
        found.is_bare,
    )


def gather(root: Path, tools: Tools) -> _Gathering:
    """Everything that is known of a project, file by file, and then from its code."""
    found = stated(root, tools)
    if found.is_bare:
        bare.offer_code(found.facts, root, tools.environment)
    else:
        _ask_the_backend(found, tools)
    if "name" not in found.facts.project:
        found.facts.project["name"] = root.resolve().name
        found.facts.remarks.append("nothing says a name: it is the folder's")
    settle_licence(found.facts)
    settle_modules(found.facts, root, found.is_bare or found.is_setuptools)
    return found


def _prove(text: str) -> None:
    """What is written must be TOML: else nothing is."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TwofoldError(
            f"pyproject.toml is written in a way that cannot be changed safely ({error})",
            "write each table under a [header] of its own, once",
            "pyproject.toml",
        ) from error


def stated(root: Path, tools: Tools) -> _Gathering:
    """What the files about a project say; its code is not asked and nothing is run."""
    found = _Gathering(root, Facts())
    document = _pyproject(found)
    _setuptools_files(found, document)
    for name in _RECIPES:
        if (root / name).is_file() and tools.read_recipe:
            offer_recipe(found.facts, tools.read_recipe(root / name), name)
            found.sources.append(name)
            break
    if found.is_bare:
        _lists(found)
    return found


def _pyproject(found: _Gathering) -> dict[str, Any]:
    """[project] and the tables of backends."""
    path = found.root / "pyproject.toml"
    if not path.is_file():
        return {}
    text, document = read_document(found.root)
    judge(document, text)
    backend = str(document.get("build-system", {}).get("build-backend", ""))
    if backend == "twofold_build" and "project" in document:
        raise TwofoldError("the project is adopted already", "build it: twofold build", str(path))
    found.sources.append("pyproject.toml")
    facts, project, tool = found.facts, document.get("project", {}), document.get("tool", {})
    _offer_project(facts, project)
    done = ["build-system"] if "build-system" in document else []
    if "poetry" in tool:
        offer_poetry(facts, found.root, tool["poetry"], _comment_finder(text, ("tool", "poetry")))
        done.append("tool.poetry")
    if "flit" in tool:
        offer_flit(facts, found.root, tool["flit"])
        done.append("tool.flit")
    done += offer_backend_tables(facts, found.root, tool)
    if "twofold" in tool:
        facts.settings = merged(tool["twofold"], facts.settings)
        done.append("tool.twofold")
    dynamic = list(project.get("dynamic", ()))
    if "flit" in backend:
        keys = dynamic if project else ["version", "description"]
        offer_from_module(facts, found.root, keys)
    found.is_bare = not (project or {"poetry", "setuptools"} & set(tool) or tool.get("flit"))
    for key in dynamic:
        facts.cannot_read(key, _PROJECT)
    found.rest = without(together(text, "project"), done)
    _keep_comments(facts, text, found.rest)
    return document


def _offer_project(facts: Facts, project: dict[str, Any]) -> None:
    for key, value in project.items():
        if key == "license" and isinstance(value, dict) and "text" in value:
            facts.offer_licence(value["text"], _PROJECT)
        elif key != "dynamic":
            facts.project[key] = value
            facts.origins[key] = _PROJECT


def _comment_finder(text: str, base: tuple[str, ...]) -> Callable[..., str]:
    beside = {section.name: comments_of(section)[0] for section in sections(text)}

    def comment(*path: str) -> str:
        return beside.get((*base, *path[:-1]), {}).get(path[-1], "")

    return comment


def _keep_comments(facts: Facts, text: str, rest: str) -> None:
    """Comments of replaced tables that are not beside a requirement go above [project]."""
    held = {
        one.comment
        for listed in (
            facts.project.get("dependencies", []),
            *facts.project.get("optional-dependencies", {}).values(),
            *facts.groups.values(),
        )
        for one in listed
        if isinstance(one, Requirement) and one.comment
    }
    still = all_comments(rest)
    for comment in all_comments(text):
        if comment in still:
            still.remove(comment)
        elif comment.lstrip("# ").partition(": ")[2] not in held:
            facts.comments.append(comment)


def _setuptools_files(found: _Gathering, document: dict[str, Any]) -> None:
    """setup.cfg and setup.py, unless another backend builds the project."""
    system = document.get("build-system", {})
    backend = str(system.get("build-backend", "setuptools"))
    root, facts = found.root, found.facts
    if "backend-path" in system and any(
        r.startswith("setuptools") for r in system.get("requires", ())
    ):
        backend = "setuptools"  # one of the project's own, which calls setuptools
    if not backend.startswith(("setuptools", "pbr")) or "poetry" in document.get("tool", {}):
        return
    found.is_setuptools = backend.startswith("setuptools")
    if (root / "setup.cfg").is_file() and offer_setup_cfg(facts, root):
        found.sources.append("setup.cfg")
        found.is_bare = False
    if (root / "setup.py").is_file():
        found.sources.append("setup.py")
        found.is_bare = False
        call = read_setup_py(root / "setup.py")
        if call is None or not call.is_whole or "pbr" in call.arguments:
            _everything_computed(facts)
        if call is not None:
            call.arguments.pop("pbr", None)
            lines = Source(facts, root, "setup.py", call.lines, call.comments, call.texts)
            offer_settings(lines, call.arguments)
    if not found.is_bare and (root / "MANIFEST.in").is_file():
        offer_manifest(facts, root / "MANIFEST.in")
        found.sources.append("MANIFEST.in")


def _everything_computed(facts: Facts) -> None:
    """setup() is called in a way that its arguments cannot be read."""
    for key in (*ORDER, "packages"):
        if key not in ("dynamic", "license-files", "scripts", "gui-scripts"):
            facts.cannot_read(key, "setup.py")


def _ask_the_backend(found: _Gathering, tools: Tools) -> None:
    """Build a wheel the old way where something is computed; else what is computed is lost."""
    facts = found.facts
    for key in ("name", "version"):
        if key not in facts.project:
            facts.cannot_read(key, found.sources[-1])
    if not facts.unread:
        return
    if tools.build_wheel is None:
        for key, where in facts.unread.items():
            facts.lose(where, key, "computed by a program, which was not run")
        facts.project.setdefault("version", "0.0.0")
        return
    facts.remarks.append(
        f"computed by a program, so taken from a wheel of its backend's: {', '.join(facts.unread)}"
    )
    offer_wheel(facts, found.root, tools.build_wheel())


def _lists(found: _Gathering) -> None:
    """What a folder without metadata may have: an environment, requirements."""
    for name in _ENVIRONMENTS:
        if (found.root / name).is_file():
            offer_environment(found.facts, found.root / name)
            found.sources.append(name)
    for name, group in (
        ("requirements.txt", ""),
        ("requirements-dev.txt", "dev"),
        ("dev-requirements.txt", "dev"),
        ("requirements-test.txt", "test"),
        ("test-requirements.txt", "test"),
    ):
        if (found.root / name).is_file():
            offer_requirements(found.facts, found.root / name, group)
            found.sources.append(name)


def _written(facts: Facts) -> Facts:
    """The facts with a dynamic version in the words of [tool.twofold.version]."""
    version = facts.project.get("version")
    if isinstance(version, dict):
        del facts.project["version"]
        facts.project["dynamic"] = ["version"]
        for key, value in version.items():
            facts.set(f"version.{key}", value)
    return facts
