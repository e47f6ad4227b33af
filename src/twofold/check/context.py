"""What the rules look at: the code of a project or of a built file, each module read once."""

from __future__ import annotations

import re

from twofold.check.namespace import CodeModule, Namespace
from twofold.check.subject import ProjectMetadata, PyprojectText
from twofold_build.entry_points import format_table_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twofold.check.namespace import Edge
    from twofold.check.settings import CheckSettings
    from twofold_build.archive import Content
    from twofold_build.files import FileSelection
    from twofold_build.model import Project


class SourceCode:
    """Code that is packed, whether in a project or in a built file.

    `modules` are by dotted name, those with syntax errors too; `opaque` the dotted names of
    compiled modules. `version` is '' when it comes from the code itself. `minors` are the minor
    versions of Python 3 allowed, () when not declared. `dependencies` are PEP 508's, those of
    extras apart; whether they are all is `are_dependencies_known`. `declared_names` are the import
    names and namespaces that the metadata declare, and where (PEP 794). `files` are the paths of
    everything packed, as findings name them, with their bytes where they were read; `installed`
    those that are installed, with their paths in site-packages (of a wheel's .data folder, in the
    wheel; of a conda package elsewhere, in the prefix). `is_complete`
    says that nothing is added to the code when it is built. `left_out` are paths that are there,
    but not packed; `allow` globs of files that may look secret. A rule may leave out what is no
    error when nobody `wants_warnings`. `may_hold_secret` says of a path whether its bytes must be
    searched. `edges` and `reachable` are filled by `import_graph`.
    """

    def __init__(self, modules: dict[str, CodeModule], paths: list[str]) -> None:
        """`paths` are all the paths in the wheel, or as they would be in one."""
        self.modules = modules
        self.opaque = _compiled_modules(paths)
        self.namespace = Namespace(modules, self.opaque, _package_folders(paths))
        self.version = ""
        self.requires_python = ""
        self.minors: tuple[int, ...] = ()
        self.name = ""
        self.dependencies: list[str] = []
        self.optional_dependencies: list[str] = []
        self.are_dependencies_known = True
        self.entry_points: dict[str, dict[str, str]] = {}
        self.declared_names: tuple[list[str], list[str], str] | None = None
        self.files: dict[str, bytes | None] = {}
        self.installed: dict[str, str] = {}
        self.is_complete = True
        self.left_out: list[str] = []
        self.allow: list[str] = []
        self.wants_warnings = True
        self.may_hold_secret: Callable[[str], bool] = lambda _: True
        self.edges: dict[str, tuple[Edge, ...]] = {}
        self.reachable: frozenset[str] | None = None

    def entry_point_location(self, group: str, name: str) -> str:
        """Where an entry point is written."""
        raise NotImplementedError

    def is_only_in_sdist(self, path: str) -> bool:
        """Whether a file, by its path in findings, is in no wheel."""
        raise NotImplementedError

    def inner_path(self, path: str) -> str:
        """The path inside the project or the archive of a file, by its path in findings."""
        return path


class ProjectContext(SourceCode):
    """A project under check: its code, and its declared metadata.

    `place` is the file that says what pyproject.toml does not; `unknown` the place where another
    backend's project computes which modules it packs, '' where that is known.
    """

    def __init__(
        self,
        project: Project,
        pack: FileSelection,
        contents: dict[str, Content],
        modules: dict[str, CodeModule],
        settings: CheckSettings,
    ) -> None:
        wheel = [path for file in pack.files for path in file.wheel]
        super().__init__(modules, wheel)
        self.project = project
        self.pack = pack
        self.version = "" if "version" in project.dynamic else project.version
        self.requires_python = project.requires_python
        self.minors = allowed_minors(project.requires_python)
        self.name = project.name
        self.dependencies = project.dependencies
        self.optional_dependencies = [
            need for extra in project.optional_dependencies.values() for need in extra
        ]
        computed = {"dependencies", "optional-dependencies"} & project.dynamic
        self.are_dependencies_known = not computed
        self.entry_points = project.entry_points
        self.is_complete = project.backend in ("", "twofold_build")
        self.unknown = ""
        # What another backend does with a file that git ignores is not known here.
        is_sure = self.is_complete
        self.left_out = [p for p, why in pack.left_out if is_sure or why.startswith("wheel only")]
        self.allow = settings.allow
        self.files = {
            file.path: contents[file.path].data if file.path in contents else None
            for file in pack.files
        }
        self.installed = {
            file.path: installed_path(path) for file in pack.files for path in file.wheel
        }
        self.pyproject = PyprojectText(project.root)
        self.metadata = ProjectMetadata(project, self.pyproject)
        if project.import_names is not None or project.import_namespaces is not None:
            names = [""] if project.import_names == [] else project.import_names or []
            where = self.location("import-names" if names else "import-namespaces")
            self.declared_names = (names, project.import_namespaces or [], where)

    def location(self, key: str, value: str = "", table: str = "project") -> str:
        """Where a key of pyproject.toml is written, as findings name it."""
        return self.pyproject.location(key, value, table)

    def entry_point_location(self, group: str, name: str) -> str:
        """Where pyproject.toml declares an entry point."""
        tables = {"console_scripts": "project.scripts", "gui_scripts": "project.gui-scripts"}
        return self.location(name, table=tables.get(group, format_table_name(group)))

    def is_only_in_sdist(self, path: str) -> bool:
        """Whether the project packs a file into the sdist alone."""
        return any(file.path == path and not file.wheel for file in self.pack.files)

    def table(self, dotted: str) -> dict[str, Any]:
        """A table of pyproject.toml, {} when it is not there."""
        value: Any = self.project.document
        for part in dotted.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        return value if isinstance(value, dict) else {}


def module_name(path: str) -> tuple[str, bool] | None:
    """The dotted name of a path in a wheel and whether it is a package; None for other files."""
    top, _, _ = path.partition("/")
    if not path.endswith(".py") or top.endswith((".data", ".dist-info", "-stubs")):
        return None
    parts = path[:-3].split("/")
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts), is_package


def installed_path(path: str) -> str:
    """The path in site-packages of a path in a wheel."""
    return re.sub(r"^[^/]+\.data/(?:purelib|platlib)/", "", path)


def _compiled_modules(paths: list[str]) -> frozenset[str]:
    """Dotted names of compiled modules, which are not read: `pkg/x.cpython-311-linux.so`."""
    found = set()
    for path in paths:
        if path.endswith((".so", ".pyd")):
            folder, _, name = path.rpartition("/")
            found.add(".".join(filter(None, [folder.replace("/", "."), name.partition(".")[0]])))
    return frozenset(found)


def _package_folders(paths: list[str]) -> frozenset[str]:
    """Dotted names of folders, which can be imported even if they hold no module (PEP 420)."""
    found: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        found.update(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return frozenset(found)


#: No rule speaks of what comes after this minor version.
MAX_MINOR = 20


def allowed_minors(requires_python: str) -> tuple[int, ...]:
    """The minor versions of Python 3 that a specifier allows; () for an empty one.

    A minor version counts when some micro version of it is allowed (`>=3.9.1`).
    """
    if not requires_python.strip():
        return ()
    plain = re.fullmatch(r"\s*>=\s*3(?:\.(\d+))?(?:\.\d+)?\s*", requires_python)
    if plain:
        return tuple(range(int(plain.group(1) or 0), MAX_MINOR + 1))
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return ()
    return tuple(
        minor
        for minor in range(MAX_MINOR + 1)
        if any(wanted.contains(f"3.{minor}.{micro}") for micro in (0, 1, 5, 99))
    )
