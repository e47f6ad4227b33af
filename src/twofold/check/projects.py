"""A project through all its rules."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from twofold.check.before_build import read_files, select_packed
from twofold.check.context import CodeModule, ProjectContext, module_name
from twofold.check.finding import Finding
from twofold.check.order import sort_findings
from twofold.check.other_backend import DeclaredProject, has_other_backend, make_project
from twofold.check.reading import load_facts
from twofold.check.rule_table import ERROR, MISTAKES, RULES, Rule
from twofold.check.settings import CheckSettings, read_check_settings
from twofold_build.archive import Content
from twofold_build.diagnostics import Diagnostics
from twofold_build.errors import Problem, ProjectErrors
from twofold_build.files import FileSelection
from twofold_build.pyproject import Project, read_project


def find_problems(
    root: Path,
    ignore: frozenset[str],
    readers: Mapping[str, Callable[[dict[str, Any]], object]],
    read_declared: Callable[[Path], DeclaredProject] | None = None,
) -> list[Finding]:
    """Mistakes of pyproject.toml when there are any, else what the rules find in the project."""
    stated = None
    try:
        if read_declared and has_other_backend(document := _read_document(root), str(root)):
            stated = read_declared(root)
            project = make_project(os.path.abspath(root), document, stated, is_written=False)
        else:
            project = read_project(root)
        mistakes = Diagnostics.for_project(project.root)
        settings = read_check_settings(project.document, mistakes)
        _read_other_tables(project, readers, mistakes)
        mistakes.raise_all()
        if read_declared and stated is None and not _is_native(project):
            stated = read_declared(root)
            project = make_project(project.root, project.document, stated, is_written=True)
        pack = _select_files(project)
    except ProjectErrors as error:
        return sort_findings(_drop_ignored(_mistake_findings(error.problems, str(root)), ignore))
    context = make_context(project, pack, read_files(pack, {}), settings)
    if stated is not None:
        context.place = stated.place
        context.unknown = stated.unknown
    left_out = settings.ignore | ignore
    return run_rules(context, [rule for rule in RULES if rule.code not in left_out])


def find_stopping_errors(
    project: Project, pack: FileSelection, contents: dict[str, Content]
) -> list[Finding]:
    """The errors of a project that has been read and packed."""
    mistakes = Diagnostics.for_project(project.root)
    settings = read_check_settings(project.document, mistakes)
    mistakes.raise_all()
    context = make_context(project, pack, contents, settings)
    context.wants_warnings = False
    rules = [rule for rule in RULES if rule.severity == ERROR and rule.code not in settings.ignore]
    return [finding for finding in run_rules(context, rules) if finding.is_error]


def make_context(
    project: Project, pack: FileSelection, contents: dict[str, Content], settings: CheckSettings
) -> ProjectContext:
    """Read every packed module, from the cache where its content is known."""
    names = {}
    for file in pack.files:
        for path in file.wheel:
            named = module_name(path)
            if named and file.path in contents:
                names[named[0]] = (file.path, named[1])
    facts = load_facts(project.root, {path: contents[path] for path, _ in names.values()})
    modules = {
        name: CodeModule(name, path, is_package, facts[path])
        for name, (path, is_package) in names.items()
    }
    return ProjectContext(project, pack, contents, modules, settings)


def run_rules(context: ProjectContext, rules: Iterable[Rule]) -> list[Finding]:
    found = []
    for rule in rules:
        if rule.in_project and rule not in MISTAKES:
            judge = getattr(import_module(f"twofold.check.{rule.in_project}"), rule.function)
            subject = context.metadata if rule.in_project in ("metadata", "readme") else context
            for told in judge(subject):
                severity = told.severity or rule.severity
                found.append(
                    Finding(rule.code, severity, told.message, told.hint, told.where, told.fix)
                )
    return sort_findings(found)


def _read_other_tables(
    project: Project,
    readers: Mapping[str, Callable[[dict[str, Any]], object]],
    mistakes: Diagnostics,
) -> None:
    for key, read in readers.items():
        table = project.settings.table.get(key, {})
        try:
            if isinstance(table, dict):
                read(table)
            else:
                mistakes.add("must be a table", table="tool.twofold", key=key)
        except ProjectErrors as error:
            for problem in error.problems:
                place = re.search(r"\[([\w.-]+)\] ?(.*)", problem.where)
                where, inner = place.groups() if place else (f"tool.twofold.{key}", "")
                mistakes.add(problem.message, problem.hint, table=where, key=inner)


def _read_document(root: Path) -> dict[str, Any]:
    """pyproject.toml, {} where it is not there or cannot be read: that is told elsewhere."""
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError):
        return {}


def _is_native(project: Project) -> bool:
    return project.backend in ("", "twofold_build")


def _select_files(project: Project) -> FileSelection:
    """What is packed; of another backend's project what its settings name, mistakes aside."""
    if _is_native(project):
        return select_packed(project)
    from twofold_build.files import select_files

    return select_files(project, Diagnostics.for_project(project.root))


def _mistake_findings(problems: Iterable[Problem], root: str) -> list[Finding]:
    from twofold.check.mistakes import find_fix

    module = import_module("twofold.check.mistakes")
    found = []
    for problem in problems:
        for rule in MISTAKES:
            if getattr(module, rule.function)(problem):
                fix = find_fix(problem, os.path.join(root, "pyproject.toml"))
                where = problem.where or "pyproject.toml"
                found.append(
                    Finding(rule.code, rule.severity, problem.message, problem.hint, where, fix)
                )
                break
    return found


def _drop_ignored(findings: Iterable[Finding], ignore: frozenset[str]) -> list[Finding]:
    return [finding for finding in findings if finding.code not in ignore]
