"""Read pyproject.toml: [project], the tables of the backends that are replaced, flit's own."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError
from twofold.new.migrate.backend_tables import read_backend_tables
from twofold.new.migrate.facts import (
    PROJECT_TABLE,
    CommentedRequirement,
    Facts,
    parse_keywords,
    parse_people,
    propose_readme,
)
from twofold.new.migrate.poetry import read_poetry
from twofold.new.migrate.pyproject_writer import KEY_ORDER
from twofold.new.migrate.schema import validate
from twofold.new.migrate.setup_py import find_version_file
from twofold.new.migrate.setuptools_settings import propose_entry_points
from twofold.new.migrate.toml_text import (
    find_comments,
    group_tables,
    list_comments,
    remove_tables,
    split_sections,
)
from twofold.source_analysis import parse_module
from twofold_build.pyproject import read_document


@dataclass(frozen=True, slots=True)
class PyprojectContent:
    """The parsed file, and its text without what is replaced.

    `is_bare`: it does not say how the project is built.
    """

    document: dict[str, Any]
    rest: str
    is_bare: bool


def read_pyproject_tables(facts: Facts, root: Path) -> PyprojectContent | None:
    """Read [project] and the tables of backends; None without a pyproject.toml."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return None
    text, document = read_document(root)
    validate(document, text)
    backend = str(document.get("build-system", {}).get("build-backend", ""))
    if backend == "twofold_build" and "project" in document:
        raise TwofoldError(
            "the project uses twofold-build already", "build it: twofold build", str(path)
        )
    project, tool = document.get("project", {}), document.get("tool", {})
    _propose_project(facts, project)
    done = ["build-system"] if "build-system" in document else []
    done += _drop_unknown_tables(facts, document)
    if "poetry" in tool:
        read_poetry(facts, root, tool["poetry"], _make_comment_finder(text, ("tool", "poetry")))
        done.append("tool.poetry")
    if "flit" in tool:
        read_flit(facts, root, tool["flit"])
        done.append("tool.flit")
    done += read_backend_tables(facts, root, tool, backend)
    if "twofold" in tool:
        facts.settings = _merge_tables(tool["twofold"], facts.settings)
        done.append("tool.twofold")
    dynamic = list(project.get("dynamic", ()))
    if "flit" in backend:
        keys = dynamic if project else ["version", "description"]
        read_flit_module(facts, root, keys)
    is_bare = not (project or {"poetry", "setuptools"} & set(tool) or tool.get("flit"))
    rest = remove_tables(group_tables(text, "project"), done)
    _keep_comments(facts, text, rest)
    return PyprojectContent(document, rest, is_bare)


