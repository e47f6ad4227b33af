"""Update the re-exports of a project's packages: find, plan, then write or compare."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.exports import lazy_form
from twofold.exports.extra_imports import ExtraImports, list_extra_imports
from twofold.exports.plan import (
    PublicApi,
    find_dotted_name,
    find_statements,
    is_public,
    make_plan,
    read_public_api,
)
from twofold.exports.source_edits import SourceFile
from twofold.names import escape_for_filename
from twofold_build.pyproject import read_document

#: The line length of black and ruff, unless the project says otherwise.
_WIDTH = 88
#: Folders of a project that hold no package of its own.
_NOT_PACKAGES = (
    "tests",
    "test",
    "docs",
    "doc",
    "examples",
    "benchmarks",
    "scripts",
    "build",
    "dist",
)


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is not what it should be. `before` and `after` are None where it is not there."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        sides = [(data or b"").decode("utf-8", "replace") for data in (self.before, self.after)]
        old, new = (side.splitlines(keepends=True) for side in sides)
        lines = difflib.unified_diff(old, new, f"{self.path} (now)", f"{self.path} (exports)")
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The packages looked at, with the names each re-exports; what changes; remarks."""

    exports: dict[Path, tuple[str, ...]]
    changes: tuple[FileChange, ...]
    remarks: tuple[str, ...]


def sync_exports(path: Path, is_lazy: bool | None = None, write: bool = True) -> SyncResult:
    """Bring the `__init__.py` of every package under `path` up to date with its modules.

    `is_lazy` None keeps each package in the form it has. Nothing is written unless all is well
    with all packages, and nothing at all when `write` is False. Raises ProjectErrors with every
    mistake of every package.
    """
    exports: dict[Path, tuple[str, ...]] = {}
    changes: list[FileChange] = []
    remarks: list[str] = []
    problems: list[Problem] = []
    width = _read_line_length(path)
    extras = list_extra_imports(_read_nearest(path))
    for package in find_packages(path):
        try:
            names, changed, remarked = _sync_package(package, is_lazy, width, extras)
        except TwofoldError as error:
            problems += error.problems
            continue
        exports[package] = names
        changes += changed
        remarks += remarked
    if problems:
        raise ProjectErrors(problems)
    if write:
        for change in changes:
            _replace(change)
    return SyncResult(exports, tuple(changes), tuple(remarks))


def find_packages(path: Path) -> list[Path]:
    """The packages and public subpackages under a package's or a project's folder, sorted."""
    if (path / "__init__.py").is_file():
        tops = [path]
    else:
        root = path / "src" if (path / "src").is_dir() else path
        tops = list(_find_top_packages(root))
        # Beside the package of the project's name lie samples, documentation, tools.
        project = _read_pyproject(path).get("project", {})
        name = (
            escape_for_filename(str(project.get("name", ""))) if isinstance(project, dict) else ""
        )
        tops = [top for top in tops if top.name.lower() == name] or tops
    if not tops:
        raise TwofoldError(
            "there is no package here: no folder with an __init__.py",
            "an empty __init__.py makes a folder of modules a package",
            str(path),
        )
    return [package for top in tops for package in _with_subpackages(top)]


def _find_top_packages(folder: Path) -> Iterator[Path]:
    for child in sorted(folder.iterdir()):
        if child.is_dir() and child.name.isidentifier() and child.name not in _NOT_PACKAGES:
            if (child / "__init__.py").is_file():
                yield child
            else:
                yield from _find_top_packages(child)


def _with_subpackages(package: Path) -> Iterator[Path]:
    yield package
    for init in sorted(package.glob("*/__init__.py")):
        if is_public(init.parent.name):
            yield from _with_subpackages(init.parent)


def _sync_package(
    package: Path, is_lazy: bool | None, width: int, extras: frozenset[str]
) -> tuple[tuple[str, ...], list[FileChange], Sequence[str]]:
    """One package: the names it re-exports, the changes of its files, remarks."""
    init = package / "__init__.py"
    old = SourceFile.read(init)
    was_lazy = lazy_form.find_block(old) is not None
    become_lazy = was_lazy if is_lazy is None else is_lazy
    api = read_public_api(package)
    table = lazy_form.read_block(old)
    source = old if become_lazy else lazy_form.remove_block(old)
    ours = find_statements(source, api)
    remarks: list[str] = []
    if not become_lazy:
        there = {name for one in ours for name in ([one.module] if one.module else one.names)}
        api, remarks = _without_extras(init, api, there, extras)
    wanted = make_plan(source, api, ours, table)
    if become_lazy and (wanted.names or was_lazy):
        lazy_form.check_can_be_lazy(source, wanted, api)
        new = lazy_form.rewrite_lazy(source, wanted, ours, width)
    else:
        new = lazy_form.rewrite_plain(source, wanted, ours, width)
    _check_syntax(new)
    files: dict[Path, bytes | None] = {init: new.data}
    if become_lazy and lazy_form.find_block(new):
        files[lazy_form.stub_path(init)] = lazy_form.render_stub(new, wanted, width)
    elif was_lazy:
        files[lazy_form.stub_path(init)] = None
    found = {path: path.read_bytes() if path.is_file() else None for path in files}
    changes = [FileChange(p, found[p], files[p]) for p in files if found[p] != files[p]]
    return tuple(wanted.all_names), changes, [*wanted.remarks, *remarks]


def _without_extras(
    init: Path, api: PublicApi, imported: set[str], extras: frozenset[str]
) -> tuple[PublicApi, list[str]]:
    """Leave out modules that need an extra, but those that the file imports already."""
    look = ExtraImports(init.parent, find_dotted_name(init.parent), extras)
    needed = {
        name: found
        for name in (*api.modules, *api.subpackages)
        if name not in imported and (found := look.find(name))
    }
    remarks = [
        f"{init}: {name} imports '{found}', which only an extra brings, so it is not imported "
        "here; --lazy imports it when it is used"
        for name, found in needed.items()
    ]
    modules = {name: public for name, public in api.modules.items() if name not in needed}
    subpackages = tuple(name for name in api.subpackages if name not in needed)
    return replace(api, modules=modules, subpackages=subpackages), remarks


def _check_syntax(new: SourceFile) -> None:
    """What was written must be Python still: else nothing is written."""
    try:
        compile(new.text, str(new.path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise TwofoldError(
            "the file is written in a way that cannot be edited safely",
            "put its imports and `__all__` on lines of their own",
            f"{new.path}:{error.lineno}",
        ) from error


def _read_line_length(path: Path) -> int:
    """The line length that the nearest pyproject.toml gives ruff or black."""
    tool = _read_nearest(path).get("tool", {})
    tables = [tool.get(name) for name in ("ruff", "black")] if isinstance(tool, dict) else []
    found = [table.get("line-length") for table in tables if isinstance(table, dict)]
    return next((width for width in found if isinstance(width, int)), _WIDTH)


def _read_nearest(path: Path) -> dict[str, Any]:
    """The nearest pyproject.toml, in the folder or above it."""
    for folder in (path.absolute(), *path.absolute().parents):
        if (folder / "pyproject.toml").is_file():
            return _read_pyproject(folder)
    return {}


def _read_pyproject(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    return read_document(folder)[1]


def _replace(change: FileChange) -> None:
    """Write through a temporary name beside the target, with the target's own mode."""
    if change.after is None:
        change.path.unlink()
        return
    beside = change.path.with_name(f".{change.path.name}.twofold")
    try:
        beside.write_bytes(change.after)
        if change.before is not None:
            shutil.copymode(change.path, beside)
        beside.replace(change.path)
    finally:
        beside.unlink(missing_ok=True)
