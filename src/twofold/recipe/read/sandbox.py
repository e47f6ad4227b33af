"""A Jinja environment for recipes: an allowlist of features; anything else is refused by name.

Jinja's own sandbox keeps templates out of Python's internals but lets them loop and grow without
limit. So the template's tree is checked before it runs: statements that recipes do not need
(includes, call blocks) are refused with their line, and loops, literals and `~` are replaced by
counted ones; each call of a macro is counted. See `limits`.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, KeysView, Mapping, ValuesView
from datetime import date, datetime
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from twofold.recipe.read.limits import (
    Budget,
    LimitExceeded,
    check_format,
    check_join,
    check_operation,
    check_replace,
    measure_size,
)


class Delimiters(NamedTuple):
    """The delimiters of Jinja."""

    block: str
    variable: str
    comment: str


V0 = Delimiters("{%", "{{", "{#")
#: recipe.yaml has expressions only; `{%` and `{#` in its scripts are the shell's.
V1 = Delimiters("\ue004", "${{", "\ue005")

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.NSRef,
    nodes.If,
    nodes.For,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Keyword,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.With,
    nodes.Macro,
    nodes.FilterBlock,
)
_FILTERS = frozenset(
    str.split(
        "abs batch capitalize center count d default dictsort e escape first float format groupby "
        "indent int items join last length list lower map max min reject rejectattr replace "
        "reverse round select selectattr sort split string sum title tojson trim truncate unique "
        "upper urlencode wordcount wordwrap"
    )
)
#: Filters that apply another one, by its name.
_APPLYING = frozenset({"map"})
_PLAIN = (str, int, float, list, tuple, dict, datetime, date)
#: The most digits that `round` keeps and columns that `tojson` indents.
MAX_DIGITS = 20
#: A call of a macro costs this many steps.
_MACRO_STEPS = 200
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex"})
#: Methods that make a text as long as their first argument says.
_PADDING = frozenset({"center", "ljust", "rjust", "zfill"})
_METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        str.split(
            "capitalize casefold center count endswith find format index isalnum isalpha isdigit "
            "join ljust lower lstrip partition removeprefix removesuffix replace rfind rjust "
            "rpartition rsplit rstrip split splitlines startswith strip swapcase title upper zfill"
        )
    ),
    list: frozenset({"append", "count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"get", "items", "keys", "values"}),
    date: frozenset({"day", "isoformat", "month", "strftime", "year"}),
    datetime: frozenset({"date", "hour", "minute", "second", "timestamp"}),
}


class RecipeEnvironment(SandboxedEnvironment):
    """The environment of one rendering: filters, methods, functions and a budget."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(
        self,
        functions: Mapping[str, object],
        budget: Budget,
        signs: Delimiters = V0,
        write: Callable[[object], object] = lambda value: value,
    ) -> None:
        super().__init__(
            block_start_string=signs.block,
            variable_start_string=signs.variable,
            comment_start_string=signs.comment,
            undefined=StrictUndefined,
            finalize=self._finalized(budget, write),
            optimized=False,
            keep_trailing_newline=True,
            extensions=(),
        )
        self.budget = budget
        self._write = write
        self.filters = {name: self._wrap_filter(name) for name in _FILTERS}
        self.filters |= {
            "_turns": budget.charge_iterations,
            "_built": budget.charge_value,
            "_joined": self._join_parts,
        }
        self.globals = {
            "range": self._make_range,
            "namespace": Namespace,
            "dict": dict,
            **functions,
        }

    @staticmethod
    def _finalized(
        budget: Budget, write: Callable[[object], object]
    ) -> Callable[[Context, object], object]:
        @pass_context  # which also keeps Jinja from computing outputs before they are counted
        def finalize(_context: Context, value: object) -> object:
            if isinstance(value, Undefined):
                return value
            if value is not None and not isinstance(value, _PLAIN):
                raise SecurityError(f"a {type(value).__name__} is not a text")
            return budget.charge_value(write(value))

        return finalize

    def _wrap_filter(self, name: str) -> Callable[..., object]:
        original: Any = _split_text if name == "split" else FILTERS[name]
        passes = 1 if hasattr(original, "jinja_pass_arg") else 0

        def counted(*arguments: Any, **options: Any) -> object:
            given = list(arguments)
            for value in [*given[passes:], *options.values()]:
                if not isinstance(value, Undefined):
                    self.budget.charge_value(value)
            _check_filter(name, given[passes:], options)
            made = original(*given, **options)
            if hasattr(made, "__next__") or isinstance(made, ItemsView):
                made = check_join("", made)
            if name in _APPLYING and isinstance(made, list):
                _fail_on_undefined(made)
            if isinstance(made, Markup):
                made = str(made)
            return made if isinstance(made, Undefined) else self.budget.charge_value(made)

        if passes:
            counted.jinja_pass_arg = original.jinja_pass_arg  # type: ignore[attr-defined]
        return counted

    def _join_parts(self, parts: list[object]) -> str:
        texts = map(str, map(self._write, check_join("", parts)))
        return self.budget.charge_value("".join(texts))

    def _make_range(self, *bounds: int) -> list[int]:
        numbers = range(*bounds)
        if len(numbers) > 10_000:
            raise LimitExceeded("a range of more than 10,000 numbers")
        return self.budget.charge_value(list(numbers))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Check and charge a binary operation."""
        check_operation(operator, left, right)
        return self.budget.charge_value(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002
        """Allow listed methods only."""
        if isinstance(obj, Namespace):
            return not attr.startswith("_")
        if isinstance(obj, LoopContext):
            return attr in _LOOP
        if any(isinstance(obj, kind) and attr in names for kind, names in _METHODS.items()):
            return True
        return bool(attr in getattr(obj, "offered", ()))

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Charge the arguments and the result of a call."""
        if isinstance(obj, Macro):
            self.budget.charge(_MACRO_STEPS)
        name = getattr(obj, "__name__", "")
        owner = getattr(obj, "__self__", None)
        for value in (*args, *kwargs.values()):
            if not isinstance(value, Undefined):
                self.budget.charge_value(value)
        if isinstance(owner, str) and name in ("replace", "join"):
            _check_filter(name, [owner, *args] if name == "replace" else [args[0], owner], kwargs)
        elif isinstance(owner, str) and name in _PADDING:
            check_format(f"%{args[0] if args else ''}s", "%", "")
        elif isinstance(owner, list):
            measure_size([owner, args])
        elif name == "strftime":
            check_format(str(args[0] if args else ""), "%", "")
        made = super().call(context, obj, *args, **kwargs)
        if isinstance(made, ItemsView | KeysView | ValuesView):
            made = list(made)
        return made if isinstance(made, Undefined) else self.budget.charge_value(made)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Check and charge `str.format`."""
        formatted = super().wrap_str_format(value)
        if formatted is None:
            return None
        pattern: str = value.__self__

        def bounded(*args: Any, **kwargs: Any) -> str:
            check_format(pattern, "{", [args, kwargs])
            return formatted(*args, **kwargs)

        return bounded


def _split_text(text: str, separator: str | None = None, most: int = -1) -> list[str]:
    """The filter `split` of recipe v1."""
    return str(text).split(separator, most)


def _check_filter(name: str, given: list[Any], options: Mapping[str, Any]) -> None:
    """Refuse a filter whose result would be too large before it runs."""
    if name == "replace":
        old, new = [*given[1:3], *(options[key] for key in ("old", "new") if key in options)][:2]
        check_replace(str(given[0]), str(old), str(new))
    elif name == "join":
        check_join(str(options.get("d", given[1] if len(given) > 1 else "")), given[0])
    elif name == "format":
        check_format(str(given[0]), "%", [given[1:], dict(options)])
    elif name in ("batch", "center"):
        check_format(f"%{[*given[1:], *options.values()]}", "%", "")
    elif name in ("indent", "round", "tojson"):
        numbers = [n for n in (*given[1:], *options.values()) if isinstance(n, int)]
        if any(number > MAX_DIGITS for number in numbers):
            raise LimitExceeded(f"the filter '{name}' has a number above {MAX_DIGITS}")
    elif name in _APPLYING and len(given) > 1 and given[1] not in _FILTERS:
        raise SecurityError(f"the filter '{given[1]}' is not supported")


def _fail_on_undefined(values: list[object]) -> None:
    """Raise the error of the first value that is not there or not allowed."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)


