"""Project -> which files go in: one walk gives the sdist's list, and the wheel's out of it.

The wheel is computed from the sdist's list, so it can hold nothing that the sdist does not.
"""

from __future__ import annotations

import os

from twofold_build.globs import Globs
from twofold_build.ignore import Ignore, ignore_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.mistakes import Mistakes
    from twofold_build.modules import Module
    from twofold_build.project import Project

#: What does not belong into a package: caches, version control, droppings of editors.
_JUNK = frozenset(
    [
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
    ]
)
_JUNK_ENDINGS = (".pyc", ".pyo", ".egg-info", ".swp", "~")


class File:
    """One file of the project that is packed.

    `path` is where it lies in the project and in the sdist, `source` where it is read,
    `wheel` where it goes in the wheel (no place, one, or several); `reason` why it is in.
    """

    __slots__ = ("executable", "path", "reason", "size", "source", "wheel")

    def __init__(self, path: str, source: str, reason: str, size: int, executable: bool) -> None:
        self.path = path
        self.source = source
        self.reason = reason
        self.size = size
        self.executable = executable
        self.wheel: list[str] = []


class Pack:
    """What is packed: the files in the order of their paths, the modules, and what stays out.

    `left_out` are (path, reason) of what was met and left out, for `twofold build --list`.
    """

    __slots__ = ("files", "left_out", "modules", "source")

    def __init__(self, source: str, modules: list[Module]) -> None:
        self.source = source
        self.modules = modules
        self.files: list[File] = []
        self.left_out: list[tuple[str, str]] = []


def collect(project: Project, mistakes: Mistakes) -> Pack:
    """Walk what the project packs. Mistakes are noted: missing modules, links that lead out."""
    from twofold_build.modules import find_modules

    source, modules = find_modules(project, mistakes)
    pack = Pack(source, modules)
    walk = _Walk(project, pack, mistakes)
    settings = project.settings
    walk.file("pyproject.toml", "the project itself")
    if project.readme:
        walk.file(project.readme, "readme")
    for path in project.license_files:
        walk.file(path, "license-files")
    if settings.version_path:
        walk.file(settings.version_path, "[tool.twofold.version] path")
    for module in modules:
        walk.below(module.path, f"module {module.name}")
    for kind in sorted(settings.data):
        walk.below(settings.data[kind], f"[tool.twofold.wheel.data] {kind}")
    for path in project.backend_path:
        walk.below(path, "[build-system] backend-path")
    walk.matching(Globs(settings.sdist_include), "[tool.twofold.sdist] include", mistakes)
    walk.matching(Globs(settings.include), "[tool.twofold] include", mistakes)
    walk.matching(Globs(settings.sbom_files), "[tool.twofold] sbom-files", mistakes)
    pack.files = [walk.found[path] for path in sorted(walk.found)]
    _place_in_wheel(project, pack)
    _judge_places(pack, mistakes)
    return pack


def _place_in_wheel(project: Project, pack: Pack) -> None:
    """Give each file its places in the wheel (PEP 427, 639, 770)."""
    stem = project.file_stem
    prefix = f"{pack.source}/" if pack.source else ""
    excluded = Globs(project.settings.wheel_exclude)
    sboms = Globs(project.settings.sbom_files)
    licences = set(project.license_files)
    packages = tuple(f"{module.path}/" for module in pack.modules if module.is_folder)
    modules = {module.path for module in pack.modules if not module.is_folder}
    stubs = {f"{path}i" for path in modules}
    data = [(f"{folder}/", kind) for kind, folder in sorted(project.settings.data.items())]
    for file in pack.files:
        path = file.path
        if path.startswith(packages) or path in modules or path in stubs:
            glob = excluded.match(path) if excluded else ""
            if glob:
                pack.left_out.append((path, f"wheel only: [tool.twofold.wheel] exclude '{glob}'"))
            else:
                file.wheel.append(path[len(prefix) :])
        for folder, kind in data:
            if path.startswith(folder):
                file.wheel.append(f"{stem}.data/{kind}/{path[len(folder) :]}")
        if path in licences:
            file.wheel.append(f"{stem}.dist-info/licenses/{path}")
        if sboms and sboms.match(path):
            file.wheel.append(f"{stem}.dist-info/sboms/{path.rpartition('/')[2]}")


def _judge_places(pack: Pack, mistakes: Mistakes) -> None:
    """Each place in the wheel may be taken once."""
    taken: dict[str, str] = {}
    for file in pack.files:
        for place in file.wheel:
            other = taken.setdefault(place, file.path)
            if other != file.path:
                mistakes.add(
                    f"'{other}' and '{file.path}' would both be '{place}' in the wheel",
                    "rename one of them",
                    table="",
                )