def _merge_tables(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables of settings, recursively; the first takes precedence."""
    found = dict(first)
    for key, value in second.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = _merge_tables(found[key], value)
        else:
            found.setdefault(key, value)
    return found


#: The keys of [project] that the standard has (PEP 621, 639, 794).
_PROJECT_KEYS = frozenset([*KEY_ORDER, "import-names", "import-namespaces"])
#: The tables of pyproject.toml that the standards have (PEP 518, 621, 735).
_TABLES = ("build-system", "project", "dependency-groups", "tool")


def _drop_unknown_tables(facts: Facts, document: Mapping[str, Any]) -> list[str]:
    """Report the tables that no standard has, and return their names; other backends pass them."""
    unknown = [key for key, value in document.items() if key not in _TABLES]
    for key in unknown:
        hint = f"no table of the standards: settings of tools belong into [tool.{key}]"
        facts.drop("pyproject.toml", f"{key} = {document[key]!r}"[:160], hint)
    return unknown


def _propose_project(facts: Facts, project: dict[str, Any]) -> None:
    for key, value in project.items():
        if key == "license" and isinstance(value, dict) and "text" in value:
            facts.propose_license(value["text"], PROJECT_TABLE)
        elif key not in _PROJECT_KEYS:
            hint = "no key of the standard: it belongs into [project.urls] or [tool.NAME]"
            facts.drop(PROJECT_TABLE, f"{key} = {value!r}"[:160], hint)
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


_FILE = "pyproject.toml [tool.flit"


def read_flit(facts: Facts, root: Path, table: Mapping[str, Any]) -> None:
    """Read flit's tables; beside [project] they have the module, sdist and data only."""
    where = f"{_FILE}.metadata]"
    left = dict(table.get("metadata", {}))
    module = str(left.pop("module", "") or table.get("module", {}).get("name", ""))
    if module:
        facts.packages = [module]
    if table.get("metadata"):
        facts.propose("name", str(left.pop("dist-name", module)), where)
    for role, key in (("author", "authors"), ("maintainer", "maintainers")):
        given = parse_people(left.pop(role, ""), left.pop(f"{role}-email", ""))
        facts.propose(key, given, where)
    urls = {"Homepage": left.pop("home-page", "")} if "home-page" in left else {}
    facts.propose("urls", {**urls, **left.pop("urls", {})}, where)
    facts.propose_license(str(left.pop("license", "")), where)
    facts.propose("requires-python", left.pop("requires-python", None), where)
    facts.propose("classifiers", left.pop("classifiers", None), where)
    facts.propose("keywords", parse_keywords(left.pop("keywords", "")), where)
    if "description-file" in left:
        propose_readme(facts, root, [left.pop("description-file")], where)
    requires = [CommentedRequirement.with_comment(text) for text in left.pop("requires", ())]
    facts.propose("dependencies", requires, where)
    extras = {
        k: list(map(CommentedRequirement.with_comment, v))
        for k, v in left.pop("requires-extra", {}).items()
    }
    if "dev-requires" in left:
        extras.setdefault("dev", []).extend(
            map(CommentedRequirement.with_comment, left.pop("dev-requires"))
        )
    facts.propose("optional-dependencies", extras, where)
    _read_entry_points(facts, root, table, left.pop("entry-points-file", ""))
    _read_files(facts, root, table)
    for key, value in left.items():
        facts.drop(where, f"{key} = {value!r}")


def read_flit_module(facts: Facts, root: Path, keys: list[str]) -> None:
    """Read version and description from the module, as flit does."""
    names = facts.packages or [str(facts.project.get("name", "")).replace("-", "_")]
    for base in ("", "src/"):
        for end in ("/__init__.py", ".py"):
            path = root / f"{base}{names[0].replace('.', '/')}{end}"
            if path.is_file():
                place = path.relative_to(root).as_posix()
                if "description" in keys:
                    text = ast.get_docstring(parse_module(path)) or ""
                    facts.propose("description", text.strip().partition("\n")[0].strip(), place)
                    if not text.strip():  # flit imports a module whose docstring is computed
                        facts.mark_unread("description", place)
                if "version" in keys:
                    file = find_version_file(root, place)
                    if file:
                        facts.propose("version", {"from": "module", "path": file}, place)
                    else:
                        facts.mark_unread("version", place)
                return


def _read_entry_points(facts: Facts, root: Path, table: Mapping[str, Any], file: str) -> None:
    groups = {k: dict(v) for k, v in table.get("entrypoints", {}).items()}
    if table.get("scripts"):
        groups.setdefault("console_scripts", {}).update(table["scripts"])
    path = root / (file or "entry_points.txt")
    if path.is_file() and (file or "metadata" in table):
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(path.read_text(encoding="utf-8"))
        groups |= {group: dict(parser[group]) for group in parser.sections()}
    propose_entry_points(facts, groups, f"{_FILE}.entrypoints]")


def _read_files(facts: Facts, root: Path, table: Mapping[str, Any]) -> None:
    sdist = table.get("sdist", {})
    for key in ("include", "exclude"):
        plain = [str(glob).rstrip("/") for glob in sdist.get(key, ())]
        globs = [f"{glob}/**" if (root / glob).is_dir() else glob for glob in plain]
        if globs:
            facts.add_setting(f"sdist.{key}", globs)
    data = table.get("external-data", {}).get("directory")
    if data:
        facts.add_setting("wheel.data.data", str(data))
