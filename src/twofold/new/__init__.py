"""Starting a project, and adopting one that is there."""

from __future__ import annotations

from twofold.new.start import NewProject, start_project

__all__ = ["NewProject", "start_project"]
