"""The model of a project: what every other module reads or fills."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.settings import Settings


class Person:
    """An author or maintainer; either part may be ''."""

    __slots__ = ("email", "name")

    def __init__(self, name: str, email: str) -> None:
        self.name = name
        self.email = email


class Project:
    """A checked project.

    `root` is its absolute folder. `name` is as its author wrote it, `version` canonical
    (PEP 440; '' only when `read_project(..., resolve=False)` met a dynamic one). `readme` is a
    path below `root` or ''; `readme_text` and `readme_type` are its content. `license` is an
    SPDX expression or ''; `license_text` the old free text. `license_files` are sorted paths
    below `root`. `entry_points` holds every group, including console_scripts and gui_scripts.
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
        """The beginning of its file names: `my_package-1.0.0`."""
        from twofold_build.names import escape_for_filename

        return f"{escape_for_filename(self.name)}-{self.version}"
