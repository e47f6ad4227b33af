"""The dry run: the real run with writers that only list, so that it cannot say anything else.

`find_changes` compares what a build would pack now with what the last build packed.
"""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from twofold.building.backends import has_native_backend
from twofold.building.options import MANIFEST_NAME, BuildRequest, without_sdist
from twofold.building.source_hashes import hash_file, hash_members, is_wheel
from twofold.formats.conda_info import PackedPath, make_info_files
from twofold_build.archive import ListWriter
from twofold_build.build import write_artifacts
from twofold_build.plan import make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.building.conda_outputs import MetapackageAdapter
    from twofold.building.options import BuildResult
    from twofold.conda_metadata import CondaPackage
    from twofold.convert.package_builder import PackageBuilder
    from twofold_build.archive import Content, Entry
    from twofold_build.plan import BuildPlan


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


def list_project(root: str | os.PathLike[str], request: BuildRequest) -> ProjectListing:
    """What a build would put where. Nothing is written into the output folders.

    Another backend alone knows what it packs: its project is built aside, and what was made listed.
    """
    source = os.path.abspath(root)
    if os.path.isfile(source):
        from twofold.building.sdist_source import open_sdist

        kinds = without_sdist(source, request.kinds)
        with open_sdist(source) as tree:
            if has_native_backend(tree):
                return _list_planned(tree, request.with_kinds(kinds))
            return _list_built(tree, request.with_kinds(kinds), from_sdist=True)
    if has_native_backend(source):
        return _list_planned(source, request)
    return _list_built(source, request)


def _list_planned(folder: str, request: BuildRequest) -> ProjectListing:
    """List a project of our own backend with writers that only list."""
    from twofold_build import sdist, wheel

    kinds = request.kinds
    planned = make_plan(folder)
    stem = planned.project.file_stem
    sdists = [ListWriter(sdist.format_sdist_filename(stem))] if "sdist" in kinds else []
    wheels = [ListWriter(wheel.format_wheel_filename(stem))] if "wheel" in kinds else []
    listers: list[ListWriter] = [*sdists, *wheels]
    packages, adapted = _list_packages(planned, request)
    listers += packages
    write_artifacts(planned, sdists, [*wheels, *adapted])
    artifacts = {lister.name: lister.entries for lister in listers}
    return ProjectListing(artifacts, sorted(set(planned.selection.left_out)))


def _list_packages(
    planned: BuildPlan, request: BuildRequest
) -> tuple[list[PackageLister], list[PackageBuilder | MetapackageAdapter]]:
    """The listers of the conda packages, and the takers of the wheel's entries before them."""
    conda_kinds = [kind for kind in request.kinds if kind in ("conda", "tar.bz2")]
    if not conda_kinds:
        return [], []
    from twofold.building.conda_outputs import adapter_for, list_packages
    from twofold.convert.requirements import DirectReference

    listers, adapted = [], []
    try:
        packages = list_packages(planned)
    except DirectReference as error:
        request.leave_out_conda(error)
        return [], []
    for package in packages:
        for kind in conda_kinds:
            lister = PackageLister(f"{package.subdir}/{package.stem}.{kind}", package)
            listers.append(lister)
            adapted.append(adapter_for(lister, package, planned))
    return listers, adapted


def _list_built(folder: str, request: BuildRequest, from_sdist: bool = False) -> ProjectListing:
    """Build a project aside and list the files of what was made."""
    import tempfile

    from twofold.building.pep517 import build_with_backend

    with tempfile.TemporaryDirectory(prefix="twofold-list-") as out:
        made = build_with_backend(folder, out, request, from_sdist)
        listed = {}
        for built in made.artifacts:
            path = Path(built.path)
            subdir = "" if built.kind in ("sdist", "wheel") else f"{path.parent.name}/"
            listed[f"{subdir}{path.name}"] = _list_members(path, built.kind, folder, made)
    return ProjectListing(listed, [])