class _Walk:
    """Finds files below the root, once each, obeying .gitignore and the excludes."""

    def __init__(self, project: Project, pack: Pack, mistakes: Mistakes) -> None:
        self.root = project.root
        self.real_root = os.path.realpath(project.root)
        self.pack = pack
        self.mistakes = mistakes
        self.found: dict[str, File] = {}
        self.ignore = ignore_of(project.root)
        self.kept = Globs(project.settings.include)
        self.excluded = Globs(project.settings.exclude + project.settings.sdist_exclude)

    def file(self, path: str, reason: str) -> None:
        """Take one file that the project names itself: neither ignored nor excluded."""
        path = os.path.normpath(path).replace(os.sep, "/")
        absolute = os.path.join(self.root, path)
        if path in self.found or not os.path.isfile(absolute) or not self.stays_inside(path):
            return
        self.judge_name(path)
        info = os.stat(absolute)
        self.found[path] = File(path, absolute, reason, info.st_size, bool(info.st_mode & 0o111))

    def below(self, path: str, reason: str) -> None:
        """Take a file, or everything below a folder."""
        absolute = os.path.join(self.root, path)
        if os.path.isdir(absolute):
            if self.stays_inside(path):
                self.folder(
                    "" if path == "." else path, absolute, reason, self.ignore_at(path), None, ()
                )
        else:
            self.file(path, reason)
            self.file(f"{path}i", reason)  # a single module's stub beside it

    def matching(self, globs: Globs, reason: str, mistakes: Mistakes) -> None:
        """Take what the globs match."""
        if not globs:
            return
        for glob, folder in zip(globs.globs, globs.folders(), strict=True):
            one = Globs([glob])
            absolute = os.path.join(self.root, folder)
            before = len(self.found)
            if os.path.isfile(absolute):
                self.file(folder, f"{reason} '{glob}'")
            elif os.path.isdir(absolute) and self.stays_inside(folder):
                ignore = self.ignore_at(folder)
                self.folder(folder, absolute, f"{reason} '{glob}'", ignore, one, ())
            if len(self.found) == before and not any(one.match(path) for path in self.found):
                table, _, key = reason.partition("] ")
                mistakes.add(
                    f"'{glob}' matches no file",
                    "correct the pattern, or remove it",
                    table=table.lstrip("["),
                    key=key,
                    value=glob,
                )

    def ignore_at(self, path: str) -> Ignore:
        """The rules that hold in a folder below the root."""
        ignore = self.ignore
        folder = ""
        for part in path.split("/") if path not in ("", ".") else ():
            folder = f"{folder}/{part}" if folder else part
            ignore = ignore.inside(folder, os.path.join(self.root, folder))
        return ignore

    def folder(
        self,
        path: str,
        absolute: str,
        reason: str,
        ignore: Ignore,
        only: Globs | None,
        links: tuple[str, ...],
    ) -> None:
        """Take what lies in a folder. `links` are the real folders that links led here through."""
        with os.scandir(absolute) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            name = entry.name
            here = f"{path}/{name}" if path else name
            is_link = entry.is_symlink()
            if is_link and (only is None or only.match(here)) and not self.stays_inside(here):
                continue
            is_folder = entry.is_dir()
            why_not = self.why_not(here, is_folder, ignore)
            if is_folder:
                if why_not and not self.may_keep_below(here):
                    self.pack.left_out.append((f"{here}/", why_not))
                    continue
                through = links
                if is_link:
                    real = os.path.realpath(entry.path)
                    if real in links or absolute.startswith(real + os.sep) or absolute == real:
                        self.pack.left_out.append((here, "a link to a folder it lies in"))
                        continue
                    through = (*links, real)
                self.folder(
                    here, entry.path, reason, ignore.inside(here, entry.path), only, through
                )
            elif here in self.found or (only is not None and not only.match(here)):
                continue
            elif why_not:
                self.pack.left_out.append((here, why_not))
            elif entry.is_file():
                self.judge_name(here)
                info = entry.stat()
                executable = bool(info.st_mode & 0o111)
                self.found[here] = File(here, entry.path, reason, info.st_size, executable)
            else:
                self.pack.left_out.append((here, "neither a file nor a folder"))

    def why_not(self, path: str, is_folder: bool, ignore: Ignore) -> str:
        glob = self.excluded.match(path) if self.excluded else ""
        if glob:
            return f"exclude '{glob}'"
        name = path.rpartition("/")[2]
        if name in _JUNK or name.endswith(_JUNK_ENDINGS):
            reason = "never packed unless [tool.twofold] include names it"
        else:
            reason = ignore.reason(path, is_folder)
        if reason and self.kept and self.kept.match(path):
            return ""
        return reason

    def judge_name(self, path: str) -> None:
        """Note a name that an archive cannot hold, or that not every reader takes."""
        if path.isascii() and path.isprintable() and "\\" not in path:
            return
        if any("\ud800" <= mark <= "\udfff" for mark in path):
            wrong = "is not UTF-8"
        elif any(mark < " " or mark == "\x7f" for mark in path):
            wrong = "holds control characters, such as the end of a line"
        elif "\\" in path:
            wrong = "holds a backslash, which Windows takes for '/'"
        else:
            return
        self.mistakes.add(
            f"the name of {path!a} {wrong}",
            "rename the file, or leave it out with [tool.twofold] exclude",
            table="",
        )

    def may_keep_below(self, folder: str) -> bool:
        """Whether a glob of [tool.twofold] include could name a file below an ignored folder."""
        return any(
            fixed == folder
            or fixed.startswith(f"{folder}/")
            or folder.startswith(f"{fixed}/")
            or not fixed
            for fixed in self.kept.folders()
        )

    def stays_inside(self, path: str) -> bool:
        """Whether a path's real file lies in the project; notes a mistake when it does not."""
        real = os.path.realpath(os.path.join(self.root, path))
        if real == self.real_root or real.startswith(self.real_root + os.sep):
            if os.path.exists(real):
                return True
            self.mistakes.add(
                f"'{path}' is a link to nothing", "mend the link, or remove it", table=""
            )
            return False
        self.mistakes.add(
            f"'{path}' is a link that leads out of the project, to {real}",
            "copy the file into the project: another machine does not have it there",
            table="",
        )
        return False
