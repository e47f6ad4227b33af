"""What a package offers: the public names of its modules, and its public subpackages."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import BadFile, Problem, ProjectErrors
from twofold.source_analysis import (
    defined_names,
    find_dunder_all,
    module_imports,
    parse_module,
    public_names,
)

#: Modules that are run or collected by a tool, never a part of what a package offers.
_NOT_PUBLIC = frozenset({"__init__", "__main__", "conftest", "setup", "tests", "test"})


@dataclass(frozen=True, slots=True)
class PublicApi:
    """What can be re-exported: module -> its public names; the public subpackages.

    `unread` are the modules whose `__all__` is computed: of them only what is written out is known.
    """

    modules: Mapping[str, tuple[str, ...]]
    subpackages: tuple[str, ...]
    unread: tuple[str, ...] = ()


def read_public_api(package: Path) -> PublicApi:
    """Read a package's modules; raises ProjectErrors for an `__all__` that names nothing."""
    modules: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    unread: list[str] = []
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    for path in sorted(package.glob("*.py")):
        # A folder wins over a module of the same name when Python imports.
        if is_public(path.stem) and path.stem not in folders:
            try:
                tree = parse_module(path)
            except BadFile as error:
                problems += error.problems  # the other modules' are told with it
                continue
            problems += _undefined_names(path, tree)
            modules[path.stem] = _exportable_names(tree)
            declared = find_dunder_all(tree)
            if declared is not None and not declared.is_complete:
                unread.append(path.stem)
    if problems:
        raise ProjectErrors(problems)
    _drop_borrowed_names(package, modules)
    return PublicApi(modules, tuple(sorted(filter(is_public, folders))), tuple(unread))


def is_public(name: str) -> bool:
    """Whether a module's or subpackage's name says that it is public and no test."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith(("_", "test_"))
        and not name.endswith("_test")
        and name not in _NOT_PUBLIC
    )


def _exportable_names(tree: ast.Module) -> tuple[str, ...]:
    return tuple(
        name
        for name in public_names(tree)
        if name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
    )


def _undefined_names(path: Path, tree: ast.Module) -> list[Problem]:
    declared = find_dunder_all(tree)
    bound = defined_names(tree)
    if declared is None or "*" in bound or "__getattr__" in bound:
        return []
    return [
        Problem(
            f"`__all__` names '{name}', which the module does not define",
            "remove it from `__all__`, or define it",
            f"{path}:{declared.line}",
        )
        for name in declared.names
        if name not in bound
    ]


def _drop_borrowed_names(package: Path, modules: dict[str, tuple[str, ...]]) -> None:
    """A name that a module has from its neighbour is the neighbour's to offer."""
    own = dict(modules)
    for module, names in own.items():
        lent = {
            name
            for found in module_imports(package / f"{module}.py")
            if found.level == 1 and found.module in own
            for name in found.names
            if name in own[found.module]
        }
        modules[module] = tuple(name for name in names if name not in lent)


def sort_key(name: str) -> tuple[int, str]:
    """Constants, classes, the rest: the order of isort and ruff for imports and `__all__`."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, name
