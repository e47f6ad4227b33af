"""Selects the files of a project: one walk lists the sdist, and the wheel is derived from it.

So a wheel cannot hold a file that the sdist lacks.
"""

from __future__ import annotations

import os

from twofold_build.atomic import get_writer_pid
from twofold_build.globs import Globs
from twofold_build.ignore import IgnoredFolder, IgnoreRules, load_ignore_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project
    from twofold_build.modules import Module

#: What does not belong into a package: caches, version control, editors' temporary files. What a
#: killed process left of an atomic write is recognized by its name.
_JUNK = {
    "__pycache__",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitkeep",
    ".hg",
    ".svn",
    ".bzr",
    ".DS_Store",
    "Thumbs.db",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    ".tox",
    ".nox",
    ".venv",
    ".idea",
    ".vscode",
    ".ipynb_checkpoints",
}
_JUNK_ENDINGS = (".pyc", ".pyo", ".egg-info", ".swp", "~")


class ProjectFile:
    """One file of the project that is packed.

    `path` is its path in the project and in the sdist, `source` the file to read, `wheel` its
    paths in the wheel (none, one or several), `reason` why it is included.
    """

    __slots__ = ("executable", "path", "reason", "size", "source", "wheel")

    def __init__(self, path: str, source: str, reason: str, size: int, executable: bool) -> None:
        self.path = path
        self.source = source
        self.reason = reason
        self.size = size
        self.executable = executable
        self.wheel: list[str] = []


class FileSelection:
    """What is packed: the files sorted by path, the modules, and what is left out.

    `sources` are the folders that imports of them start from. `left_out` holds (path, reason) of
    excluded paths, for `twofold build --list`.
    """

    __slots__ = ("files", "left_out", "modules", "sources")

    def __init__(self, sources: list[str], modules: list[Module]) -> None:
        self.sources = sources
        self.modules = modules
        self.files: list[ProjectFile] = []
        self.left_out: list[tuple[str, str]] = []


def select_files(project: Project, diagnostics: Diagnostics) -> FileSelection:
    """Find the files to pack. Reports missing modules and links that leave the project."""
    from twofold_build.modules import find_modules

    selection = FileSelection(*find_modules(project, diagnostics))
    walk = _Walker(project, selection, diagnostics)
    settings = project.settings
    walk.add_file("pyproject.toml", "the project itself")
    if project.readme:
        walk.add_file(project.readme, "readme")
    for path in project.license_files:
        walk.add_file(path, "license-files")
    if settings.version_path:
        walk.add_file(settings.version_path, "[tool.twofold.version] path")
    for module in selection.modules:
        walk.add_tree(module.path, f"module {module.name}")
    for placement in settings.placements:
        if os.path.isfile(os.path.join(project.root, placement.path)):
            walk.add_file(placement.path, placement.setting)
        else:
            walk.add_tree(placement.path, placement.setting)
    for path in project.backend_path:
        walk.add_tree(path, "[build-system] backend-path")
    walk.add_matching(Globs(settings.sdist_include), "[tool.twofold.sdist] include", diagnostics)
    walk.add_matching(Globs(settings.include), "[tool.twofold] include", diagnostics)
    walk.add_matching(Globs(settings.sbom_files), "[tool.twofold] sbom-files", diagnostics)
    selection.files = [walk.found[path] for path in sorted(walk.found)]
    _assign_wheel_paths(project, selection)
    _check_wheel_paths(selection, diagnostics)
    return selection


