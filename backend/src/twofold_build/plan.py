"""Plans a build: the checked project, its selected files and the generated ones."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.files import FileSelection
    from twofold_build.model import Project

#: 1980-01-01 UTC, the earliest time a zip file can hold.
EARLIEST = 315532800
#: 2107-12-31 23:59:58 UTC, the latest.
LATEST = 4354819198


class BuildPlan:
    """A project ready to be packed: its own files and the generated ones.

    `metadata` is both METADATA and PKG-INFO. `dist_info_files` are the generated files of
    .dist-info except RECORD, by name; `root_files` those at the wheel's root.
    """

    __slots__ = ("dist_info_files", "metadata", "project", "root_files", "selection", "when")

    def __init__(
        self,
        project: Project,
        selection: FileSelection,
        metadata: bytes,
        dist_info_files: dict[str, bytes],
        when: int,
    ) -> None:
        self.project = project
        self.selection = selection
        self.metadata = metadata
        self.dist_info_files = dist_info_files
        self.root_files: dict[str, bytes] = {}
        self.when = when


def make_plan(root: str | os.PathLike[str], text: str | None = None) -> BuildPlan:
    """Read the project and select its files. Raises ProjectErrors with every mistake.

    `text` is a pyproject.toml that is not written yet, in place of the project's own.
    """
    from twofold_build.archive import choose_hashes
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.files import select_files
    from twofold_build.metadata import WHEEL, render_entry_points, render_metadata
    from twofold_build.modules import list_import_names
    from twofold_build.pyproject import read_project

    project = read_project(root, text=text)
    diagnostics = (
        Diagnostics.for_project(project.root)
        if text is None
        else Diagnostics("pyproject.toml", text)
    )
    selection = select_files(project, diagnostics)
    diagnostics.raise_all()
    choose_hashes(sum(file.size for file in selection.files))
    metadata = render_metadata(project, *list_import_names(project, selection.modules))
    made = {"METADATA": metadata, "WHEEL": WHEEL}
    points = render_entry_points(project)
    if points:
        made["entry_points.txt"] = points
    return BuildPlan(project, selection, metadata, made, read_source_date())


def read_source_date() -> int:
    """Return SOURCE_DATE_EPOCH in seconds of UTC, never before 1980; 1980 when it is not set.

    Raises TwofoldError if it is not a number or later than an archive can hold.
    """
    written = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not written:
        return EARLIEST
    from twofold_build.errors import TwofoldError

    try:
        when = int(written)
    except ValueError:
        raise TwofoldError(
            f"SOURCE_DATE_EPOCH is '{written}', which is not a number of seconds",
            "set it to a whole number such as $(git log -1 --format=%ct), or unset it",
        ) from None
    if when > LATEST:
        raise TwofoldError(
            f"SOURCE_DATE_EPOCH is {written}, which is after 2107, the last year of an archive",
            "it counts seconds since 1970, not milliseconds",
        )
    return max(when, EARLIEST)
