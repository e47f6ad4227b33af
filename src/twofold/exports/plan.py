"""Which names an `__init__.py` is to re-export, and from which module.

The file's present content decides first: a re-export of a name that two modules define settles
which one is meant; a name that is not a public definition stays while its module has it; anything
bound in another way (an alias, a star, a definition, an import inside `try`) is handwritten and
stays.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import BadFile, Problem, ProjectErrors
from twofold.exports.source_edits import SourceFile
from twofold.source_analysis import (
    defined_names,
    find_dunder_all,
    module_imports,
    parse_module,
    public_names,
)


@dataclass(frozen=True, slots=True)
class ReexportStatement:
    """A top-level `from .module import names` of the file, without aliases and stars.

    `module` is '' for `from . import subpackage`.
    """

    module: str
    names: tuple[str, ...]
    node: ast.ImportFrom


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is to be re-exported: module ('' for subpackages) -> names in order; remarks."""

    names: Mapping[str, tuple[str, ...]]
    remarks: tuple[str, ...]

    @property
    def all_names(self) -> list[str]:
        """All names of the plan, in the order of `__all__`."""
        return sorted({name for names in self.names.values() for name in names}, key=sort_key)


def find_statements(source: SourceFile, api: PublicApi) -> list[ReexportStatement]:
    """The re-exports of a file that twofold maintains, in file order."""
    found = []
    for node in source.tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level != 1:
            continue
        module, names = node.module or "", tuple(alias.name for alias in node.names)
        if any(alias.asname for alias in node.names) or "*" in names:
            continue
        is_ours = module in api.modules or _was_removed(source.path.parent, module)
        if not module:
            is_ours = set(names) <= set(api.subpackages)
        if is_ours:
            found.append(ReexportStatement(module, names, node))
    return found


def _was_removed(package: Path, module: str) -> bool:
    """Whether the module was public and has since been removed."""
    return (
        module.isidentifier()
        and not module.startswith("_")
        and not any(path.name.partition(".")[0] == module for path in package.iterdir())
    )


def make_plan(
    source: SourceFile, api: PublicApi, ours: Sequence[ReexportStatement], table: Mapping[str, str]
) -> ExportPlan:
    """Give each name its module; raises ProjectErrors when two claim one name.

    `table` is the table of the lazy form: name -> module.
    """
    by_hand = _handwritten_names(source, ours)
    written = {**table, **{name: one.module for one in ours for name in one.names}}
    owners = _find_owners(source, api, written)
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
    problems += _find_shadowed(source, chosen)
    if problems:
        raise ProjectErrors(problems)
    remarks = tuple(
        f"{source.path}: '{name}' is bound by hand, "
        f"so {_describe_modules(owners[name])} is not re-exported"
        for name in owners
        if name in by_hand and by_hand[name] not in owners[name]
    )
    remarks += tuple(
        f"{source.path}: the `__all__` of {module} is computed, so names that are not written out "
        "in it are not re-exported"
        for module in api.unread
    )
    return ExportPlan({m: tuple(sorted(chosen[m], key=sort_key)) for m in sorted(chosen)}, remarks)


def _find_owners(
    source: SourceFile, api: PublicApi, written: Mapping[str, str]
) -> dict[str, list[str]]:
    """Name -> the modules that have it ('' for a subpackage of that name)."""
    owners: dict[str, list[str]] = {}
    for module, public in api.modules.items():
        extra = [n for n, owner in written.items() if owner == module and n not in public]
        if extra:
            bound = defined_names(source.path.with_name(f"{module}.py"))
            open_ended = "*" in bound or "__getattr__" in bound
            extra = [name for name in extra if name in bound or open_ended]
        for name in dict.fromkeys([*public, *extra]):
            owners.setdefault(name, []).append(module)
    for name in api.subpackages:
        owners.setdefault(name, []).append("")
    return owners


def _handwritten_names(source: SourceFile, ours: Sequence[ReexportStatement]) -> dict[str, str]:
    """Names the file binds apart from our statements -> the own module they come from, or ''."""
    skipped = {id(one.node) for one in ours}
    rest = ast.Module([node for node in source.tree.body if id(node) not in skipped], [])
    bound = defined_names(rest)
    names = dict.fromkeys(bound, "")
    for node in ast.walk(rest):
        module = find_own_module(source, node) if isinstance(node, ast.ImportFrom) else ""
        if module and isinstance(node, ast.ImportFrom):
            for name in _imported_names(source, node, module):
                if name in bound or "*" in bound:
                    names[name] = module
    return names


def find_own_module(source: SourceFile, node: ast.ImportFrom) -> str:
    """The module of this package that an import names, as `.module` or in full; else ''."""
    if node.level == 1:
        return node.module or ""
    package = f"{find_dotted_name(source.path.parent)}."
    named = node.module or ""
    return named.removeprefix(package) if not node.level and named.startswith(package) else ""


def find_dotted_name(folder: Path) -> str:
    """The import name of a package's folder."""
    parts: list[str] = []
    while (folder / "__init__.py").is_file():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts)


def find_lent_names(source: SourceFile) -> set[str]:
    """The names that modules at any depth of a package import from its `__init__.py` at once."""
    package = source.path.parent
    name = find_dotted_name(package)
    lent: set[str] = set()
    for path in package.rglob("*.py"):
        level = len(path.relative_to(package).parts)
        try:
            imports = module_imports(path)
        except BadFile:
            continue  # a template or test data below the package, which nothing imports
        for found in imports:
            is_own = found.level == level and not found.module
            is_own |= not found.level and found.module == name
            if is_own and not found.is_deferred and not found.is_typing_only:
                lent.update(found.names)
    return lent


def _imported_names(source: SourceFile, node: ast.ImportFrom, module: str) -> Iterator[str]:
    """The names a `from .module import ...` binds, a star's too as far as it can be read."""
    for alias in node.names:
        if alias.name != "*":
            yield alias.asname or alias.name
            continue
        path = source.path.with_name(f"{module}.py")
        declared = find_dunder_all(path) if path.is_file() else None
        if declared is not None:
            yield from declared.names
        elif path.is_file():
            yield from (name for name in defined_names(path) if not name.startswith("_"))


def _describe_modules(modules: Iterable[str]) -> str:
    return " and ".join(f"that of .{module}" if module else "the subpackage" for module in modules)


def _conflict(source: SourceFile, name: str, modules: Sequence[str]) -> Problem:
    holders = " and ".join(f"{module}.py" if module else f"{name}/" for module in modules)
    return Problem(
        f"'{name}' is defined by {holders}: only one of them can be re-exported",
        f"write `from .{modules[0]} import {name}` if that is the one you mean, or leave the "
        "name out with an `__all__` in the other",
        str(source.path),
    )


def _find_shadowed(source: SourceFile, chosen: Mapping[str, Sequence[str]]) -> list[Problem]:
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


#: Modules that are run or collected by a tool, never part of a package's public API.
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
                problems += error.problems  # raised together with those of the other modules
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
    """Whether a module's or subpackage's name is public and not that of a test."""
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
    """Remove the names that a module imports from a neighbour, which exports them itself."""
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
