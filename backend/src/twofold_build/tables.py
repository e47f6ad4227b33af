"""[build-system] and [project], key by key (PEP 518, 621, 639, 794)."""

from __future__ import annotations

import re

from twofold_build import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.mistakes import Mistakes
    from twofold_build.project import Person, Project

PROJECT_KEYS = [
    "name",
    "version",
    "description",
    "readme",
    "requires-python",
    "license",
    "license-files",
    "authors",
    "maintainers",
    "keywords",
    "classifiers",
    "urls",
    "scripts",
    "gui-scripts",
    "entry-points",
    "dependencies",
    "optional-dependencies",
    "import-names",
    "import-namespaces",
    "dynamic",
]
_TOP_LEVEL = ("build-system", "project", "tool", "dependency-groups")
_REFERENCE = re.compile(
    r"\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*\s*(?::\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*\s*)?(?:\[[^\]]*\]\s*)?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_README_TYPES = {
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".txt": "text/plain",
    "": "text/plain",
}


def read_build_system(document: dict[str, Any], project: Project, mistakes: Mistakes) -> None:
    for key in document:
        if key not in _TOP_LEVEL:
            mistakes.unknown(
                key, _TOP_LEVEL, table="", hint="tools keep their settings under [tool.NAME]"
            )
    table = document.get("build-system", {})
    if not isinstance(table, dict):
        mistakes.add("must be a table", table="build-system")
        return
    reader = _Reader(table, "build-system", mistakes)
    for key in table:
        if key not in ("requires", "build-backend", "backend-path"):
            mistakes.unknown(
                key, ("requires", "build-backend", "backend-path"), table="build-system"
            )
    project.requires = reader.strings("requires")
    project.backend = reader.string("build-backend")
    project.backend_path = reader.strings("backend-path")
    if table and "requires" not in table:
        mistakes.add(
            "'requires' is missing (PEP 518)",
            'write requires = ["twofold-build"], or [] for none',
            table="build-system",
        )
    for requirement in project.requires:
        problem = names.requirement_problem(requirement)
        if problem:
            mistakes.add(problem, table="build-system", key="requires", value=requirement)


def read_project_table(document: dict[str, Any], project: Project, mistakes: Mistakes) -> None:
    """Fill `project` from [project], noting every mistake."""
    table = document.get("project")
    if not isinstance(table, dict):
        mistakes.add(
            "there is no [project] table" if table is None else "[project] must be a table",
            'write [project] with at least name = "..." and version = "..." (PEP 621)',
            table="" if table is None else "project",
        )
        return
    for key in table:
        if key not in PROJECT_KEYS:
            mistakes.unknown(key, PROJECT_KEYS, table="project")
    reader = _Reader(table, "project", mistakes)
    project.dynamic = _dynamic(reader, table, mistakes)
    _name_and_version(reader, table, project, mistakes)
    project.description = reader.string("description")
    project.requires_python = _requires_python(reader, mistakes)
    from twofold_build.licences import read_licence
    from twofold_build.readme import read_readme

    read_readme(table, project, mistakes)
    read_licence(table, project, mistakes)
    project.authors = _people(reader, "authors", mistakes)
    project.maintainers = _people(reader, "maintainers", mistakes)
    project.keywords = reader.strings("keywords")
    for keyword in project.keywords:
        if "," in keyword:
            mistakes.add(
                f"keyword '{keyword}' holds a comma",
                "write two keywords",
                key="keywords",
                value=keyword,
            )
    project.classifiers = reader.strings("classifiers")
    project.urls = reader.mapping("urls")
    for label in project.urls:
        if len(label) > 32:
            mistakes.add(
                f"the label '{label}' is longer than 32 characters",
                "shorten it",
                table="project.urls",
                key=label,
            )
    _dependencies(reader, table, project, mistakes)
    _entry_points(reader, table, project, mistakes)
    project.import_names = _import_names(reader, "import-names", mistakes)
    project.import_namespaces = _import_names(reader, "import-namespaces", mistakes)
    for name in set(project.import_names or ()) & set(project.import_namespaces or ()):
        mistakes.add(
            f"'{name}' is listed as a name and as a namespace (PEP 794)",
            "keep one of the two",
            key="import-names",
            value=name,
        )


