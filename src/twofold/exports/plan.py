"""Which names an `__init__.py` is to re-export, and from which module.

What stands in the file already is a decision: a re-export of a name that two modules have
settles whose it is; a name that is no public definition stays as long as its module has it;
what is bound in any other way (an alias, a star, a definition, an import inside `try`) is
written by hand and stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.exports.offer import Offer, order
from twofold.exports.rewriting import Source
from twofold.imports import defined_names, dunder_all


@dataclass(frozen=True, slots=True)
class Statement:
    """A top-level `from .module import names` of the file, without aliases and stars.

    `module` is '' for `from . import subpackage`.
    """

    module: str
    names: tuple[str, ...]
    node: ast.ImportFrom


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be re-exported: module ('' for subpackages) -> names in order; remarks."""

    names: Mapping[str, tuple[str, ...]]
    remarks: tuple[str, ...]

    @property
    def all_names(self) -> list[str]:
        return sorted({name for names in self.names.values() for name in names}, key=order)


def statements(source: Source, offer: Offer) -> list[Statement]:
    """The re-exports of a file that are ours to keep, in the order they stand."""
    found = []
    for node in source.tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level != 1:
            continue
        module, names = node.module or "", tuple(alias.name for alias in node.names)
        if any(alias.asname for alias in node.names) or "*" in names:
            continue
        is_ours = module in offer.modules or _is_gone(source.path.parent, module)
        if not module:
            is_ours = set(names) <= set(offer.subpackages)
        if is_ours:
            found.append(Statement(module, names, node))
    return found


def _is_gone(package: Path, module: str) -> bool:
    """Whether a public module of this name was there once and is there no more."""
    return (
        module.isidentifier()
        and not module.startswith("_")
        and not any(path.name.partition(".")[0] == module for path in package.iterdir())
    )


def plan(source: Source, offer: Offer, ours: Sequence[Statement], table: Mapping[str, str]) -> Plan:
    """Give each name its module; raises ProjectErrors when two claim one name.

    `table` is what the lazy form of the file says: name -> module.
    """
    by_hand = _by_hand(source, ours)
    written = {**table, **{name: one.module for one in ours for name in one.names}}
    owners = _owners(source, offer, written)
    problems: list[Problem] = []
    chosen: dict[str, list[str]] = {}
    for name, modules in owners.items():
        if name in by_hand:
            continue
        module = modules[0]
        if written.get(name) in modules:
            module = written[name]
        elif len(modules) > 1:
            problems.append(_conflict(source, name, modules))
        chosen.setdefault(module, []).append(name)
    problems += _shadowed(source, chosen)
    if problems:
        raise ProjectErrors(problems)
    remarks = tuple(
        f"{source.path}: '{name}' is bound by hand, so {_held(owners[name])} is not re-exported"
        for name in owners
        if name in by_hand and by_hand[name] not in owners[name]
    )
    remarks += tuple(
        f"{source.path}: the `__all__` of {module} is computed, so names that are not written out "
        "in it are not re-exported"
        for module in offer.unread
    )
    return Plan({m: tuple(sorted(chosen[m], key=order)) for m in sorted(chosen)}, remarks)


def _owners(source: Source, offer: Offer, written: Mapping[str, str]) -> dict[str, list[str]]:
    """Name -> the modules that have it ('' for a subpackage of that name)."""
    owners: dict[str, list[str]] = {}
    for module, public in offer.modules.items():
        extra = [n for n, owner in written.items() if owner == module and n not in public]
        if extra:
            bound = defined_names(source.path.with_name(f"{module}.py"))
            open_ended = "*" in bound or "__getattr__" in bound
            extra = [name for name in extra if name in bound or open_ended]
        for name in dict.fromkeys([*public, *extra]):
            owners.setdefault(name, []).append(module)
    for name in offer.subpackages:
        owners.setdefault(name, []).append("")
    return owners


def _by_hand(source: Source, ours: Sequence[Statement]) -> dict[str, str]:
    """Names the file binds apart from our statements -> the own module they come from, or ''."""
    skipped = {id(one.node) for one in ours}
    rest = ast.Module([node for node in source.tree.body if id(node) not in skipped], [])
    bound = defined_names(rest)
    names = dict.fromkeys(bound, "")
    for node in ast.walk(rest):
        module = own_module(source, node) if isinstance(node, ast.ImportFrom) else ""
        if module and isinstance(node, ast.ImportFrom):
            for name in _imported(source, node, module):
                if name in bound or "*" in bound:
                    names[name] = module
    return names


def own_module(source: Source, node: ast.ImportFrom) -> str:
    """The module of this package that an import names, as `.module` or in full; else ''."""
    if node.level == 1:
        return node.module or ""
    package, folder = "", source.path.parent
    while (folder / "__init__.py").is_file():
        package, folder = f"{folder.name}.{package}", folder.parent
    named = node.module or ""
    return named.removeprefix(package) if not node.level and named.startswith(package) else ""


def _imported(source: Source, node: ast.ImportFrom, module: str) -> Iterator[str]:
    """The names a `from .module import ...` binds, a star's too as far as it can be read."""
    for alias in node.names:
        if alias.name != "*":
            yield alias.asname or alias.name
            continue
        path = source.path.with_name(f"{module}.py")
        declared = dunder_all(path) if path.is_file() else None
        if declared is not None:
            yield from declared.names
        elif path.is_file():
            yield from (name for name in defined_names(path) if not name.startswith("_"))


def _held(modules: Iterable[str]) -> str:
    return " and ".join(f"that of .{module}" if module else "the subpackage" for module in modules)


def _conflict(source: Source, name: str, modules: Sequence[str]) -> Problem:
    holders = " and ".join(f"{module}.py" if module else f"{name}/" for module in modules)
    return Problem(
        f"'{name}' is defined by {holders}: only one of them can be re-exported",
        f"write `from .{modules[0]} import {name}` if that is the one you mean, or leave the "
        "name out with an `__all__` in the other",
        str(source.path),
    )


def _shadowed(source: Source, chosen: Mapping[str, Sequence[str]]) -> list[Problem]:
    """A name of one module that is another's own: importing that one would replace it."""
    return [
        Problem(
            f"'{name}' of {module}.py is also the name of the module {name}.py, which replaces "
            "it in the package as soon as it is imported",
            f"rename one of them, or leave the name out with an `__all__` in {module}.py",
            str(source.path),
        )
        for module, names in chosen.items()
        for name in names
        if module and name != module and name in chosen
    ]