def _list_members(
    path: Path, kind: str, tree: str, made: BuildResult
) -> list[tuple[str, int, str]]:
    """The files of a built archive, each with its size and where it comes from."""
    generated = f"generated by {made.backend}"
    if kind == "wheel":
        with zipfile.ZipFile(path) as archive:
            sizes = [
                (one.filename, one.file_size) for one in archive.infolist() if not one.is_dir()
            ]
        folder = f"{'-'.join(path.name.split('-')[:2])}.dist-info/"
        return [
            (name, size, generated if name.startswith(folder) else "module or data")
            for name, size in sizes
        ]
    if kind == "sdist":
        with tarfile.open(path) as sdist:
            members = [member for member in sdist if not member.isdir()]
        found = []
        for member in members:
            inner = member.name.partition("/")[2]
            is_own = os.path.lexists(os.path.join(tree, inner))
            found.append((inner, member.size, "in the project" if is_own else generated))
        return found
    from twofold.formats.conda_reader import open_part

    found = []
    for part in ("pkg", "info") if kind == "conda" else ("pkg",):
        with open_part(path, part) as package:
            for one in package:
                if one.kind != "folder":
                    why = "generated" if one.path.startswith("info/") else "from the wheel"
                    found.append((one.path, one.size, why))
    return found


class _HashWriter(ListWriter):
    """Records the SHA-256 of each entry of an artifact."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.hashes: dict[str, str] = {}

    def add(self, entry: Entry, content: Content) -> None:
        """Record an entry."""
        self.hashes[entry.path] = content.sha256.hex()


def find_changes(root: Path) -> list[str]:
    """What has changed in the project since its last build, as sentences without a full stop.

    Other backends alone know what they pack: of their projects, and of recipes, the build has
    recorded the hashes of the files that went in. Empty if there was no build.
    """
    manifest = root / "dist" / MANIFEST_NAME
    if not manifest.is_file():
        return []
    try:
        value = json.loads(manifest.read_text("utf-8"))
        sources = dict(value.get("sources", {}))
        built = [root / entry["path"] for entry in value["artifacts"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # whoever reads the artifacts reports it
    changed = [path for path, digest in sources.items() if hash_file(root / path) != digest]
    if changed:
        return [_describe(root, path) for path in sorted(changed)]
    if has_native_backend(str(root)):
        return _find_native_changes(root, [path for path in built if path.is_file()])
    return []


def _describe(root: Path, path: str) -> str:
    return f"{path} has {'changed' if (root / path).is_file() else 'been removed'}"


def _find_native_changes(root: Path, built: list[Path]) -> list[str]:
    from twofold_build import sdist, wheel

    archives = [path for path in built if path.suffix in (".whl", ".gz")]
    if not archives:
        return []
    planned = make_plan(str(root))
    stem = planned.project.file_stem
    wanted = (sdist.format_sdist_filename(stem), wheel.format_wheel_filename(stem))
    others = [path.name for path in archives if path.name not in wanted]
    if others:
        return [f"it would build {wanted[is_wheel(others[0])]} now, not {others[0]}"]
    writers = [_HashWriter(path.name) for path in archives]
    sdists = [one for one in writers if not is_wheel(one.name)]
    write_artifacts(planned, sdists, [one for one in writers if is_wheel(one.name)])
    changes: dict[str, str] = {}
    for path, writer in zip(archives, writers, strict=True):
        before = hash_members(path)
        names = sorted(before.keys() | writer.hashes.keys())
        names.sort(key=lambda name: name.endswith(("PKG-INFO", "METADATA")))  # they follow others
        for name in names:
            if before.get(name) != writer.hashes.get(name) and not name.endswith(_OF_THE_TOOL):
                what = _explain_change(name in before, name in writer.hashes)
                changes.setdefault(name.removeprefix("src/"), f"{name} {what}")
    return list(changes.values())


#: Files that tell which version of the backend made an artifact.
_OF_THE_TOOL = (".dist-info/WHEEL", ".dist-info/RECORD")


def _explain_change(was_there: bool, is_there: bool) -> str:
    return "has changed" if was_there and is_there else "is new" if is_there else "is gone"