class _Reader:
    """Typed look-ups in one table; what has another type is noted and read as empty."""

    def __init__(self, table: dict[str, Any], name: str, mistakes: Mistakes) -> None:
        self.table = table
        self.name = name
        self.mistakes = mistakes

    def string(self, key: str) -> str:
        value = self.table.get(key, "")
        if isinstance(value, str):
            return self.one_line(value, key)
        self.mistakes.add(
            f"must be a string, not {kind(value)}",
            "put it in quotation marks",
            table=self.name,
            key=key,
        )
        return ""

    def strings(self, key: str) -> list[str]:
        value = self.table.get(key, [])
        if not isinstance(value, list):
            hint = (
                f'write {key} = ["{value}"]'
                if isinstance(value, str)
                else "write a list of strings"
            )
            self.mistakes.add(f"must be a list, not {kind(value)}", hint, table=self.name, key=key)
            return []
        good = []
        for item in value:
            if isinstance(item, str):
                good.append(self.one_line(item, key))
            else:
                self.mistakes.add(
                    f"holds {kind(item)} where a string must stand",
                    "put every item in quotation marks",
                    table=self.name,
                    key=key,
                )
        return good

    def mapping(self, key: str) -> dict[str, str]:
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            self.mistakes.add(f"must be a table, not {kind(value)}", table=self.name, key=key)
            return {}
        good = {}
        for name, item in value.items():
            if isinstance(item, str):
                good[name] = self.one_line(item, f"{key}.{name}")
            else:
                self.mistakes.add(
                    f"must be a string, not {kind(item)}", table=f"{self.name}.{key}", key=name
                )
        return good

    def one_line(self, value: str, key: str) -> str:
        """Judge a text that becomes a line of METADATA: it must not be able to begin another."""
        if value.isprintable():
            return value
        if _CONTROL.search(value):
            self.mistakes.add(
                "must be one line, without control characters",
                "keep long text for the readme",
                table=self.name,
                key=key,
            )
        return _CONTROL.sub(" ", value)


def kind(value: object) -> str:
    """A TOML value's type in the words of TOML."""
    if isinstance(value, bool):
        return "a boolean"
    for type_, word in (
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    ):
        if isinstance(value, type_):
            return word
    return "a date or time"


def _dynamic(reader: _Reader, table: dict[str, Any], mistakes: Mistakes) -> frozenset[str]:
    listed = reader.strings("dynamic")
    for key in listed:
        if key == "name":
            mistakes.add(
                "the name cannot be dynamic (PEP 621)", "write it out", key="dynamic", value=key
            )
        elif key not in PROJECT_KEYS or key == "dynamic":
            mistakes.unknown(key, PROJECT_KEYS, table="project")
        elif key in table:
            mistakes.add(
                f"'{key}' is both written out and listed as dynamic",
                "remove one of the two",
                key="dynamic",
                value=key,
            )
    return frozenset(listed)


def _name_and_version(
    reader: _Reader, table: dict[str, Any], project: Project, mistakes: Mistakes
) -> None:
    project.name = reader.string("name")
    if "name" not in table:
        mistakes.add("'name' is missing", 'write name = "..."')
    elif project.name and not names.is_name(project.name):
        mistakes.add(
            f"'{project.name}' is not a name for a project (PEP 508)",
            "use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
            key="name",
        )
    elif not project.name and isinstance(table["name"], str):
        mistakes.add("the name is empty", "give the project a name", key="name")
    version = reader.string("version")
    if "version" not in table:
        if "version" not in project.dynamic:
            mistakes.add(
                "'version' is missing",
                'write version = "1.0.0", or dynamic = ["version"] with [tool.twofold.version]',
            )
        return
    problem = names.version_problem(version)
    if problem and isinstance(table["version"], str):
        mistakes.add(
            problem, 'a version is written like "1.0.0", "2.1rc1" or "3.0.dev1"', key="version"
        )
    elif version:
        project.version = names.canonical_version(version)


def _requires_python(reader: _Reader, mistakes: Mistakes) -> str:
    written = reader.string("requires-python")
    if not written:
        return ""
    problem = names.specifiers_problem(written)
    if problem:
        bare = re.fullmatch(r"\s*(?:=\s*)?(\d+(?:\.\d+)*)\s*", written)
        hint = f'did you mean ">={bare.group(1)}"?' if bare else 'write for example ">=3.11"'
        mistakes.add(problem, hint, key="requires-python")
    return written


