"""What the files of another backend's project say, in the words of pyproject.toml.

The room `new` reads them (setup.py, setup.cfg, the tables of poetry, flit, hatch, pdm and
setuptools) and the door passes its reader in; here a Project is made of what it found.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from twofold_build.diagnostics import Diagnostics
from twofold_build.errors import Problem, ProjectErrors
from twofold_build.model import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DeclaredProject(NamedTuple):
    """`project` and `settings` are [project] and [tool.twofold] as they would have to be written
    for the same package; `dynamic` the keys of [project] that a program computes. `place` is the
    file that says it, `unknown` the place where the packed modules are computed, else ''.
    `overlooked` are mistakes about the version that the backend passes over.
    """

    project: dict[str, Any]
    settings: dict[str, Any]
    dynamic: frozenset[str]
    place: str
    unknown: str
    overlooked: tuple[Problem, ...] = ()


def has_other_backend(document: dict[str, Any], root: str) -> bool:
    """Whether a project that has no [project] is one for setuptools, poetry or flit."""
    tool = document.get("tool", {})
    if "project" in document or not isinstance(tool, dict):
        return False
    return bool({"poetry", "flit"} & set(tool)) or any(
        os.path.isfile(os.path.join(root, name)) for name in ("setup.py", "setup.cfg")
    )


def make_project(
    root: str, document: dict[str, Any], declared: DeclaredProject, is_written: bool
) -> Project:
    """The project that the files describe.

    Where its own pyproject.toml has a [project] (`is_written`), its mistakes are reported already;
    else they are raised here as ProjectErrors.
    """
    from twofold_build.pyproject_tables import read_build_system, read_project_table
    from twofold_build.settings import read_settings

    mistakes = Diagnostics(declared.place, "")
    table = {**declared.project}
    dynamic = {*declared.dynamic, *(("version",) if isinstance(table.get("version"), dict) else ())}
    # A computed name is not known here either, and only messages would use it.
    dynamic.discard("name")
    for key in dynamic:
        table.pop(key, None)
    table["dynamic"] = sorted(dynamic)
    document = {**document, "project": table}
    unjudged = Diagnostics(declared.place, "")
    project = Project(root, document, read_settings(declared.settings, root, unjudged))
    read_build_system(document, project, unjudged)
    project.backend = project.backend or "setuptools.build_meta"
    read_project_table(document, project, mistakes)
    if not is_written:
        problems = [
            problem for problem in mistakes.to_problems() if "'version'" not in problem.message
        ]
        if problems:
            raise ProjectErrors(problems)
    project.version = project.version if "version" not in dynamic else ""
    return project
