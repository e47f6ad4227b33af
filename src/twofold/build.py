"""Build a project: the public names of `twofold.building` (docs/reference/library.md).

from twofold.build import BuildRequest, build_project

result = build_project("path/to/project", BuildRequest(("sdist", "wheel"), out="elsewhere"))
"""

from __future__ import annotations

from twofold.building import (
    BackendOptions,
    BuildRequest,
    BuildResult,
    BuiltFile,
    build_project,
)

__all__ = [
    "BackendOptions",
    "BuildRequest",
    "BuildResult",
    "BuiltFile",
    "build_project",
]