def _people(reader: _Reader, key: str, mistakes: Mistakes) -> list[Person]:
    from twofold_build.project import Person

    value = reader.table.get(key, [])
    if not isinstance(value, list):
        mistakes.add(
            f"must be a list of tables, not {kind(value)}",
            'write [{name = "...", email = "..."}]',
            key=key,
        )
        return []
    people = []
    for item in value:
        if not isinstance(item, dict):
            mistakes.add(
                f"holds {kind(item)} where a table must stand",
                'write {name = "...", email = "..."}',
                key=key,
                value=str(item),
            )
            continue
        for part in item:
            if part not in ("name", "email"):
                mistakes.add(
                    f"unknown key '{part}' in a person",
                    "known here: name, email",
                    key=key,
                    value=str(part),
                )
        name, email = item.get("name", ""), item.get("email", "")
        if not isinstance(name, str) or not isinstance(email, str):
            mistakes.add("name and email must be strings", "put them in quotation marks", key=key)
            continue
        if email and not _ADDRESS.fullmatch(email):
            mistakes.add(
                f"'{email}' is not an email address",
                'write it like "ada@example.org"',
                key=key,
                value=email,
            )
        people.append(Person(reader.one_line(name, key), email))
    return people


def _dependencies(
    reader: _Reader, table: dict[str, Any], project: Project, mistakes: Mistakes
) -> None:
    project.dependencies = reader.strings("dependencies")
    _judge_requirements(project.dependencies, "project", "dependencies", mistakes)
    extras = table.get("optional-dependencies", {})
    if not isinstance(extras, dict):
        mistakes.add(f"must be a table, not {kind(extras)}", key="optional-dependencies")
        return
    inner = _Reader(extras, "project.optional-dependencies", mistakes)
    for extra in extras:
        if not names.is_name(extra):
            mistakes.add(
                f"'{extra}' is not a name for an extra (PEP 508)",
                "use letters, digits, '-', '_' and '.'",
                table="project.optional-dependencies",
                key=extra,
            )
        listed = inner.strings(extra)
        _judge_requirements(listed, "project.optional-dependencies", extra, mistakes)
        wanted = names.normalised(extra)
        if wanted in project.optional_dependencies:
            mistakes.add(
                f"the extra '{extra}' is written twice in different spellings",
                "keep one of them",
                table="project.optional-dependencies",
                key=extra,
            )
        project.optional_dependencies[wanted] = listed


def _judge_requirements(listed: list[str], table: str, key: str, mistakes: Mistakes) -> None:
    for requirement in listed:
        problem = names.requirement_problem(requirement)
        if problem:
            mistakes.add(
                f"'{requirement}': {problem}",
                'write it like "numpy>=1.24" (PEP 508)',
                table=table,
                key=key,
                value=requirement,
            )


def _entry_points(
    reader: _Reader, table: dict[str, Any], project: Project, mistakes: Mistakes
) -> None:
    for key, group in (("scripts", "console_scripts"), ("gui-scripts", "gui_scripts")):
        scripts = reader.mapping(key)
        if scripts:
            project.entry_points[group] = scripts
            _judge_references(scripts, f"project.{key}", mistakes, needs_object=True)
    groups = table.get("entry-points", {})
    if not isinstance(groups, dict):
        mistakes.add(f"must be a table of tables, not {kind(groups)}", key="entry-points")
        return
    inner = _Reader(groups, "project.entry-points", mistakes)
    for group in groups:
        if group in ("console_scripts", "gui_scripts"):
            right = "scripts" if group == "console_scripts" else "gui-scripts"
            mistakes.add(
                f"'{group}' has a table of its own (PEP 621)",
                f"write it as [project.{right}]",
                table="project.entry-points",
                key=group,
            )
            continue
        listed = inner.mapping(group)
        project.entry_points[group] = listed
        _judge_references(listed, f"project.entry-points.{group}", mistakes, needs_object=False)


def _judge_references(
    listed: dict[str, str], table: str, mistakes: Mistakes, needs_object: bool
) -> None:
    for name, reference in listed.items():
        if not name.strip() or re.search(r"[\n\[=]", name):
            mistakes.add(
                f"'{name}' cannot be the name of an entry point",
                "use letters, digits, '-', '_', '.'",
                table=table,
                key=name,
            )
        if needs_object and re.search(r"[/\\]", name):
            mistakes.add(
                f"'{name}' cannot be the name of a script",
                "leave out '/' and '\\'",
                table=table,
                key=name,
            )
        if not _REFERENCE.fullmatch(reference) or (needs_object and ":" not in reference):
            mistakes.add(
                f"'{reference}' does not name {'a function' if needs_object else 'an object'}",
                'write it like "my_package.cli:main"',
                table=table,
                key=name,
            )


def _import_names(reader: _Reader, key: str, mistakes: Mistakes) -> list[str] | None:
    if key not in reader.table:
        return None
    listed = reader.strings(key)
    for name in listed:
        plain = re.sub(r"\s*;\s*private\s*$", "", name)
        if plain and not _MODULE.fullmatch(plain):
            mistakes.add(
                f"'{name}' is not an import name (PEP 794)",
                'write a dotted name, with "; private" after it if it is',
                key=key,
                value=name,
            )
    return listed
