"""From a project to its artifacts: our own chain, or another backend's hooks in isolation."""

from __future__ import annotations

from twofold.build.project import build_project
from twofold.build.request import BuildRequest, BuildResult, Built

__all__ = ["BuildRequest", "BuildResult", "Built", "build_project"]
