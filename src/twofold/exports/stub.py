"""The type stub beside a lazy `__init__.py`: what a type checker reads in its stead.

It says everything the file says: the re-exports as plain imports, and the file's own imports,
assignments, functions and classes, with empty bodies.
"""

from __future__ import annotations

import ast
from copy import deepcopy
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.exports.lazy_form import statements_in_block
from twofold.exports.plan import ExportPlan
from twofold.exports.source_edits import SourceFile, format_list
from twofold.source_analysis import find_dunder_all

HEAD = "# Written by `twofold exports --lazy` from __init__.py; what you write here is lost.\n"


def render_stub(source: SourceFile, wanted: ExportPlan, width: int) -> bytes:
    """The text of `__init__.pyi` for a file whose re-exports are lazy."""
    inside = statements_in_block(source)
    said = [n for n in source.tree.body if id(n) not in inside and _belongs_in_stub(n)]
    own = [ast.unparse(_BodyRemover().visit(deepcopy(node))) for node in said]
    imports = [
        format_list(f"from .{module} import ", [f"{name} as {name}" for name in names], "()", width)
        for module, names in wanted.names.items()
    ]
    declared = find_dunder_all(source.tree)
    names = [f'"{name}"' for name in declared.names] if declared else []
    parts = ["\n".join(imports), "\n".join(own), format_list("__all__ = ", names, "[]", width)]
    return (HEAD + "\n" + "\n\n".join(part for part in parts if part) + "\n").encode()


def stub_path(init: Path) -> Path:
    """Where the stub lies; raises when one stands there that twofold did not write."""
    path = init.with_suffix(".pyi")
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(HEAD):
        raise TwofoldError(
            "a stub written by hand stands where the stub of lazy exports goes",
            "move its content into __init__.py, or run `twofold exports` without --lazy",
            str(path),
        )
    return path


def _belongs_in_stub(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return not any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets)
    return isinstance(
        node,
        ast.Import
        | ast.ImportFrom
        | ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.ClassDef
        | ast.If
        | ast.Try,
    )


class _BodyRemover(ast.NodeTransformer):
    """Functions without their bodies; a plain constant as its type."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [ast.Expr(ast.Constant(...))]
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.body = [ast.Expr(ast.Constant(...))]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        value, targets = node.value, node.targets
        kinds = str | int | float | bytes
        if not isinstance(value, ast.Constant) or not isinstance(value.value, kinds):
            return node
        if len(targets) != 1 or not isinstance(targets[0], ast.Name):
            return node
        kind = ast.Name(type(value.value).__name__, ast.Load())
        return ast.AnnAssign(targets[0], kind, None, simple=1)
