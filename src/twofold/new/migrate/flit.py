"""Read flit's old tables: [tool.flit.metadata], [tool.flit.scripts], [tool.flit.entrypoints]."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.new.migrate.facts import (
    CommentedRequirement,
    Facts,
    parse_keywords,
    parse_people,
    propose_readme,
)
from twofold.new.migrate.setuptools_settings import propose_entry_points
from twofold.source_analysis import parse_module

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
                if "version" in keys:
                    facts.propose("version", {"from": "module", "path": place}, place)
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
