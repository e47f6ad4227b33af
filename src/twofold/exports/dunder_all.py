"""A file's own `__all__`: adds new re-exports and removes names that no longer exist."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from twofold.errors import TwofoldError
from twofold.exports.plan import find_own_module, sort_key
from twofold.exports.source_edits import (
    SourceFile,
    append_lines,
    format_list,
    insert_after,
    update_list,
)
from twofold.source_analysis import defined_names, find_dunder_all, public_names


def write_dunder_all(
    source: SourceFile, exported: Sequence[str], width: int, is_lazy: bool = False
) -> SourceFile:
    """The file with an `__all__` that holds `exported` beside what it held and still binds.

    `is_lazy`: the file's `__getattr__` is our own and gives nothing but `exported`.
    """
    declared = find_dunder_all(source.tree)
    if declared is None:
        return _rewrite(source, exported, width) if exported else source
    value = _plain_list(source.tree)
    if value is None:
        raise TwofoldError(
            "`__all__` is computed in a way that cannot be updated",
            "write it as one list of strings, or remove it: twofold writes a new one",
            f"{source.path}:{declared.line}",
        )
    bound = defined_names(source.tree)
    open_ended = "*" in bound or ("__getattr__" in bound and not is_lazy)
    held = list(declared.names)
    kept = [name for name in held if name in bound or open_ended or name in exported]
    new = [name for name in exported if name not in kept]
    if kept == held and not new:
        return source
    names = sorted(kept + new, key=sort_key) if held == sorted(held, key=sort_key) else kept + new
    items = [(str(e.value), e) for e in value.elts if isinstance(e, ast.Constant)]
    return source.apply(update_list(source, value, items, names, _display(value, names, width)))


def _rewrite(source: SourceFile, exported: Sequence[str], width: int) -> SourceFile:
    names = sorted({*exported, *_own_names(source)}, key=sort_key)
    text = format_list("__all__ = ", [f'"{name}"' for name in names], "[]", width)
    body = source.tree.body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    if not imports and not (body and ast.get_docstring(source.tree, clean=False) is not None):
        return source.apply([append_lines(source, text)])
    last = imports[-1] if imports else body[0]
    return source.apply([insert_after(source, last, text, blank=True)])


def _display(value: ast.List | ast.Tuple, names: Sequence[str], width: int) -> str:
    """The list or tuple display, broken into lines when it is too long at its column."""
    column = value.col_offset
    text = format_list(" " * column, [f'"{name}"' for name in names], "[]", width)[column:]
    if isinstance(value, ast.List):
        return text
    comma = "," if len(names) == 1 and "\n" not in text else ""
    return f"({text[1:-1]}{comma})"


def _plain_list(tree: ast.Module) -> ast.List | ast.Tuple | None:
    """The display that the one statement about `__all__` assigns."""
    touching = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "__all__"]
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and len(touching) == 1:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value
            if (
                touching[0] in targets
                and isinstance(value, ast.List | ast.Tuple)
                and all(isinstance(e, ast.Constant) for e in value.elts)
            ):
                return value
    return None


def _own_names(source: SourceFile) -> list[str]:
    """The public names beside the re-exports: defined here or imported from the package."""
    names = []
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or find_own_module(source, node)):
            names += [alias.asname or alias.name for alias in node.names]
            names += _star_names(source, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if name == "__version__" or not name.startswith(("_", "*"))]


def _star_names(source: SourceFile, node: ast.ImportFrom) -> tuple[str, ...]:
    """The names of `from .module import *`, which an `__all__` would no longer pass on."""
    module = find_own_module(source, node)
    if not module or not any(alias.name == "*" for alias in node.names):
        return ()
    base = source.path.parent.joinpath(*module.split("."))
    found = [path for path in (base / "__init__.py", base.with_name(f"{base.name}.py"))
             if path.is_file()]  # fmt: skip
    return public_names(found[0]) if found else ()
