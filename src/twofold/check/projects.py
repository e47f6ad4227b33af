"""A project through all its rules."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from twofold.check.before_build import packed, read_files
from twofold.check.context import CodeModule, Context, module_name
from twofold.check.finding import Finding
from twofold.check.order import in_order
from twofold.check.reading import facts_of_all
from twofold.check.rules import ERROR, MISTAKES, RULES, Rule
from twofold.check.settings import CheckSettings, read_check_settings
from twofold.check.stated import Stated, is_of_another_backend, project_of
from twofold_build.archive import Content
from twofold_build.errors import Problem, ProjectErrors
from twofold_build.files import Pack
from twofold_build.mistakes import Mistakes
from twofold_build.project import Project, read_project


def project_findings(
    root: Path,
    ignore: frozenset[str],
    readers: Mapping[str, Callable[[dict[str, Any]], object]],
    read_stated: Callable[[Path], Stated] | None = None,
) -> list[Finding]:
    """Mistakes of pyproject.toml when there are any, else what the rules find in the project."""
    stated = None
    try:
        if read_stated and is_of_another_backend(document := _document(root), str(root)):
            stated = read_stated(root)
            project = project_of(os.path.abspath(root), document, stated, is_written=False)
        else:
            project = read_project(root)
        mistakes = Mistakes.of(project.root)
        settings = read_check_settings(project.document, mistakes)
        _read_others(project, readers, mistakes)
        mistakes.tell()
        if read_stated and stated is None and not _is_ours(project):
            stated = read_stated(root)
            project = project_of(project.root, project.document, stated, is_written=True)
        pack = _pack(project)
    except ProjectErrors as error:
        return in_order(_not_ignored(_of_mistakes(error.problems, str(root)), ignore))
    context = context_of(project, pack, read_files(pack, {}), settings)
    if stated is not None:
        context.place = stated.place
        context.unknown = stated.unknown
    left_out = settings.ignore | ignore
    return run_rules(context, [rule for rule in RULES if rule.code not in left_out])


def stopping_errors(project: Project, pack: Pack, contents: dict[str, Content]) -> list[Finding]:
    """The errors of a project that has been read and packed."""
    mistakes = Mistakes.of(project.root)
    settings = read_check_settings(project.document, mistakes)
    mistakes.tell()
    context = context_of(project, pack, contents, settings)
    context.wants_warnings = False
    rules = [rule for rule in RULES if rule.severity == ERROR and rule.code not in settings.ignore]
    return [finding for finding in run_rules(context, rules) if finding.is_error]


def context_of(
    project: Project, pack: Pack, contents: dict[str, Content], settings: CheckSettings
) -> Context:
    """Read every packed module, from the cache where its content is known."""
    names = {}
    for file in pack.files:
        for path in file.wheel:
            named = module_name(path)
            if named and file.path in contents:
                names[named[0]] = (file.path, named[1])
    facts = facts_of_all(project.root, {path: contents[path] for path, _ in names.values()})
    modules = {
        name: CodeModule(name, path, is_package, facts[path])
        for name, (path, is_package) in names.items()
    }
    return Context(project, pack, contents, modules, settings)


def run_rules(context: Context, rules: Iterable[Rule]) -> list[Finding]:
    found = []
    for rule in rules:
        if rule.in_project and rule not in MISTAKES:
            judge = getattr(import_module(f"twofold.check.{rule.in_project}"), rule.function)
            subject = context.said if rule.in_project in ("metadata", "readme") else context
            for told in judge(subject):
                severity = told.severity or rule.severity
                found.append(
                    Finding(rule.code, severity, told.message, told.hint, told.where, told.fix)
                )
    return in_order(found)


def _read_others(
    project: Project,
    readers: Mapping[str, Callable[[dict[str, Any]], object]],
    mistakes: Mistakes,
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


def _document(root: Path) -> dict[str, Any]:
    """pyproject.toml, {} where it is not there or cannot be read: that is told elsewhere."""
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError):
        return {}


def _is_ours(project: Project) -> bool:
    return project.backend in ("", "twofold_build")


def _pack(project: Project) -> Pack:
    """What is packed; of another backend's project what its settings name, mistakes aside."""
    if _is_ours(project):
        return packed(project)
    from twofold_build.files import collect

    return collect(project, Mistakes.of(project.root))


def _of_mistakes(problems: Iterable[Problem], root: str) -> list[Finding]:
    from twofold.check.mistakes import repair

    module = import_module("twofold.check.mistakes")
    found = []
    for problem in problems:
        for rule in MISTAKES:
            if getattr(module, rule.function)(problem):
                fix = repair(problem, os.path.join(root, "pyproject.toml"))
                where = problem.where or "pyproject.toml"
                found.append(
                    Finding(rule.code, rule.severity, problem.message, problem.hint, where, fix)
                )
                break
    return found


def _not_ignored(findings: Iterable[Finding], ignore: frozenset[str]) -> list[Finding]:
    return [finding for finding in findings if finding.code not in ignore]
