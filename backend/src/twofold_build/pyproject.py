"""Reads pyproject.toml into a Project: read once, checked once, every mistake reported.

`pyproject_tables` checks [project] (PEP 621, 639, 794), `settings` checks [tool.twofold]. Code
that has a `Project` need not check anything again.
"""

from __future__ import annotations

import os

from twofold_build.model import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics


def read_project(
    root: str | os.PathLike[str], *, resolve: bool = True, text: str | None = None
) -> Project:
    """Read and check `root`/pyproject.toml, or `text` in place of that file.

    `resolve` also finds a dynamic version (from the code, from git, or from the PKG-INFO of an
    unpacked sdist). Raises ProjectErrors with every mistake, each with its line, table and key;
    TwofoldError when there is no project.
    """
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.pyproject_tables import read_build_system, read_project_table
    from twofold_build.settings import read_settings

    folder = os.path.abspath(root)
    if text is None:
        text, document = read_document(folder)
    else:
        document = _parse_document(text)
    diagnostics = Diagnostics("pyproject.toml", text)
    tool = document.get("tool", {})
    settings = read_settings(
        tool.get("twofold", {}) if isinstance(tool, dict) else {}, folder, diagnostics
    )
    project = Project(folder, document, settings)
    read_build_system(document, project, diagnostics)
    read_project_table(document, project, diagnostics)
    _resolve_version(project, diagnostics, resolve)
    diagnostics.raise_all()
    return project


def read_document(folder: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """Return the text of `folder`/pyproject.toml and the parsed TOML, unchecked.

    Raises ProjectErrors with the line if it is not UTF-8 or not TOML.
    """
    text = _read_text(os.fspath(folder))
    return text, _parse_document(text)


def _read_text(folder: str) -> str:
    from twofold_build.errors import Problem, ProjectErrors, TwofoldError

    try:
        with open(os.path.join(folder, "pyproject.toml"), encoding="utf-8", newline="") as file:
            return file.read().replace("\r\n", "\n")
    except FileNotFoundError:
        raise TwofoldError(
            f"there is no pyproject.toml in {folder}",
            "start a project with 'twofold new NAME', or adopt existing code with 'twofold init'"
            if os.path.isdir(folder)
            else "check the path: the folder does not exist",
        ) from None
    except NotADirectoryError:
        raise TwofoldError(f"{folder} is not a folder", "name the project's folder") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"the file is not UTF-8: {error.reason}"
        raise ProjectErrors(
            [Problem(message, "save it as UTF-8", f"pyproject.toml:{line}")]
        ) from None


def _parse_document(text: str) -> dict[str, Any]:
    from twofold_build.toml import loads

    try:
        return loads(text)
    except (ValueError, RecursionError) as error:  # tomllib.TOMLDecodeError is a ValueError
        from twofold_build.diagnostics import Diagnostics
        from twofold_build.toml_lines import explain_syntax_error

        diagnostics = Diagnostics("pyproject.toml", text)
        diagnostics.raise_one(explain_syntax_error(text, str(error)))


def _resolve_version(project: Project, diagnostics: Diagnostics, resolve: bool) -> None:
    if project.version and project.settings.version_from:
        diagnostics.add(
            "the project declares a version, so this table has no effect",
            'remove this table, or write dynamic = ["version"] instead of the version',
            table="tool.twofold.version",
        )
    if project.backend == "twofold_build":
        for key in sorted(project.dynamic - {"version", "import-names", "import-namespaces"}):
            diagnostics.add(
                f"twofold_build cannot compute '{key}'",
                "declare it; only the version and the import names can be dynamic",
                key="dynamic",
                value=key,
            )
    if "version" not in project.dynamic or project.version or not project.name or not resolve:
        return
    from twofold_build.version import find_version

    project.version = find_version(project, diagnostics)
