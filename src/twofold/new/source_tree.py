"""The Python code of a folder, project or not: its modules and their imports."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from twofold.source_analysis import Import, is_stdlib, module_imports, notebook_imports

#: Folders that hold no code that is shipped.
IGNORED_FOLDERS = frozenset(
    [
        "benchmark", "benchmarks", "build", "ci", "demo", "demos", "dist", "doc", "docs", "env",
        "example", "examples", "node_modules", "notebooks", "scripts", "site-packages", "tools",
        "venv",
    ]
)  # fmt: skip
#: Folders of tools and of other projects.
_OTHERS_FOLDERS = frozenset({"build", "dist", "env", "node_modules", "site-packages", "venv"})
TEST_FOLDERS = frozenset({"test", "tests", "testing"})
#: A module that type checkers bring along, and no distribution.
_STUBS_ONLY = "_typeshed"
#: Files that tools read, not modules of the project.
_TOOL_FILES = frozenset({"setup", "conftest", "noxfile", "tasks", "fabfile", "conf", "dodo"})


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The modules of a folder. Paths are below `root`.

    `source` is the folder that imports start from ('src', or '' for the root itself).
    `modules`: importable top-level name (dotted in a namespace) -> its file, or its folder.
    """

    root: Path
    source: str
    modules: dict[str, Path]

    def list_files(self) -> list[Path]:
        """List every Python file of the modules, without tests inside them, sorted."""
        return [f for f in self._list_all() if not _is_test(f.relative_to(self.root))]

    def list_test_files(self) -> list[Path]:
        """List tests, inside the modules and beside them, sorted."""
        beside = [
            path
            for folder in sorted(self.root.iterdir())
            if folder.name in TEST_FOLDERS and folder.is_dir()
            for path in sorted(folder.rglob("*.py"))
        ]
        single = [p for p in sorted(self.root.glob("*.py")) if _is_test(Path(p.name))]
        inside = [f for f in self._list_all() if _is_test(f.relative_to(self.root))]
        own = (path for path in (*inside, *beside, *single) if not self._is_in_sample_project(path))
        return list(dict.fromkeys(own))

    def list_notebooks(self) -> list[Path]:
        """List the notebooks of the project, sorted; they are for developers, as tests are."""
        found = []
        for folder, names, files in os.walk(self.root):
            names[:] = [n for n in names if n[0] != "." and n not in _OTHERS_FOLDERS]
            found += [Path(folder) / name for name in files if name.endswith(".ipynb")]
        return sorted(path for path in found if not self._is_in_sample_project(path))

    def _is_in_sample_project(self, path: Path) -> bool:
        """Whether a file belongs to another project below this one, such as a test's sample."""
        folders = path.relative_to(self.root).parents
        return any(
            (self.root / folder / name).exists()
            for folder in folders
            if folder != Path()
            for name in ("pyproject.toml", "setup.py")
        )

    def _list_all(self) -> list[Path]:
        found: list[Path] = []
        for path in self.modules.values():
            found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
        return [f for f in found if f.suffix == ".py"]


@dataclass(frozen=True, slots=True)
class ImportUse:
    """An import of something outside, with its file."""

    found: Import
    path: Path
    is_test: bool

    @property
    def is_needed(self) -> bool:
        """Whether the module cannot be imported without it."""
        return not (self.found.is_optional or self.found.is_typing_only or self.found.is_deferred)


def read_source_tree(
    root: Path, declared: str | None = None, own: Collection[str] = ()
) -> SourceTree:
    """Find the modules of a folder: in `declared`, in `src` if it exists, else in the folder.

    Folders that seldom hold a project's code (`demo`, `tools`) count if `own` names them.
    """
    if declared is not None and (root / declared).is_dir():
        return SourceTree(root, declared, dict(_find_modules(root / declared, own)))
    source = "src" if (root / "src").is_dir() and not (root / "src/__init__.py").exists() else ""
    modules = dict(_find_modules(root / source if source else root, own))
    if not modules and source:
        source, modules = "", dict(_find_modules(root, own))
    return SourceTree(root, source, modules)


def _find_modules(folder: Path, own: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".py")
        is_beside = name.lower() in IGNORED_FOLDERS | TEST_FOLDERS | _TOOL_FILES
        if (is_beside and name not in own) or name.startswith((".", "__")):
            continue
        if path.is_dir() and path.name.isidentifier():
            if (path / "__init__.py").exists():
                yield path.name, path
            elif not is_project(path):
                # PEP 420: a namespace, whose packages are the modules.
                yield from (
                    (f"{path.name}.{inner}", where)
                    for inner, where in _find_modules(path)
                    if where.is_dir()
                )
        elif path.suffix == ".py" and name.isidentifier() and not _is_test(Path(path.name)):
            yield name, path


def is_project(folder: Path) -> bool:
    """Whether a folder is a separate project, as in a monorepo."""
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))


def _is_test(path: Path) -> bool:
    stem = path.stem
    return (
        bool(TEST_FOLDERS & set(path.parts[:-1]))
        or stem.startswith("test_")
        or stem.endswith("_test")
        or stem == "conftest"
    )


def find_uses(code: SourceTree) -> list[ImportUse]:
    """Find imports of modules outside the folder and the standard library, notebooks' too.

    Raises BadFile for a file with a syntax error.
    """
    found = []
    tests = [*code.list_test_files(), *code.list_notebooks()]
    helpers = {path.stem for path in tests} | {path.parent.name for path in tests}
    folders = {path.parent for path in tests if path.suffix == ".ipynb"}
    helpers |= {path.stem for folder in folders for path in folder.glob("*.py")}
    for is_test, files in ((False, code.list_files()), (True, tests)):
        for path in files:
            read = notebook_imports if path.suffix == ".ipynb" else module_imports
            for one in read(path):
                is_inner = one.level or is_stdlib(one.module) or one.top == _STUBS_ONLY
                if is_inner or (is_test and one.top in helpers):
                    continue
                if not _is_own(one.module, code) and not (is_test and one.top in TEST_FOLDERS):
                    found.append(ImportUse(one, path, is_test))
    return found


def _is_own(module: str, code: SourceTree) -> bool:
    return any(module == own or module.startswith(f"{own}.") or own.startswith(f"{module}.")
               for own in code.modules)  # fmt: skip
