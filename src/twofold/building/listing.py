"""The dry run: the real run with writers that only list, so that it cannot say anything else."""

from __future__ import annotations

import os
from dataclasses import dataclass

from twofold.building.native import has_native_backend
from twofold.errors import TwofoldError
from twofold.formats.conda_info import PackedPath, make_info_files
from twofold_build.archive import ListWriter
from twofold_build.build import write_artifacts
from twofold_build.plan import make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content, Entry


@dataclass(frozen=True)
class ProjectListing:
    """File name of each artifact -> its (path, size in bytes, why it is in), in archive order;
    and (path, why) of what stays out.
    """

    artifacts: dict[str, list[tuple[str, int, str]]]
    left_out: list[tuple[str, str]]


class PackageLister(ListWriter):
    """Lists a conda package: the files it is given, and what its writer puts below info/."""

    def __init__(self, name: str, package: CondaPackage) -> None:
        super().__init__(name)
        self._package = package
        self._paths: list[PackedPath] = []

    def add(self, entry: Entry, content: Content, placeholder: str = "") -> None:
        """List a file of the package."""
        super().add(entry, content)
        packed = PackedPath(entry.path, content.sha256, len(content.data), placeholder)
        self._paths.append(packed)

    def close(self) -> None:
        """List what the writer of the package generates below info/."""
        for path, data in make_info_files(self._package, self._paths):
            is_licence = path.startswith("info/licenses/")
            self.entries.append((path, len(data), "license-files" if is_licence else "generated"))


def list_project(root: str | os.PathLike[str], kinds: Sequence[str]) -> ProjectListing:
    """What a build would put where. Nothing is written.

    Raises TwofoldError for a project with another backend, which alone knows what it packs.
    """
    folder = os.path.abspath(root)
    if not has_native_backend(folder):
        raise TwofoldError(
            "only projects with the backend twofold_build can be listed without building",
            "build it, and look into dist/; or move it over with 'twofold init'",
        )
    from twofold_build import sdist, wheel

    planned = make_plan(folder)
    stem = planned.project.file_stem
    sdists = [ListWriter(sdist.format_sdist_filename(stem))] if "sdist" in kinds else []
    wheels = [ListWriter(wheel.format_wheel_filename(stem))] if "wheel" in kinds else []
    listers: list[ListWriter] = [*sdists, *wheels]
    conda_kinds = [kind for kind in kinds if kind in ("conda", "tar.bz2")]
    adapted = []
    if conda_kinds:
        from twofold.building.conda_outputs import adapter_for, list_packages

        for package in list_packages(planned):
            for kind in conda_kinds:
                lister = PackageLister(f"{package.subdir}/{package.stem}.{kind}", package)
                listers.append(lister)
                adapted.append(adapter_for(lister, package, planned))
    write_artifacts(planned, sdists, [*wheels, *adapted])
    artifacts = {lister.name: lister.entries for lister in listers}
    return ProjectListing(artifacts, sorted(set(planned.selection.left_out)))
