"""What a project or a built file says of itself, in one shape for the rules in `metadata`."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext
    from twofold.formats.core_metadata import CoreMetadata


class ProjectMetadata:
    """A project's own words, with the lines of pyproject.toml."""

    def __init__(self, context: ProjectContext) -> None:
        project = context.project
        self._context = context
        self.name = project.name
        self.version = project.version
        self.is_version_dynamic = "version" in project.dynamic
        self.summary = project.description
        self.readme = project.readme_text
        self.readme_type = project.readme_type
        self.requires_python = project.requires_python
        self.has_licence = bool(
            project.license
            or project.license_text
            or project.license_files
            or "license" in project.dynamic
            or any(name.startswith("License ::") for name in project.classifiers)
        )
        self.classifiers = project.classifiers
        self.dependencies = [("dependencies", item) for item in project.dependencies]
        for extra, listed in project.optional_dependencies.items():
            self.dependencies += [(f"optional-dependencies.{extra}", item) for item in listed]
        self.urls = project.urls

    def location(self, key: str, value: str = "") -> str:
        return self._context.location(key, value)

    def line(self, where: str) -> str:
        """The text of the line that `where` names."""
        found = re.match(r"pyproject\.toml:(\d+)", where)
        lines = self._context.text.splitlines()
        return lines[int(found.group(1)) - 1] if found else ""


class FileMetadata:
    """A built file's own words: METADATA or PKG-INFO."""

    def __init__(self, filename: str, metadata: CoreMetadata) -> None:
        self._filename = filename
        self.name = metadata.name
        self.version = metadata.version
        self.is_version_dynamic = False
        self.summary = metadata.get("Summary")
        self.readme = metadata.description
        self.readme_type = metadata.get("Description-Content-Type")
        self.requires_python = metadata.requires_python or ""
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
        del value
        return f"{self._filename}: {key}" if key else self._filename

    def line(self, where: str) -> str:
        """A built file is not edited."""
        del where
        return ""