def _assign_wheel_paths(project: Project, selection: FileSelection) -> None:
    """Give each file its paths in the wheel (PEP 427, 639, 770)."""
    stem = project.file_stem
    excluded = Globs(project.settings.wheel_exclude)
    sboms = Globs(project.settings.sbom_files)
    licences = set(project.license_files)
    code = [(module.path, module.place) for module in selection.modules]
    code += [(f"{path}i", f"{place}i") for path, place in code if place.endswith(".py")]
    data = []
    for placement in project.settings.placements:
        if placement.kind:
            place = f"{stem}.data/{placement.kind}/{placement.place}".rstrip("/")
            data.append((placement.path, place))
        elif (placement.path, placement.place) not in code:
            code.append((placement.path, placement.place))
    for file in selection.files:
        path = file.path
        places = _list_places(path, code)
        glob = excluded.match(path) if places and excluded else ""
        if glob:
            selection.left_out.append((path, f"wheel only: [tool.twofold.wheel] exclude '{glob}'"))
            places = []
        places += _list_places(path, data)
        if path in licences:
            places.append(f"{stem}.dist-info/licenses/{path}")
        if sboms and sboms.match(path):
            places.append(f"{stem}.dist-info/sboms/{path.rpartition('/')[2]}")
        file.wheel = list(dict.fromkeys(places))


def _list_places(path: str, placed: list[tuple[str, str]]) -> list[str]:
    """List the places of a file: those of itself, and those of the folders that hold it."""
    found = []
    for source, place in placed:
        if path == source:
            found.append(place)
        elif path.startswith(f"{source}/"):
            inner = path[len(source) + 1 :]
            found.append(f"{place}/{inner}" if place else inner)
    return found


def _check_wheel_paths(selection: FileSelection, diagnostics: Diagnostics) -> None:
    """Report two files with the same path in the wheel."""
    taken: dict[str, str] = {}
    for file in selection.files:
        for place in file.wheel:
            other = taken.setdefault(place, file.path)
            if other != file.path:
                diagnostics.add(
                    f"'{other}' and '{file.path}' would both be '{place}' in the wheel",
                    "rename one of them",
                    table="",
                )


