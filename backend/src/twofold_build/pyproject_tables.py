"""Reads [build-system] and [project], key by key (PEP 518, 621, 639, 794)."""

from __future__ import annotations

from twofold_build import names
from twofold_build.diagnostics import suggest
from twofold_build.model import Person
from twofold_build.table_reader import TableReader, describe_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project

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


def read_build_system(document: dict[str, Any], project: Project, diagnostics: Diagnostics) -> None:
    """Fill `project` from [build-system] and report every mistake."""
    for key in document:
        if key not in _TOP_LEVEL:
            diagnostics.add_unknown(
                key, _TOP_LEVEL, table="", hint="settings of tools belong into [tool.NAME]"
            )
    table = document.get("build-system", {})
    if not isinstance(table, dict):
        diagnostics.add(
            "must be a table",
            'write [build-system], and below it requires = ["twofold-build"]',
            table="build-system",
        )
        return
    reader = TableReader(table, "build-system", diagnostics)
    for key in table:
        if key not in ("requires", "build-backend", "backend-path"):
            diagnostics.add_unknown(
                key, ("requires", "build-backend", "backend-path"), table="build-system"
            )
    project.requires = reader.get_strings("requires")
    project.backend = reader.get_string("build-backend")
    project.backend_path = reader.get_strings("backend-path")
    if table and "requires" not in table:
        diagnostics.add(
            "'requires' is missing (PEP 518)",
            'write requires = ["twofold-build"], or [] if it needs nothing',
            table="build-system",
        )
    for requirement in project.requires:
        problem = names.find_requirement_problem(requirement)
        if problem:
            diagnostics.add(
                f"'{requirement}': {problem}",
                'write it like "twofold-build>=0.1" (PEP 508)',
                table="build-system",
                key="requires",
                value=requirement,
            )


def read_project_table(
    document: dict[str, Any], project: Project, diagnostics: Diagnostics
) -> None:
    """Fill `project` from [project] and report every mistake."""
    table = document.get("project")
    if not isinstance(table, dict):
        tool = document.get("tool", {})
        is_older = isinstance(tool, dict) and not {"poetry", "flit"}.isdisjoint(tool)
        diagnostics.add(
            "there is no [project] table" if table is None else "[project] must be a table",
            "name its backend in [build-system], or convert the project: twofold init"
            if is_older
            else 'write [project] with at least name = "..." and version = "..." (PEP 621)',
            table="" if table is None else "project",
        )
        return
    for key in table:
        if key not in PROJECT_KEYS:
            diagnostics.add_unknown(key, PROJECT_KEYS, table="project")
    reader = TableReader(table, "project", diagnostics)
    project.dynamic = _read_dynamic(reader, table, diagnostics)
    _read_name_and_version(reader, table, project, diagnostics)
    project.description = reader.get_string("description")
    project.requires_python = _read_requires_python(reader, diagnostics)
    from twofold_build.licenses import read_license
    from twofold_build.readme import read_readme

    read_readme(table, project, diagnostics)
    read_license(table, project, diagnostics)
    if "authors" in table or "maintainers" in table:
        project.authors = _read_people(reader, "authors", diagnostics)
        project.maintainers = _read_people(reader, "maintainers", diagnostics)
    project.keywords = reader.get_strings("keywords")
    for keyword in project.keywords:
        if "," in keyword:
            diagnostics.add(
                f"keyword '{keyword}' holds a comma",
                "write two keywords",
                key="keywords",
                value=keyword,
            )
    project.classifiers = reader.get_strings("classifiers")
    project.urls = reader.get_mapping("urls")
    for label in project.urls:
        wrong, hint = _find_label_mistake(label)
        if wrong:
            diagnostics.add(wrong, hint, table="project.urls", key=label)
    _read_dependencies(reader, table, project, diagnostics)
    if any(key in table for key in ("scripts", "gui-scripts", "entry-points")):
        from twofold_build.entry_points import read_entry_points

        read_entry_points(reader, table, project, diagnostics)
    if "import-names" in table or "import-namespaces" in table:
        from twofold_build.import_names import read_import_names

        read_import_names(reader, project, diagnostics)


def _find_label_mistake(label: str) -> tuple[str, str]:
    """Return a mistake in the label of a URL with its hint: METADATA has `label, URL` in a line."""
    if len(label) > 32:
        return f"the label '{label}' is longer than 32 characters", "shorten it"
    if not label.strip() or not label.isprintable() or "," in label:
        return f"{label!r} is not a label of a URL", "write it in one line without a comma"
    return "", ""


def _read_dynamic(
    reader: TableReader, table: dict[str, Any], diagnostics: Diagnostics
) -> frozenset[str]:
    listed = reader.get_strings("dynamic")
    for key in listed:
        if key == "name":
            diagnostics.add(
                "the name cannot be dynamic (PEP 621)", "declare it", key="dynamic", value=key
            )
        elif key not in PROJECT_KEYS or key == "dynamic":
            diagnostics.add(
                f"unknown key '{key}'",
                suggest(key, PROJECT_KEYS) or "name keys of [project]",
                key="dynamic",
                value=key,
            )
        elif key in table:
            diagnostics.add(
                f"'{key}' is both declared and listed as dynamic",
                "remove one of the two",
                key="dynamic",
                value=key,
            )
    return frozenset(listed)


