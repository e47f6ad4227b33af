"""The code of both distributions as the tests of the house read it: modules, imports, words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (ROOT / "src", ROOT / "backend" / "src")


@dataclass(frozen=True)
class Module:
    """A module of the source tree. `name` is dotted, a package's is its folder's."""

    name: str
    path: Path

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_migration(self) -> bool:
        return ".migrations." in self.name

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def tree(self) -> ast.Module:
        return _parse(self.path)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def modules() -> tuple[Module, ...]:
    """All modules of `twofold` and `twofold_build`, sorted by name."""
    found = []
    for base in SOURCES:
        for path in base.rglob("*.py"):
            parts = path.relative_to(base).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            found.append(Module(name, path))
    return tuple(sorted(found, key=lambda module: module.name))


def imports_between() -> dict[str, set[str]]:
    """Which module imports which, lazy imports and those under TYPE_CHECKING included."""
    names = {module.name for module in modules()}
    edges: dict[str, set[str]] = {name: set() for name in names}
    for module in modules():
        for target in _imported(module.tree(), names):
            if target != module.name:
                edges[module.name].add(target)
    return edges


def _imported(tree: ast.Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in names:
                    yield submodule
                elif node.module in names:
                    yield node.module
