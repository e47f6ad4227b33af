"""Finds a dynamic version: in an unpacked sdist's PKG-INFO, in the code, or in a git tag."""

from __future__ import annotations

import os

from twofold_build import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project

_TABLE = "tool.twofold.version"


def find_version(project: Project, diagnostics: Diagnostics) -> str:
    """Return the canonical version; '' after reporting why there is none.

    An sdist has its version in PKG-INFO, which wins: there is no git repository.
    """
    packed = _read_pkg_info_version(project.root)
    if packed:
        return packed
    settings = project.settings
    if settings.version_from == "module":
        written = _read_module_version(project, diagnostics)
    elif settings.version_from == "git":
        from twofold_build.git_version import read_git_version

        written = read_git_version(project.root, settings.version_tag, diagnostics)
    elif settings.version_from == "unknown":
        return ""  # why is reported with the settings
    elif project.backend in ("twofold_build", ""):
        diagnostics.add(
            "the version is dynamic, but no source is configured",
            'write [tool.twofold.version] with from = "module" or from = "git"',
            key="dynamic",
            value="version",
        )
        return ""
    else:
        return ""  # another backend's project: it alone knows its version
    if not written:
        return ""
    problem = names.find_version_problem(written)
    if problem:
        diagnostics.add(problem, "write it like 1.0.0", table=_TABLE, key="from")
        return ""
    return names.canonicalize_version(written)


def _read_pkg_info_version(root: str) -> str:
    try:
        with open(os.path.join(root, "PKG-INFO"), encoding="utf-8") as file:
            for line in file:
                if line.startswith("Version: "):
                    return line[9:].strip()
                if not line.strip():
                    break
    except FileNotFoundError:
        pass
    return ""


def _read_module_version(project: Project, diagnostics: Diagnostics) -> str:
    from twofold_build.modules import find_modules

    path = project.settings.version_path
    if not path:
        before = len(diagnostics.found)
        _, modules = find_modules(project, diagnostics)
        del diagnostics.found[before:]  # reported when the files are selected
        if not modules:
            diagnostics.add(
                "there is no module to read __version__ from",
                "name the file with path",
                table=_TABLE,
                key="from",
            )
            return ""
        path = f"{modules[0].path}/__init__.py" if modules[0].is_folder else modules[0].path
    try:
        with open(os.path.join(project.root, path), "rb") as file:
            source = file.read()
    except OSError as error:
        diagnostics.add(
            f"'{path}' cannot be read: {error.strerror}",
            "name the file that holds __version__",
            table=_TABLE,
            key="path",
        )
        return ""
    version = read_assigned_version(source)
    if not version:
        diagnostics.add(
            f"'{path}' has no __version__ = \"...\" that can be read without running it",
            _suggest_source(project.root, path, source)
            or 'write __version__ = "1.0.0" as a plain string',
            table=_TABLE,
            key="path",
        )
    return version


def _suggest_source(root: str, path: str, source: bytes) -> str:
    """Return a hint if the module imports __version__ from one beside it, else ''."""
    import ast

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return "the module is not valid Python: fix it first"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            there = f"{os.path.dirname(path)}/{node.module.replace('.', '/')}.py"
            names_it = any((alias.asname or alias.name) == "__version__" for alias in node.names)
            if names_it and os.path.isfile(os.path.join(root, there)):
                return f'it is imported: name its file with path = "{there}"'
    return ""


def read_assigned_version(source: bytes) -> str:
    """Return the string assigned to `__version__` at the top level of a module, or ''.

    It is read from the syntax tree: nothing is imported or run.
    """
    import ast

    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    found = ""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == "__version__" for t in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found = value.value
    return found
