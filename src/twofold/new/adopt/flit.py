"""flit's old tables: [tool.flit.metadata], [tool.flit.scripts], [tool.flit.entrypoints]."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.imports import parse_module
from twofold.new.adopt.facts import Facts, Requirement
from twofold.new.adopt.people import keywords, offer_readme, people
from twofold.new.adopt.setuptools_settings import offer_entry_points

_FILE = "pyproject.toml [tool.flit"


def offer_flit(facts: Facts, root: Path, table: Mapping[str, Any]) -> None:
    """Take over flit's tables; beside [project] they hold the module, sdist and data only."""
    where = f"{_FILE}.metadata]"
    left = dict(table.get("metadata", {}))
    module = str(left.pop("module", "") or table.get("module", {}).get("name", ""))
    if module:
        facts.packages = [module]
    if table.get("metadata"):
        facts.offer("name", str(left.pop("dist-name", module)), where)
    for role, key in (("author", "authors"), ("maintainer", "maintainers")):
        given = people(left.pop(role, ""), left.pop(f"{role}-email", ""))
        facts.offer(key, given, where)
    urls = {"Homepage": left.pop("home-page", "")} if "home-page" in left else {}
    facts.offer("urls", {**urls, **left.pop("urls", {})}, where)
    facts.offer_licence(str(left.pop("license", "")), where)
    facts.offer("requires-python", left.pop("requires-python", None), where)
    facts.offer("classifiers", left.pop("classifiers", None), where)
    facts.offer("keywords", keywords(left.pop("keywords", "")), where)
    if "description-file" in left:
        offer_readme(facts, root, [left.pop("description-file")], where)
    requires = [Requirement.noted(text) for text in left.pop("requires", ())]
    facts.offer("dependencies", requires, where)
    extras = {k: list(map(Requirement.noted, v)) for k, v in left.pop("requires-extra", {}).items()}
    if "dev-requires" in left:
        extras.setdefault("dev", []).extend(map(Requirement.noted, left.pop("dev-requires")))
    facts.offer("optional-dependencies", extras, where)
    _entry_points(facts, root, table, left.pop("entry-points-file", ""))
    _files(facts, root, table)
    for key, value in left.items():
        facts.lose(where, f"{key} = {value!r}")


def offer_from_module(facts: Facts, root: Path, keys: list[str]) -> None:
    """flit reads version and description from the module itself."""
    names = facts.packages or [str(facts.project.get("name", "")).replace("-", "_")]
    for base in ("", "src/"):
        for end in ("/__init__.py", ".py"):
            path = root / f"{base}{names[0].replace('.', '/')}{end}"
            if path.is_file():
                place = path.relative_to(root).as_posix()
                if "description" in keys:
                    text = ast.get_docstring(parse_module(path)) or ""
                    facts.offer("description", text.strip().partition("\n")[0].strip(), place)
                if "version" in keys:
                    facts.offer("version", {"from": "module", "path": place}, place)
                return


def _entry_points(facts: Facts, root: Path, table: Mapping[str, Any], file: str) -> None:
    groups = {k: dict(v) for k, v in table.get("entrypoints", {}).items()}
    if table.get("scripts"):
        groups.setdefault("console_scripts", {}).update(table["scripts"])
    path = root / (file or "entry_points.txt")
    if path.is_file() and (file or "metadata" in table):
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(path.read_text(encoding="utf-8"))
        groups |= {group: dict(parser[group]) for group in parser.sections()}
    offer_entry_points(facts, groups, f"{_FILE}.entrypoints]")


def _files(facts: Facts, root: Path, table: Mapping[str, Any]) -> None:
    sdist = table.get("sdist", {})
    for key in ("include", "exclude"):
        plain = [str(glob).rstrip("/") for glob in sdist.get(key, ())]
        globs = [f"{glob}/**" if (root / glob).is_dir() else glob for glob in plain]
        if globs:
            facts.set(f"sdist.{key}", globs)
    data = table.get("external-data", {}).get("directory")
    if data:
        facts.set("wheel.data.data", str(data))
