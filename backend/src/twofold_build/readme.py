"""Reads the readme: its file and its type (PEP 621)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project

_TYPES = {".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain", "": "text/plain"}


def read_readme(table: dict[str, Any], project: Project, diagnostics: Diagnostics) -> None:
    """Fill readme, readme_text and readme_type."""
    value = table.get("readme")
    if value is None:
        return
    if isinstance(value, str):
        project.readme = value
        project.readme_type = _guess_type(value, diagnostics)
        project.readme_text = _read_text(project.root, value, diagnostics)
        return
    if not isinstance(value, dict):
        diagnostics.add(
            "must be a file's name or a table", 'write readme = "README.md"', key="readme"
        )
        return
    for key in value:
        if key not in ("file", "text", "content-type", "charset"):
            diagnostics.add_unknown(key, ("file", "text", "content-type"), table="project.readme")
    file, text, type_ = value.get("file"), value.get("text"), value.get("content-type")
    if (file is None) == (text is None):
        diagnostics.add("must hold either 'file' or 'text'", "keep one of the two", key="readme")
        return
    if not all(part is None or isinstance(part, str) for part in (file, text, type_)):
        diagnostics.add("file, text and content-type must be strings", "quote them", key="readme")
        return
    if type_ is None:
        diagnostics.add(
            "'content-type' is missing (PEP 621)",
            'write content-type = "text/markdown"',
            key="readme",
        )
    elif type_.partition(";")[0].strip() not in _TYPES.values():
        diagnostics.add(
            f"'{type_}' is not a readme type",
            "use text/markdown, text/x-rst or text/plain",
            key="readme",
            value=type_,
        )
    project.readme_type = type_ or ""
    if file is not None:
        project.readme = file
        project.readme_text = _read_text(project.root, file, diagnostics)
    else:
        project.readme_text = text or ""


def _guess_type(name: str, diagnostics: Diagnostics) -> str:
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in _TYPES:
        diagnostics.add(
            f"the type of '{name}' is unknown",
            "use .md, .rst or .txt, or a table with file and content-type",
            key="readme",
        )
    return _TYPES.get(suffix, "")


def _read_text(root: str, name: str, diagnostics: Diagnostics) -> str:
    from twofold_build.globs import find_glob_problem

    wrong = find_glob_problem(name)
    if wrong:
        diagnostics.add(wrong, "the readme must be in the project", key="readme")
        return ""
    try:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        diagnostics.add(
            f"the file '{name}' does not exist", _suggest_readme(root), key="readme", value=name
        )
    except UnicodeDecodeError:
        diagnostics.add(
            f"the file '{name}' is not UTF-8", "save it as UTF-8", key="readme", value=name
        )
    except IsADirectoryError:
        diagnostics.add(f"'{name}' is a folder", "name a file", key="readme", value=name)
    except OSError as error:
        diagnostics.add(
            f"the file '{name}' cannot be read: {error.strerror}",
            "correct its name or its permissions",
            key="readme",
            value=name,
        )
    return ""


def _suggest_readme(root: str) -> str:
    there = sorted(name for name in os.listdir(root) if name.lower().startswith("readme"))
    return f"did you mean '{there[0]}'?" if there else "write the file, or remove the key"
