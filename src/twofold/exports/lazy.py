"""The lazy form (PEP 562): a table of names, and `__getattr__` that loads a module when one of
its names is first asked for; a stub beside it tells type checkers what the names are.

The block stands between two comments, so that it is found again whatever stands around it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.exports.dunder import with_all
from twofold.exports.offer import Offer
from twofold.exports.plan import Plan, Statement
from twofold.exports.rewriting import Edit, Source, at_end, removal
from twofold.imports import defined_names

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


def block_span(source: Source) -> tuple[int, int] | None:
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


def in_block(source: Source) -> set[int]:
    """The identities of the statements that belong to the block."""
    span = block_span(source)
    if span is None:
        return set()
    return {id(node) for node in source.tree.body if span[0] <= source.span(node)[0] < span[1]}


def table_of(source: Source) -> dict[str, str]:
    """What the block says: name -> module, '' for a subpackage."""
    inside = in_block(source)
    for node in source.tree.body:
        if id(node) in inside and isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            table: Mapping[str, str] = ast.literal_eval(node.value)
            return {
                name: target.partition(":")[0] if ":" in target else ""
                for name, target in table.items()
            }
    return {}


def rewrite(source: Source, wanted: Plan, ours: Sequence[Statement], width: int) -> Source:
    """The file with the block in place of plain re-exports."""
    edits = [removal(source, one.node) for one in ours]
    span = block_span(source)
    if span is None:
        stripped = with_all(source.edited(edits), wanted.all_names, width)
        return stripped.edited([at_end(stripped, _block(wanted))])
    edits.append(Edit(*span, _block(wanted)))
    return with_all(source.edited(edits), wanted.all_names, width, is_lazy=True)


def without_block(source: Source) -> Source:
    """The file with the block taken out, for the way back to plain imports."""
    span = block_span(source)
    if span is None:
        return source
    start, end = span
    before, after = source.text[:start].rstrip(), source.text[end:].lstrip("\r\n")
    gap = source.newline if before and not after else source.newline * 3 if before else ""
    return Source(source.path, f"{before}{gap}{after}", source.encoding)


def _block(wanted: Plan) -> str:
    rows = {
        name: f"{module}:{name}" if module else name
        for module, names in wanted.names.items()
        for name in names
    }
    table = "".join(f'    "{name}": "{rows[name]}",\n' for name in wanted.all_names)
    return _BLOCK.format(begin=BEGIN, end=END, table=table)


def refuse_what_cannot_be_lazy(source: Source, wanted: Plan, offer: Offer) -> None:
    """Raise ProjectErrors for a hand-written `__getattr__` and names that modules have too."""
    inside = in_block(source)
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
        if module and name in offer.modules
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
