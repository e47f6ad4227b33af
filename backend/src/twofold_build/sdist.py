"""An sdist (PEP 517, 625, 643): the project's own files below one folder, and PKG-INFO."""

from __future__ import annotations

import os

from twofold_build.tar_writer import TarGzWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.build import BuildPlan


def format_sdist_filename(stem: str) -> str:
    return f"{stem}.tar.gz"


def make_sdist_writer(folder: str, plan: BuildPlan) -> TarGzWriter:
    """A writer of the plan's sdist in `folder`."""
    stem = plan.project.file_stem
    return TarGzWriter(os.path.join(folder, format_sdist_filename(stem)), stem, plan.when)
