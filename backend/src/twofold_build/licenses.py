"""Reads the licence: expression and files (PEP 639), or the old table (PEP 621)."""

from __future__ import annotations

import os

from twofold_build import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project

#: What PEP 639 looks for when `license-files` is missing.
_USUAL = ("licen", "copying", "notice", "authors")


def read_license(table: dict[str, Any], project: Project, diagnostics: Diagnostics) -> None:
    """Fill license, license_text and license_files."""
    value = table.get("license")
    if isinstance(value, str):
        _read_expression(value, project, diagnostics)
    elif isinstance(value, dict):
        _read_old_table(value, table, project, diagnostics)
    elif value is not None:
        diagnostics.add("must be an SPDX expression", 'write license = "MIT"', key="license")
    if "license-files" in table:
        project.license_files = _resolve_patterns(table["license-files"], project.root, diagnostics)
    elif not isinstance(value, dict):
        project.license_files = _find_usual_files(project.root)


def _read_expression(value: str, project: Project, diagnostics: Diagnostics) -> None:
    expression, problem = names.canonicalize_license(value)
    if problem:
        diagnostics.add(
            f"'{value}' is not an SPDX licence expression",
            names.suggest_license(value),
            key="license",
        )
    project.license = expression


def _read_old_table(
    value: dict[str, Any], table: dict[str, Any], project: Project, diagnostics: Diagnostics
) -> None:
    hint = 'write license = "MIT" (an SPDX expression) and license-files = ["LICENSE"] (PEP 639)'
    if "license-files" in table:
        diagnostics.add(
            "the old licence table is not allowed with license-files", hint, key="license"
        )
    file, text = value.get("file"), value.get("text")
    if set(value) - {"file", "text"} or (file is None) == (text is None):
        diagnostics.add("must hold either 'file' or 'text'", hint, key="license")
    elif isinstance(text, str):
        project.license_text = text
        project.license_files = _find_usual_files(project.root)
    elif isinstance(file, str):
        project.license_files = _resolve_patterns([file], project.root, diagnostics, key="license")
    else:
        diagnostics.add("'file' or 'text' must be a string", hint, key="license")


def _find_usual_files(root: str) -> list[str]:
    found = []
    with os.scandir(root) as entries:
        for entry in entries:
            name = entry.name.lower()
            if name.startswith(_USUAL) and entry.is_file() and _is_usual(entry.name):
                found.append(entry.name)
    return sorted(found)


def _is_usual(name: str) -> bool:
    """Whether a name is `LICEN[CS]E*`, `COPYING*`, `NOTICE*` or `AUTHORS*` (PEP 639), not code."""
    return name.startswith(
        ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")
    ) and not name.endswith((".py", ".toml"))


def _resolve_patterns(
    value: object, root: str, diagnostics: Diagnostics, key: str = "license-files"
) -> list[str]:
    from twofold_build.globs import Globs, find_glob_problem, get_glob_hint

    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        diagnostics.add("must be a list of patterns", 'write license-files = ["LICENSE"]', key=key)
        return []
    found: set[str] = set()
    for pattern in value:
        wrong = find_glob_problem(pattern)
        if wrong:
            hint = get_glob_hint(pattern, "licence files must be in the project (PEP 639)")
            diagnostics.add(wrong, hint, key=key, value=pattern)
            continue
        globs = Globs([pattern])
        taken = [
            path
            for path in _list_files_below(root, next(globs.iter_folders()))
            if globs.match(path)
        ]
        if not taken:
            diagnostics.add(
                f"'{pattern}' matches no file",
                "add the licence file, or remove the pattern",
                key=key,
                value=pattern,
            )
        found.update(taken)
    return sorted(found)


def _list_files_below(root: str, folder: str) -> list[str]:
    """List the files at or below a folder, relative to the root, without walking the rest."""
    start = os.path.join(root, folder)
    if os.path.isfile(start):
        return [folder]
    found = []
    for here, folders, files in os.walk(start):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(here, root).replace(os.sep, "/")
        found += [name if inside == "." else f"{inside}/{name}" for name in files]
    return found
