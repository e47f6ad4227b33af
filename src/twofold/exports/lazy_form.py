"""The lazy form (PEP 562): a table of names, and `__getattr__` that loads a module when one of
its names is first asked for; a stub beside it tells type checkers what the names are.

The block stands between two comments, so that it is found again whatever stands around it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.exports.dunder_all import write_dunder_all
from twofold.exports.plan import ExportPlan, ReexportStatement
from twofold.exports.public_names import PublicApi
from twofold.exports.source_edits import SourceFile, TextEdit, append_lines, remove_statement
from twofold.source_analysis import defined_names

BEGIN = "# twofold exports --lazy: written for you, from here ..."
END = "# twofold exports --lazy: ... to here"

_BLOCK = """\
{begin}
_EXPORTS = {{
{table}}}


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    from importlib import import_module

    module, _, attribute = _EXPORTS[name].partition(":")
    value: object = import_module(f".{{module}}", __name__)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({{*globals(), *_EXPORTS}})


{end}"""


def find_block(source: SourceFile) -> tuple[int, int] | None:
    """The characters of the block, None when the file has none; raises when it is torn."""
    start, end = source.text.find(BEGIN), source.text.find(END)
    if start < 0 and end < 0:
        return None
    if start < 0 or end < start:
        raise TwofoldError(
            "the comments around the lazy exports are torn",
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
    """What the block says: name -> module, '' for a subpackage."""
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
    """The file with the block in place of plain re-exports."""
    edits = [remove_statement(source, one.node) for one in ours]
    span = find_block(source)
    if span is None:
        stripped = write_dunder_all(source.apply(edits), wanted.all_names, width)
        return stripped.apply([append_lines(stripped, _render_block(wanted))])
    edits.append(TextEdit(*span, _render_block(wanted)))
    return write_dunder_all(source.apply(edits), wanted.all_names, width, is_lazy=True)


def remove_block(source: SourceFile) -> SourceFile:
    """The file with the block taken out, for the way back to plain imports."""
    span = find_block(source)
    if span is None:
        return source
    start, end = span
    before, after = source.text[:start].rstrip(), source.text[end:].lstrip("\r\n")
    gap = source.newline if before and not after else source.newline * 3 if before else ""
    return SourceFile(source.path, f"{before}{gap}{after}", source.encoding)


def _render_block(wanted: ExportPlan) -> str:
    rows = {
        name: f"{module}:{name}" if module else name
        for module, names in wanted.names.items()
        for name in names
    }
    table = "".join(f'    "{name}": "{rows[name]}",\n' for name in wanted.all_names)
    return _BLOCK.format(begin=BEGIN, end=END, table=table)


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