class _Walker:
    """Finds files below the root, once each; applies .gitignore and the excludes."""

    def __init__(
        self, project: Project, selection: FileSelection, diagnostics: Diagnostics
    ) -> None:
        self.root = project.root
        self.real_root = os.path.realpath(project.root)
        self.selection = selection
        self.diagnostics = diagnostics
        self.found: dict[str, ProjectFile] = {}
        self.ignore = load_ignore_rules(project.root)
        self.included = Globs(project.settings.include)
        self.excluded = Globs(project.settings.exclude + project.settings.sdist_exclude)

    def add_file(self, path: str, reason: str) -> None:
        """Add a file the project names itself, even if it is ignored or excluded."""
        path = os.path.normpath(path).replace(os.sep, "/")
        absolute = os.path.join(self.root, path)
        if path in self.found or not os.path.isfile(absolute) or not self.is_inside_project(path):
            return
        self.check_name(path)
        info = os.stat(absolute)
        self.found[path] = ProjectFile(
            path, absolute, reason, info.st_size, bool(info.st_mode & 0o111)
        )

    def add_tree(self, path: str, reason: str) -> None:
        """Add a file, or everything below a folder."""
        absolute = os.path.join(self.root, path)
        if os.path.isdir(absolute):
            if self.is_inside_project(path):
                self.walk_folder(
                    "" if path == "." else path,
                    absolute,
                    reason,
                    self.find_ignore_rules(path),
                    None,
                    (),
                )
        else:
            self.add_file(path, reason)
            self.add_file(f"{path}i", reason)  # a single module's stub beside it

    def add_matching(self, globs: Globs, reason: str, diagnostics: Diagnostics) -> None:
        """Add what the globs match."""
        if not globs:
            return
        for glob, folder in zip(globs.globs, globs.iter_folders(), strict=True):
            one = Globs([glob])
            absolute = os.path.join(self.root, folder)
            before = len(self.found)
            if os.path.isfile(absolute):
                self.add_file(folder, f"{reason} '{glob}'")
            elif os.path.isdir(absolute) and self.is_inside_project(folder):
                ignore = self.find_ignore_rules(folder)
                self.walk_folder(folder, absolute, f"{reason} '{glob}'", ignore, one, ())
            if len(self.found) == before and not any(one.match(path) for path in self.found):
                table, _, key = reason.partition("] ")
                diagnostics.add(
                    f"'{glob}' matches no file",
                    "correct the pattern, or remove it",
                    table=table.lstrip("["),
                    key=key,
                    value=glob,
                )

    def find_ignore_rules(self, path: str) -> IgnoreRules:
        """Return the rules that apply in a folder below the root."""
        ignore = self.ignore
        folder = ""
        for part in path.split("/") if path not in ("", ".") else ():
            folder = f"{folder}/{part}" if folder else part
            ignore = ignore.enter(folder, os.path.join(self.root, folder))
        return ignore

    def walk_folder(
        self,
        path: str,
        absolute: str,
        reason: str,
        ignore: IgnoreRules,
        only: Globs | None,
        links: tuple[str, ...],
    ) -> None:
        """Add a folder's content. `links` are the real folders behind the links on the way."""
        with os.scandir(absolute) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            name = entry.name
            here = f"{path}/{name}" if path else name
            is_link = entry.is_symlink()
            if is_link and (only is None or only.match(here)) and not self.is_inside_project(here):
                continue
            is_folder = entry.is_dir()
            why_not = self.explain_exclusion(here, is_folder, ignore)
            if is_folder:
                if why_not and not self.can_include_below(here):
                    self.selection.left_out.append((f"{here}/", why_not))
                    continue
                through = links
                if is_link:
                    real = os.path.realpath(entry.path)
                    if real in links or absolute.startswith(real + os.sep) or absolute == real:
                        self.selection.left_out.append(
                            (here, "a link to a folder that contains it")
                        )
                        continue
                    through = (*links, real)
                inner = IgnoredFolder(why_not) if why_not else ignore.enter(here, entry.path)
                self.walk_folder(here, entry.path, reason, inner, only, through)
            elif here in self.found or (only is not None and not only.match(here)):
                continue
            elif why_not:
                self.selection.left_out.append((here, why_not))
            elif entry.is_file():
                self.check_name(here)
                info = entry.stat()
                executable = bool(info.st_mode & 0o111)
                self.found[here] = ProjectFile(here, entry.path, reason, info.st_size, executable)
            else:
                self.selection.left_out.append((here, "neither a file nor a folder"))

    def explain_exclusion(self, path: str, is_folder: bool, ignore: IgnoreRules) -> str:
        glob = self.excluded.match(path) if self.excluded else ""
        if glob:
            return f"exclude '{glob}'"
        name = path.rpartition("/")[2]
        if name in _JUNK or name.endswith(_JUNK_ENDINGS) or get_writer_pid(name):
            reason = "never packed unless [tool.twofold] include names it"
        else:
            reason = ignore.explain(path, is_folder)
        is_excluded = reason.startswith("exclude ")  # a folder above is
        if reason and not is_excluded and self.included and self.included.match(path):
            return ""
        return reason

    def check_name(self, path: str) -> None:
        """Report a name that some archive or reader cannot handle."""
        if path.isascii() and path.isprintable() and "\\" not in path:
            return
        if any("\ud800" <= mark <= "\udfff" for mark in path):
            wrong = "is not UTF-8"
        elif any(mark < " " or mark == "\x7f" for mark in path):
            wrong = "holds control characters, such as a newline"
        elif "\\" in path:
            wrong = "holds a backslash, which Windows reads as '/'"
        else:
            return
        self.diagnostics.add(
            f"the name of {path!a} {wrong}",
            "rename the file, or leave it out with [tool.twofold] exclude",
            table="",
        )

    def can_include_below(self, folder: str) -> bool:
        """Whether a glob of [tool.twofold] include could name a file below an ignored folder."""
        return any(
            fixed == folder
            or fixed.startswith(f"{folder}/")
            or folder.startswith(f"{fixed}/")
            or not fixed
            for fixed in self.included.iter_folders()
        )

    def is_inside_project(self, path: str) -> bool:
        """Whether a path's real file is inside the project; reports it if not."""
        real = os.path.realpath(os.path.join(self.root, path))
        if real == self.real_root or real.startswith(self.real_root + os.sep):
            if os.path.exists(real):
                return True
            self.diagnostics.add(
                f"'{path}' is a broken link", "fix the link, or remove it", table=""
            )
            return False
        self.diagnostics.add(
            f"'{path}' is a link that leaves the project, to {real}",
            "copy the file into the project: it does not exist there on other machines",
            table="",
        )
        return False