class CountingTransformer(NodeTransformer):
    """Refuses features that recipes do not need and counts loops, literals and `~`."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        """Refuse nodes that are not in the allowlist."""
        if not isinstance(node, _ALLOWED) or isinstance(node, nodes.Pow):
            raise TemplateSyntaxError(f"{_make_call(node)} is not allowed in a recipe", node.lineno)
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise TemplateSyntaxError(f"the filter '{node.name}' is not supported", node.lineno)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("a recursive loop is not allowed in a recipe", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Count the iterations of a loop."""
        letters = sum(len(data.data) for part in node.body for data in _make_data(part))
        made = self.generic_visit(node)
        assert isinstance(made, nodes.For)
        made.iter = _apply_filter(made.iter, "_turns", nodes.Const(letters, lineno=node.lineno))
        return made

    def visit_List(self, node: nodes.List) -> nodes.Node:
        """Charge a list literal."""
        return _apply_filter(self.generic_visit(node), "_built")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        """Charge a dict literal."""
        return _apply_filter(self.generic_visit(node), "_built")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        """Charge a tuple literal, except as an assignment target."""
        made = self.generic_visit(node)
        return made if node.ctx == "store" else _apply_filter(made, "_built")

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Charge `~`."""
        made = self.generic_visit(node)
        assert isinstance(made, nodes.Concat)
        parts = nodes.List(made.nodes, lineno=node.lineno)
        return _apply_filter(parts, "_joined")


def _make_data(node: nodes.Node) -> list[nodes.TemplateData]:
    own = [node] if isinstance(node, nodes.TemplateData) else []
    return own + list(node.find_all(nodes.TemplateData))


def _apply_filter(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _make_call(node: nodes.Node) -> str:
    names = {
        "Include": "{% include %}",
        "Import": "{% import %}",
        "FromImport": "{% from ... import %}",
        "Extends": "{% extends %}",
        "CallBlock": "{% call %}",
        "Pow": "a power",
    }
    word = type(node).__name__
    return names.get(word, f"{{% {word.lower()} %}}")


__all__ = ["CountingTransformer", "RecipeEnvironment", "SecurityError"]
