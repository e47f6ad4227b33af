"""The two forms of re-exports: plain imports, and the lazy form.

The lazy form (PEP 562) is a table of names, and `__getattr__` that loads a module when one of
its names is first used; a stub beside it declares the names to type checkers.

Two comments enclose the block, so that it is found again in any file. The stub repeats the rest of
the file too: its imports, assignments, functions and classes, with empty bodies.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.exports.dunder_all import write_dunder_all
from twofold.exports.plan import ExportPlan, PublicApi, ReexportStatement, find_lent_names
from twofold.exports.source_edits import (
    SourceFile,
    TextEdit,
    append_lines,
    format_list,
    insert_after,
    remove_statement,
    update_list,
)
from twofold.source_analysis import defined_names, find_dunder_all

BEGIN = "# twofold exports --lazy: written for you, from here ..."
END = "# twofold exports --lazy: ... to here"

_BLOCK = """\
{begin}
_EXPORTS = {{
{table}}}


def __getattr__(name: {text}) -> {value}:
    if name not in _EXPORTS:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    from importlib import import_module

    module, _, attribute = _EXPORTS[name].partition(":")
    value: {value} = import_module(f".{{module}}", __name__)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> {names}:
    return sorted({{*globals(), *_EXPORTS}})


{end}"""


def find_block(source: SourceFile) -> tuple[int, int] | None:
    """The (start, end) offsets of the block or None; raises if one marker is missing."""
    start, end = source.text.find(BEGIN), source.text.find(END)
    if start < 0 and end < 0:
        return None
    if start < 0 or end < start:
        raise TwofoldError(
            "only one of the two lazy-export markers was found",
            "remove what is left of the block, then run `twofold exports --lazy`",
            str(source.path),
        )
    return start, end + len(END)


def statements_in_block(source: SourceFile) -> set[int]:
    """The identities of the statements that belong to the block."""
    span = find_block(source)
    if span is None:
        return set()
    return {id(node) for node in source.tree.body if span[0] <= source.span(node)[0] < span[1]}


def read_block(source: SourceFile) -> dict[str, str]:
    """The table of the block: name -> module, '' for a subpackage."""
    inside = statements_in_block(source)
    for node in source.tree.body:
        if id(node) in inside and isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            table: Mapping[str, str] = ast.literal_eval(node.value)
            return {
                name: target.partition(":")[0] if ":" in target else ""
                for name, target in table.items()
            }
    return {}


def rewrite_lazy(
    source: SourceFile, wanted: ExportPlan, ours: Sequence[ReexportStatement], width: int
) -> SourceFile:
    """The file with the block in place of plain re-exports.

    What the file itself uses stays imported: a module's own code does not ask `__getattr__`.
    """
    used = _find_used_names(source, ours)
    edits = [remove_statement(source, one.node) for one in ours if used.isdisjoint(one.names)]
    span = find_block(source)
    if span is None:
        stripped = write_dunder_all(source.apply(edits), wanted.all_names, width)
        return stripped.apply([append_lines(stripped, _render_block(source, wanted))])
    edits.append(TextEdit(*span, _render_block(source, wanted)))
    return write_dunder_all(source.apply(edits), wanted.all_names, width, is_lazy=True)


def _find_used_names(source: SourceFile, ours: Sequence[ReexportStatement]) -> set[str]:
    """The names that the file's own code reads."""
    skipped = {id(one.node) for one in ours} | statements_in_block(source)
    rest = ast.Module([node for node in source.tree.body if id(node) not in skipped], [])
    return {node.id for node in ast.walk(rest) if isinstance(node, ast.Name)}


def remove_block(source: SourceFile) -> SourceFile:
    """The file with the block taken out, for the way back to plain imports."""
    span = find_block(source)
    if span is None:
        return source
    start, end = span
    before, after = source.text[:start].rstrip(), source.text[end:].lstrip("\r\n")
    gap = source.newline if before and not after else source.newline * 3 if before else ""
    return SourceFile(source.path, f"{before}{gap}{after}", source.encoding)


