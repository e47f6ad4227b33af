"""Versions in Python code: what a module assigns, followed to where the string is written.

The code is parsed and never run. A name may be assigned from another name, or imported from another
module of the package, as setuptools and flit follow it by importing the package.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from twofold.publish.release.version_place import ASSIGNED, VersionPlace, read_text, search

#: Names that are followed from one to the next; more is a circle.
MOST_STEPS = 8


def find_assigned(path: Path, name: str, steps: int = MOST_STEPS) -> list[VersionPlace]:
    """Where the string is written that a module has under a name; at most one place.

    Of several assignments the last counts, as it does when the module is imported.
    """
    module = parse_module(path)
    if module is None:  # of another Python
        return search([path], re.compile(ASSIGNED.format(name=re.escape(name)), re.M))[:1]
    for value in reversed(list(list_assigned(module, name))):
        if place := find_string(path, module, value, steps):
            return place
    return _follow_import(path, module, name, steps)


@lru_cache(maxsize=64)
def _parse(body: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in other people's strings
            return ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parse_module(path: Path) -> ast.Module | None:
    """Parse a module; None if this Python cannot."""
    return _parse(path.read_bytes())


def list_assigned(module: ast.Module, name: str) -> Iterator[ast.expr]:
    """The values that the module itself assigns to a name, in their order."""
    for statement in module.body:
        targets: Sequence[ast.expr] = ()
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(statement, "value", None)
            if isinstance(value, ast.expr):
                yield value


def find_string(
    path: Path, module: ast.Module, value: ast.expr, steps: int = MOST_STEPS
) -> list[VersionPlace]:
    """Where the string of an expression is written: a literal, a tuple of numbers, a name."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return _place_in(path, value, value, value.value)
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) > 1:
        if all(isinstance(one, ast.Constant) for one in value.elts):
            return _place_in(path, value.elts[0], value.elts[-1], None)
        return []
    if steps <= 0:
        return []
    if isinstance(value, ast.Name):
        return find_assigned(path, value.id, steps - 1)
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        for file in _list_imported(path, module, value.value.id):
            if place := find_assigned(file, value.attr, steps - 1):
                return place
    return []


def list_texts(path: Path, module: ast.Module) -> Iterator[VersionPlace]:
    """The text of every string of a module that is written as it is, without escapes."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _place_in(path, node, node, node.value)


def _place_in(
    path: Path, first: ast.expr, last: ast.expr, string: str | None
) -> list[VersionPlace]:
    """The text of a string between two expressions; without one, of all of them: a tuple."""
    text = read_text(path)
    starts = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text))]
    lines = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]

    def offset(line: int, column: int) -> int:
        mark = "\ufeff" if line == 1 and text.startswith("\ufeff") else ""
        whole = lines[line - 1].removeprefix(mark).encode("utf-8", errors="surrogateescape")
        return starts[line - 1] + len(mark) + len(whole[:column].decode("utf-8", errors="ignore"))

    start = offset(first.lineno, first.col_offset)
    end = offset(last.end_lineno or last.lineno, last.end_col_offset or 0)
    if string is None:
        return [VersionPlace(path, text, start, end, form="tuple")]
    at = text.find(string, start, end)  # not where it has escapes, or is made of several strings
    return [VersionPlace(path, text, at, at + len(string))] if string and at >= 0 else []


def _follow_import(path: Path, module: ast.Module, name: str, steps: int) -> list[VersionPlace]:
    """The string of a name that the module imports from another one of its package."""
    if steps <= 0:
        return []
    for statement in module.body:
        if not isinstance(statement, ast.ImportFrom):
            continue
        for alias in statement.names:
            if (alias.asname or alias.name) == name:
                for file in _list_files(path, statement.module or "", statement.level):
                    if place := find_assigned(file, alias.name, steps - 1):
                        return place
    return []


def _list_imported(path: Path, module: ast.Module, name: str) -> Iterator[Path]:
    """The files of a module that is imported under a name."""
    for statement in module.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname == name or (not alias.asname and alias.name == name):
                    yield from _list_files(path, alias.name, 0)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    inner = ".".join(filter(None, (statement.module, alias.name)))
                    yield from _list_files(path, inner, statement.level)


def _list_files(path: Path, module: str, level: int) -> list[Path]:
    """The files of a module that `path` imports: beside it, or below a folder above it."""
    if level:
        return list_module_files([path.parents[level - 1]], module)
    return list_module_files([*path.parents][:4], module)


def list_module_files(
    folders: Sequence[Path], module: str, packages: Mapping[str, Path] | None = None
) -> list[Path]:
    """The files a module may have below folders; `packages` are the folders of packages by name."""
    parts = module.split(".") if module else []
    places = [folder.joinpath(*parts) for folder in folders]
    for count in range(len(parts), 0, -1):
        own = (packages or {}).get(".".join(parts[:count]))
        if own is not None:
            places.insert(0, own.joinpath(*parts[count:]))
    files = chain.from_iterable(
        (place / "__init__.py", place.with_name(f"{place.name}.py"))
        for place in places
        if place.name
    )
    return [file for file in files if file.is_file()]
