"""From a project to its artifacts: our own chain, or another backend's hooks in isolation."""

from __future__ import annotations

from twofold.building.options import BuildRequest, BuildResult, BuiltFile
from twofold.building.project import build_project

__all__ = ["BuildRequest", "BuildResult", "BuiltFile", "build_project"]
