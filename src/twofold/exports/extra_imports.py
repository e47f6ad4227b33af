"""Which modules of a package cannot be imported without an extra's requirements.

A plain `__init__.py` imports each module it re-exports; one that needs an extra would make the
whole package need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twofold.errors import BadFile
from twofold.names import requirement_name
from twofold.source_analysis import find_import_names, module_imports


def list_extra_imports(document: Mapping[str, Any]) -> frozenset[str]:
    """The import names that only extras bring, by pyproject.toml; none where that is computed."""
    project = document.get("project")
    if not isinstance(project, dict) or "dependencies" in project.get("dynamic", ()):
        return frozenset()
    extras = project.get("optional-dependencies", {})
    optional = [text for listed in _lists(extras) for text in listed]
    required = _list_imports(next(_lists({"": project.get("dependencies", [])}), []))
    return frozenset(_list_imports(optional) - required)


def _lists(table: object) -> Iterator[list[Any]]:
    for value in table.values() if isinstance(table, dict) else ():
        if isinstance(value, list):
            yield value


def _list_imports(requirements: Iterable[object]) -> set[str]:
    names = {requirement_name(str(text)) for text in requirements} - {""}
    return {module for name in names for module in find_import_names(name)}


class ExtraImports:
    """Looks for imports of `extras` that run when a module of the package is imported."""

    def __init__(self, package: Path, dotted: str, extras: frozenset[str]) -> None:
        self._package = package
        self._prefix = f"{dotted}."
        self._extras = extras
        self._known: dict[str, str] = {}

    def find(self, module: str) -> str:
        """What of an extra the module imports at once, by way of its siblings too; '' for none."""
        if module not in self._known:
            self._known[module] = ""  # while it is looked into: modules may import each other
            self._known[module] = self._look(module) if self._extras else ""
        return self._known[module]

    def _look(self, module: str) -> str:
        path = self._package / f"{module}.py"
        path = path if path.is_file() else self._package / module / "__init__.py"
        try:
            imports = module_imports(path) if path.is_file() else ()
        except BadFile:
            return ""  # reported where the module is read
        for one in imports:
            if one.is_deferred or one.is_optional or one.is_typing_only:
                continue
            if not one.level and (found := self._match(one.module, one.names)):
                return found
            for sibling in self._siblings(one.level, one.module, one.names, path):
                if found := self.find(sibling):
                    return found
        return ""

    def _match(self, module: str, names: tuple[str, ...]) -> str:
        imported = (module, *(f"{module}.{name}" for name in names))
        return next(
            (
                extra
                for extra in sorted(self._extras)
                if any(one == extra or one.startswith(f"{extra}.") for one in imported)
            ),
            "",
        )

    def _siblings(
        self, level: int, module: str, names: tuple[str, ...], path: Path
    ) -> Iterator[str]:
        inside = path.name == "__init__.py"
        if not level and module.startswith(self._prefix):
            yield module.removeprefix(self._prefix).partition(".")[0]
        elif level == 1 + inside:
            yield from [module.partition(".")[0]] if module else names
