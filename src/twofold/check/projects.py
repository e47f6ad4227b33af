"""A project through all its rules."""

from __future__ import annotations

import os
import re

from twofold.check.context import MAX_MINOR, ProjectContext, allowed_minors, module_name
from twofold.check.facts.store import QuickLoad, load_facts
from twofold.check.finding import Finding, sort_findings
from twofold.check.namespace import CodeModule
from twofold.check.other_backend import DeclaredProject, has_other_backend, make_project
from twofold.check.packed_files import read_files, select_packed
from twofold.check.rule_table import (
    BY_CODE,
    ERROR,
    RULES,
    WARNING,
    Rule,
    Violation,
    load_extra_rules,
)
from twofold.check.rules import (
    code,
    dependencies,
    import_cycles,
    import_names,
    installed_files,
    python_versions,
    secrets,
    tracked_files,
    unwanted_files,
)
from twofold.check.rules.metadata import METADATA_RULES
from twofold.check.settings import read_check_settings
from twofold_build.archive import Content
from twofold_build.diagnostics import Diagnostics
from twofold_build.errors import Problem, ProjectErrors
from twofold_build.files import FileSelection
from twofold_build.model import Project
from twofold_build.names import normalize_name
from twofold_build.pyproject import read_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from twofold.check.facts.model import Facts
    from twofold.check.facts.quick import QuickFacts


def recipe_differs(context: ProjectContext) -> Iterator[Violation]:
    """TF303, a warning whose module no build needs to load."""
    from twofold.check.rules.meta_yaml import compare_recipes

    return compare_recipes(context)


#: The rules about a project's code and files; those about its metadata are METADATA_RULES, and
#: mistakes of pyproject.toml have a table of their own in `rules.project_mistakes`.
PROJECT_RULES: dict[str, Callable[[ProjectContext], Iterator[Violation]]] = {
    "TF032": import_names.no_such_import_name,
    "TF101": code.syntax_error,
    "TF102": code.entry_point_to_nothing,
    "TF103": code.version_mismatch,
    "TF104": code.missing_in_all,
    "TF105": code.missing_import,
    "TF106": import_cycles.failing_cycle,
    "TF107": import_cycles.import_cycle,
    "TF108": python_versions.newer_syntax,
    "TF109": python_versions.newer_stdlib,
    "TF110": python_versions.gone_from_stdlib,
    "TF111": dependencies.missing_dependency,
    "TF112": dependencies.unused_dependency,
    "TF113": code.hidden_module,
    "TF201": secrets.secret,
    "TF202": unwanted_files.junk,
    "TF203": unwanted_files.empty_package,
    "TF204": unwanted_files.modules_not_known,
    "TF205": unwanted_files.crowded_name,
    "TF206": unwanted_files.compiled_module,
    "TF207": unwanted_files.unportable_name,
    "TF208": installed_files.runs_uncalled,
    "TF209": installed_files.misplaced_file,
    "TF210": installed_files.duplicate_module,
    "TF211": installed_files.no_init,
    "TF212": unwanted_files.ignored_file,
    "TF213": tracked_files.unlike_git,
    "TF301": dependencies.unknown_conda_name,
    "TF302": dependencies.not_in_conda,
    "TF303": recipe_differs,
}


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
    contents = read_files(pack, {})
    names = _find_modules(pack, contents)
    facts = load_facts(normalize_name(project.name), _pick_sources(names, contents))
    context = ProjectContext(project, pack, contents, _make_modules(names, facts), settings)
    left_out = settings.ignore | ignore
    found: list[Finding] = []
    if stated is not None:
        context.pyproject.place = stated.place
        context.unknown = stated.unknown
        if "TF004" not in left_out:
            found += [_warn_of_version(problem) for problem in stated.overlooked]
    found += run_rules(context, [rule for rule in RULES if rule.code not in left_out])
    return sort_findings([*found, *_judge_by_extra_rules(context, left_out)])


def _judge_by_extra_rules(context: ProjectContext, left_out: frozenset[str]) -> list[Finding]:
    """The findings of other distributions' rules about projects."""
    return [
        extra.row.make_finding(violation)
        for extra in load_extra_rules()
        if extra.judge_project is not None and extra.code not in left_out
        for violation in extra.judge_project(context)
    ]