def _render_block(source: SourceFile, wanted: ExportPlan) -> str:
    rows = {
        name: f"{module}:{name}" if module else name
        for module, names in wanted.names.items()
        for name in names
    }
    table = "".join(f'    "{name}": "{rows[name]}",\n' for name in wanted.all_names)
    hints = {"text": "str", "value": "object", "names": "list[str]"}
    # A module `list` of the package is its attribute `list` once it is imported.
    taken = {path.name.partition(".")[0] for path in source.path.parent.iterdir()} | set(rows)
    if not taken.isdisjoint(("str", "object", "list")):
        hints = {key: f'"{hint}"' for key, hint in hints.items()}
    return _BLOCK.format(begin=BEGIN, end=END, table=table, **hints)


def check_can_be_lazy(source: SourceFile, wanted: ExportPlan, api: PublicApi) -> None:
    """Raise ProjectErrors for a hand-written `__getattr__` and names that modules have too."""
    inside = statements_in_block(source)
    rest = ast.Module([node for node in source.tree.body if id(node) not in inside], [])
    bound = defined_names(rest)
    problems = [
        Problem(
            f"'{name}' of {module}.py is also the name of the module {name}.py: once that is "
            "imported by anything, the package's attribute is the module",
            f"rename one of them, or leave the name out with an `__all__` in {module}.py",
            str(source.path),
        )
        for module, names in wanted.names.items()
        for name in names
        if module and name in api.modules
    ]
    if "__getattr__" in bound:
        problems.append(
            Problem(
                "the package has a `__getattr__` of its own",
                "lazy exports need that place: keep yours and run `twofold exports` without --lazy",
                f"{source.path}:{bound['__getattr__']}",
            )
        )
    if problems:
        raise ProjectErrors(problems)


STUB_HEAD = "# Written by `twofold exports --lazy` from __init__.py; what you write here is lost.\n"


def render_stub(source: SourceFile, wanted: ExportPlan, width: int) -> bytes:
    """The text of `__init__.pyi` for a file whose re-exports are lazy."""
    inside = statements_in_block(source)
    statements = [n for n in source.tree.body if id(n) not in inside and _belongs_in_stub(n)]
    own = [ast.unparse(_BodyRemover().visit(deepcopy(node))) for node in statements]
    imports = [
        format_list(f"from .{module} import ", [f"{name} as {name}" for name in names], "()", width)
        for module, names in wanted.names.items()
    ]
    declared = find_dunder_all(source.tree)
    names = [f'"{name}"' for name in declared.names] if declared else []
    parts = ["\n".join(imports), "\n".join(own), format_list("__all__ = ", names, "[]", width)]
    return (STUB_HEAD + "\n" + "\n\n".join(part for part in parts if part) + "\n").encode()


def stub_path(init: Path) -> Path:
    """The path of the stub; raises if a file is there that twofold did not write."""
    path = init.with_suffix(".pyi")
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(STUB_HEAD):
        raise TwofoldError(
            "a handwritten stub is in the place of the stub for lazy exports",
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
    """New statements after the last of ours, else after the head of the file, and in any case after
    what modules of the package import from it while it is being imported."""
    head = [one.node for one in ours] or module_head(source.tree)
    lent = find_lent_names(source)
    binding = [node for node in source.tree.body if lent & set(defined_names(_alone(node)))]
    before = max([*head[-1:], *binding[-1:]], key=lambda node: node.lineno, default=None)
    if before is not None:
        return insert_after(source, before, text, not isinstance(before, _IMPORTS))
    if source.tree.body:
        first = source.tree.body[0]
        lines = [first.lineno, *(d.lineno for d in getattr(first, "decorator_list", ()))]
        start = source.offset(min(lines), 0)
        return TextEdit(start, start, f"{text}\n\n")
    return append_lines(source, text)


_IMPORTS = (ast.Import, ast.ImportFrom)


def _alone(node: ast.stmt) -> ast.Module:
    return ast.Module([node], [])


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