def _read_name_and_version(
    reader: TableReader, table: dict[str, Any], project: Project, diagnostics: Diagnostics
) -> None:
    project.name = reader.get_string("name")
    if "name" not in table:
        diagnostics.add("'name' is missing", 'write name = "..."')
    elif project.name and not names.is_name(project.name):
        diagnostics.add(
            f"'{project.name}' is not a valid project name (PEP 508)",
            "use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
            key="name",
        )
    elif not project.name and isinstance(table["name"], str):
        diagnostics.add("the name is empty", "give the project a name", key="name")
    version = reader.get_string("version")
    if "version" not in table:
        if "version" not in project.dynamic:
            diagnostics.add(
                "'version' is missing",
                'write version = "1.0.0", or dynamic = ["version"] with [tool.twofold.version]',
            )
        return
    problem = names.find_version_problem(version)
    if problem and isinstance(table["version"], str):
        diagnostics.add(
            problem, 'write a version like "1.0.0", "2.1rc1" or "3.0.dev1"', key="version"
        )
    elif version:
        project.version = names.canonicalize_version(version)


def _read_requires_python(reader: TableReader, diagnostics: Diagnostics) -> str:
    written = reader.get_string("requires-python")
    if not written:
        return ""
    problem = names.find_specifiers_problem(written)
    if problem:
        bare = written.strip().lstrip("=").strip()
        is_bare = bare.replace(".", "").isdigit()
        hint = f'did you mean ">={bare}"?' if is_bare else 'write for example ">=3.11"'
        diagnostics.add(problem, hint, key="requires-python")
    return written


def _read_dependencies(
    reader: TableReader, table: dict[str, Any], project: Project, diagnostics: Diagnostics
) -> None:
    project.dependencies = reader.get_strings("dependencies")
    _check_requirements(project.dependencies, "project", "dependencies", diagnostics)
    extras = table.get("optional-dependencies", {})
    if not isinstance(extras, dict):
        diagnostics.add(
            f"must be a table, not {describe_type(extras)}",
            "write [project.optional-dependencies], and below it a list for each extra",
            key="optional-dependencies",
        )
        return
    inner = TableReader(extras, "project.optional-dependencies", diagnostics)
    for extra in extras:
        if not names.is_name(extra):
            diagnostics.add(
                f"'{extra}' is not a valid name of an extra (PEP 508)",
                "use letters, digits, '-', '_' and '.'",
                table="project.optional-dependencies",
                key=extra,
            )
        listed = inner.get_strings(extra)
        _check_requirements(listed, "project.optional-dependencies", extra, diagnostics)
        wanted = names.normalize_name(extra)
        if wanted in project.optional_dependencies:
            diagnostics.add(
                f"the extra '{extra}' appears twice in different spellings",
                "keep one of them",
                table="project.optional-dependencies",
                key=extra,
            )
        project.optional_dependencies[wanted] = listed


def _check_requirements(listed: list[str], table: str, key: str, diagnostics: Diagnostics) -> None:
    for requirement in listed:
        problem = names.find_requirement_problem(requirement)
        if problem:
            diagnostics.add(
                f"'{requirement}': {problem}",
                'write it like "numpy>=1.24" (PEP 508)',
                table=table,
                key=key,
                value=requirement,
            )


def _read_people(reader: TableReader, key: str, diagnostics: Diagnostics) -> list[Person]:
    value = reader.table.get(key, [])
    if not isinstance(value, list):
        diagnostics.add(
            f"must be a list of tables, not {describe_type(value)}",
            'write [{name = "...", email = "..."}]',
            key=key,
        )
        return []
    people = []
    for item in value:
        if not isinstance(item, dict):
            diagnostics.add(
                f"holds {describe_type(item)} instead of a table",
                'write {name = "...", email = "..."}',
                key=key,
                value=str(item),
            )
            continue
        for part in item:
            if part not in ("name", "email"):
                diagnostics.add(
                    f"unknown key '{part}' in a person",
                    "known keys: name, email",
                    key=key,
                    value=str(part),
                )
        if not item:
            diagnostics.add(
                "holds an empty table", "write a name, an email address or both", key=key
            )
            continue
        name, email = item.get("name", ""), item.get("email", "")
        if not isinstance(name, str) or not isinstance(email, str):
            diagnostics.add(
                "name and email must be strings", "put them in quotation marks", key=key
            )
            continue
        if email and not _is_address(email):
            diagnostics.add(
                f"'{email}' is not an email address",
                'write it like "ada@example.org"',
                key=key,
                value=email,
            )
        people.append(Person(reader.check_one_line(name, key), email))
    return people


def _is_address(email: str) -> bool:
    """Whether it looks like an address: only sending mail could check more."""
    local, _, domain = email.partition("@")
    return bool(local and domain) and not any(mark in "@<>, \t" for mark in local + domain)
