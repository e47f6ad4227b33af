"""pyproject.toml -> Project: read once, checked once, every mistake told together.

The [project] table follows PEP 621, 639 and 794 and is judged in `tables`; [tool.twofold] is
judged in `settings`. Whoever holds a `Project` need not check anything again.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics
    from twofold_build.people import Person
    from twofold_build.settings import Settings


class Project:
    """A checked project.

    `root` is its absolute folder. `name` is as its author wrote it, `version` canonical
    (PEP 440; '' only when `read_project(..., resolve=False)` met a dynamic one). `readme` is a
    path below `root` or ''; `readme_text` and `readme_type` are its content. `license` is an
    SPDX expression or ''; `license_text` the old free text. `license_files` are sorted paths
    below `root`. `entry_points` holds every group, console_scripts and gui_scripts among them.
    `import_names` and `import_namespaces` are None when not declared. `document` is the whole
    file as tomllib read it; `backend` and `requires` are its [build-system].
    """

    __slots__ = (
        "authors",
        "backend",
        "backend_path",
        "classifiers",
        "dependencies",
        "description",
        "document",
        "dynamic",
        "entry_points",
        "import_names",
        "import_namespaces",
        "keywords",
        "license",
        "license_files",
        "license_text",
        "maintainers",
        "name",
        "optional_dependencies",
        "readme",
        "readme_text",
        "readme_type",
        "requires",
        "requires_python",
        "root",
        "settings",
        "urls",
        "version",
    )

    def __init__(self, root: str, document: dict[str, Any], settings: Settings) -> None:
        self.root = root
        self.document = document
        self.settings = settings
        self.name = ""
        self.version = ""
        self.description = ""
        self.readme = ""
        self.readme_text = ""
        self.readme_type = ""
        self.requires_python = ""
        self.license = ""
        self.license_text = ""
        self.license_files: list[str] = []
        self.authors: list[Person] = []
        self.maintainers: list[Person] = []
        self.keywords: list[str] = []
        self.classifiers: list[str] = []
        self.urls: dict[str, str] = {}
        self.dependencies: list[str] = []
        self.optional_dependencies: dict[str, list[str]] = {}
        self.entry_points: dict[str, dict[str, str]] = {}
        self.import_names: list[str] | None = None
        self.import_namespaces: list[str] | None = None
        self.dynamic: frozenset[str] = frozenset()
        self.backend = ""
        self.backend_path: list[str] = []
        self.requires: list[str] = []

    @property
    def file_stem(self) -> str:
        """How its files' names begin: `my_package-1.0.0`."""
        from twofold_build.names import escape_for_filename

        return f"{escape_for_filename(self.name)}-{self.version}"


def read_project(root: str | os.PathLike[str], *, resolve: bool = True) -> Project:
    """Read and check `root`/pyproject.toml.

    With `resolve` a dynamic version is found too (from the code, from git, or from the PKG-INFO
    of an unpacked sdist). Raises ProjectErrors with every mistake, each with its line, table
    and key; TwofoldError when there is no project.
    """
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.pyproject_tables import read_build_system, read_project_table
    from twofold_build.settings import read_settings

    folder = os.path.abspath(root)
    text, document = read_document(folder)
    mistakes = Diagnostics("pyproject.toml", text)
    tool = document.get("tool", {})
    settings = read_settings(
        tool.get("twofold", {}) if isinstance(tool, dict) else {}, folder, mistakes
    )
    project = Project(folder, document, settings)
    read_build_system(document, project, mistakes)
    read_project_table(document, project, mistakes)
    _resolve_version(project, mistakes, resolve)
    mistakes.raise_all()
    return project


def read_document(folder: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """The text of `folder`/pyproject.toml and what it says as TOML, nothing of it judged.

    Raises ProjectErrors with the line for what is not UTF-8 or not TOML.
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
            else "check the path: there is no such folder",
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

        mistakes = Diagnostics("pyproject.toml", text)
        mistakes.raise_one(explain_syntax_error(text, str(error)))


def _resolve_version(project: Project, mistakes: Diagnostics, resolve: bool) -> None:
    if project.version and project.settings.version_from:
        mistakes.add(
            "the version is written out, so it comes from nowhere else",
            'remove this table, or write dynamic = ["version"] in place of the version',
            table="tool.twofold.version",
        )
    if project.backend == "twofold_build":
        for key in sorted(project.dynamic - {"version", "import-names", "import-namespaces"}):
            mistakes.add(
                f"twofold_build cannot find '{key}' by itself",
                "write it out; only the version and the import names can be dynamic",
                key="dynamic",
                value=key,
            )
    if "version" not in project.dynamic or project.version or not project.name or not resolve:
        return
    from twofold_build.version import find_version

    project.version = find_version(project, mistakes)