class StoppingErrors:
    """The errors of a project that has been read and packed; its modules are read beside the
    caller's own work, which changes none of `contents`' values."""

    def __init__(
        self, project: Project, pack: FileSelection, contents: Mapping[str, Content]
    ) -> None:
        """Raises ProjectErrors for mistakes in the settings of checks."""
        mistakes = Diagnostics.for_project(project.root)
        self._settings = read_check_settings(project.document, mistakes)
        mistakes.raise_all()
        self._project, self._pack, self._contents = project, pack, dict(contents)
        self._names = _find_modules(pack, self._contents)
        oldest = (allowed_minors(project.requires_python) or (MAX_MINOR,))[0]
        self._load = QuickLoad(
            normalize_name(project.name),
            _pick_sources(self._names, self._contents),
            oldest,
            secrets.SIGNS,
        )

    @property
    def is_beside(self) -> bool:
        """Whether another process reads the modules."""
        return self._load.is_beside

    @property
    def wants_reader(self) -> bool:
        """Whether the compiled reader, which is not installed, would be much quicker."""
        return self._load.wants_reader

    def finish(self) -> list[Finding]:
        """What the rules find."""
        facts, harmless = self._load.finish()
        modules = _make_modules(self._names, facts)
        context = ProjectContext(self._project, self._pack, self._contents, modules, self._settings)
        context.wants_warnings = False
        context.may_hold_secret = lambda path: path not in harmless
        left_out = self._settings.ignore
        rules = [one for one in RULES if one.severity == ERROR and one.code not in left_out]
        return [finding for finding in run_rules(context, rules) if finding.is_error]

    def close(self) -> None:
        """Give the check up."""
        self._load.close()


def _find_modules(pack: FileSelection, contents: dict[str, Content]) -> dict[str, tuple[str, bool]]:
    """Dotted name -> path in the project, and whether it is a package, of every packed module."""
    names = {}
    for file in pack.files:
        for path in file.wheel:
            named = module_name(path)
            if named and file.path in contents:
                names[named[0]] = (file.path, named[1])
    return names


def _pick_sources(
    names: dict[str, tuple[str, bool]], contents: dict[str, Content]
) -> dict[str, Content]:
    return {path: contents[path] for path, _ in names.values()}


def _make_modules(
    names: dict[str, tuple[str, bool]], facts: Mapping[str, Facts | QuickFacts]
) -> dict[str, CodeModule]:
    return {
        name: CodeModule(name, path, is_package, facts[path])
        for name, (path, is_package) in names.items()
    }


def run_rules(context: ProjectContext, rules: Iterable[Rule]) -> list[Finding]:
    """The findings of those of the rules that judge a project, sorted."""
    found: list[Finding] = []
    for rule in rules:
        violations: Iterable[Violation] = ()
        if rule.code in METADATA_RULES:
            violations = METADATA_RULES[rule.code](context.metadata)
        elif rule.code in PROJECT_RULES:
            violations = PROJECT_RULES[rule.code](context)
        found += map(rule.make_finding, violations)
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
    """pyproject.toml, {} where it is not there or cannot be read: `read_project` reports that."""
    import tomllib

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
    from twofold.check.rules.project_mistakes import PREDICATES, find_fix

    found = []
    for problem in problems:
        code = next(code for code, is_owner in PREDICATES.items() if is_owner(problem))
        fix = find_fix(problem, os.path.join(root, "pyproject.toml"))
        where = problem.where or "pyproject.toml"
        violation = Violation(problem.message, problem.hint, where, fix)
        found.append(BY_CODE[code].make_finding(violation))
    return found


def _warn_of_version(problem: Problem) -> Finding:
    """The finding for a version that is missing, which another backend makes up."""
    violation = Violation(problem.message, problem.hint, problem.where, severity=WARNING)
    return BY_CODE["TF004"].make_finding(violation)


def _drop_ignored(findings: Iterable[Finding], ignore: frozenset[str]) -> list[Finding]:
    return [finding for finding in findings if finding.code not in ignore]
