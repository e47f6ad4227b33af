"""Create a project, or migrate an existing one."""

from __future__ import annotations

from twofold.new.files import NewProject
from twofold.new.start import start_project

__all__ = ["NewProject", "start_project"]
