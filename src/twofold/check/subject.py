"""The metadata of a project or a built file, in one shape for the rules about metadata."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TypeAlias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.formats.core_metadata import CoreMetadata
    from twofold_build.model import Project


class PyprojectText:
    """The text of a project's pyproject.toml, which is read when a line is first needed.

    `place` is the file that findings name when a key is not written there.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self.place = "pyproject.toml"

    @cached_property
    def text(self) -> str:
        """The text with plain line ends, or '' if there is no such file."""
        path = os.path.join(self._root, "pyproject.toml")
        if not os.path.isfile(path):
            return ""
        with open(path, encoding="utf-8", newline="") as file:
            return file.read().replace("\r\n", "\n")

    def location(self, key: str, value: str = "", table: str = "project") -> str:
        """Where a key (and one of its values) is written, as findings name it."""
        from twofold_build.toml_lines import find_line  # for findings, and with expressions

        line = find_line(self.text, table, key, value)
        place = f"pyproject.toml:{line}" if line else self.place
        return f"{place}: [{table}]" + (f" {key}" if key else "")

    def line(self, where: str) -> str:
        """The text of the line that `where` names."""
        found = re.match(r"pyproject\.toml:(\d+)", where)
        lines = self.text.splitlines()
        return lines[int(found.group(1)) - 1] if found else ""


class ProjectMetadata:
    """The metadata that a project declares, with the lines of pyproject.toml."""

    def __init__(self, project: Project, pyproject: PyprojectText) -> None:
        self._pyproject = pyproject
        self.name = project.name
        self.version = project.version
        self.is_version_dynamic = "version" in project.dynamic
        self.summary = project.description
        self.readme = project.readme_text
        self.readme_type = project.readme_type
        # What the backend computes is not absent, though its value is not known here.
        computed = set(project.dynamic)
        self.has_readme = bool(self.readme.strip() or "readme" in computed)
        self.has_requires_python = bool(project.requires_python or "requires-python" in computed)
        self.has_licence = bool(
            project.license
            or project.license_text
            or project.license_files
            or {"license", "license-files", "classifiers"} & computed
            or any(name.startswith("License ::") for name in project.classifiers)
        )
        self.licence_expression = project.license
        self.classifiers = project.classifiers
        self.dependencies = [("dependencies", item) for item in project.dependencies]
        for extra, listed in project.optional_dependencies.items():
            self.dependencies += [(f"optional-dependencies.{extra}", item) for item in listed]
        self.urls = project.urls

    def location(self, key: str, value: str = "") -> str:
        """Where a key (and one of its values) is written."""
        return self._pyproject.location(key, value)

    def line(self, where: str) -> str:
        """The text of the line that `where` names."""
        return self._pyproject.line(where)


class FileMetadata:
    """The metadata of a built file: METADATA or PKG-INFO."""

    def __init__(self, filename: str, metadata: CoreMetadata) -> None:
        self._filename = filename
        self.name = metadata.name
        self.version = metadata.version
        self.is_version_dynamic = False
        self.summary = metadata.get("Summary")
        self.readme = metadata.description
        self.readme_type = metadata.get("Description-Content-Type")
        self.has_readme = bool(self.readme.strip())
        self.has_requires_python = bool(metadata.requires_python)
        self.licence_expression = metadata.get("License-Expression")
        self.classifiers = list(metadata.all("Classifier"))
        self.has_licence = bool(
            metadata.get("License-Expression")
            or metadata.get("License")
            or metadata.all("License-File")
            or any(name.startswith("License ::") for name in self.classifiers)
        )
        self.dependencies = [("Requires-Dist", need) for need in metadata.requires_dist]
        pairs = [value.partition(",") for value in metadata.all("Project-URL")]
        self.urls = {label.strip(): address.strip() for label, _, address in pairs}

    def location(self, key: str, value: str = "") -> str:
        """The field of the file; its metadata have no lines to name."""
        del value
        return f"{self._filename}: {key}" if key else self._filename

    def line(self, where: str) -> str:
        """A built file is not edited."""
        del where
        return ""


#: What the rules about metadata judge.
Metadata: TypeAlias = ProjectMetadata | FileMetadata
