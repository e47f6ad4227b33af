"""The plain form: `from .module1 import Class1, function1` for each module, and `__all__`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from twofold.exports.dunder_all import write_dunder_all
from twofold.exports.plan import ExportPlan, ReexportStatement
from twofold.exports.source_edits import (
    SourceFile,
    TextEdit,
    append_lines,
    format_list,
    insert_after,
    remove_statement,
    update_list,
)


def rewrite_plain(
    source: SourceFile, wanted: ExportPlan, ours: Sequence[ReexportStatement], width: int
) -> SourceFile:
    """The file with the re-exports of the plan; unchanged if it has them already."""
    edits: list[TextEdit] = []
    for module in dict.fromkeys(one.module for one in ours):
        group = [one for one in ours if one.module == module]
        left = dict.fromkeys(wanted.names.get(module, ()))
        elsewhere = {name for one in group[1:] for name in one.names}
        for one in group:
            takes_new = one is group[0]
            names = [n for n in left if n in one.names or (takes_new and n not in elsewhere)]
            left = {name: None for name in left if name not in names}
            edits += _statement_edits(source, one, names, width)
    standing = {one.module for one in ours}
    missing = [
        format_list(f"from .{module} import ", names, "()", width)
        for module, names in wanted.names.items()
        if module not in standing
    ]
    if missing:
        edits.append(_insertion(source, ours, "\n".join(missing)))
    return write_dunder_all(source.apply(edits), wanted.all_names, width)


def _statement_edits(
    source: SourceFile, one: ReexportStatement, names: Sequence[str], width: int
) -> list[TextEdit]:
    """The edits that make one statement import `names`; none when it does already."""
    if set(names) == set(one.names):
        return []
    if not names:
        return [remove_statement(source, one.node)]
    fresh = format_list(f"from .{one.module} import ", names, "()", width)
    items = [(alias.name, alias) for alias in one.node.names]
    return update_list(source, one.node, items, names, fresh)


def _insertion(source: SourceFile, ours: Sequence[ReexportStatement], text: str) -> TextEdit:
    """New statements after the last of ours, else after the head of the file."""
    if ours:
        return insert_after(source, ours[-1].node, text, blank=False)
    head = module_head(source.tree)
    if head:
        blank = not isinstance(head[-1], ast.Import | ast.ImportFrom)
        return insert_after(source, head[-1], text, blank)
    if source.tree.body:
        first = source.tree.body[0]
        lines = [first.lineno, *(d.lineno for d in getattr(first, "decorator_list", ()))]
        start = source.offset(min(lines), 0)
        return TextEdit(start, start, f"{text}\n\n")
    return append_lines(source, text)


def module_head(tree: ast.Module) -> list[ast.stmt]:
    """The docstring, the imports and the dunder assignments that begin a module.

    `__version__ = "1.0"` counts: a module may import it from its package during import.
    """
    head: list[ast.stmt] = []
    for node in tree.body:
        is_docstring = not head and ast.get_docstring(tree, clean=False) is not None
        is_dunder = isinstance(node, ast.Assign) and all(
            isinstance(target, ast.Name) and target.id.startswith("__") and target.id != "__all__"
            for target in node.targets
        )
        if not (is_docstring or is_dunder or isinstance(node, ast.Import | ast.ImportFrom)):
            break
        head.append(node)
    return head
