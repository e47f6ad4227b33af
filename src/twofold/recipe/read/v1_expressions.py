"""Evaluate `${{ }}`, `if: then: else:` and the context of a recipe.yaml, as rattler-build does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jinja2 import TemplateError, nodes

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.recipe.model import DeferredCalls
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.limits import Budget, LimitExceeded
from twofold.recipe.read.sandbox import V1, CountingTransformer
from twofold.recipe.read.v1_environment import SCRIPT_VARIABLES, V1Environment, make_v1_names
from twofold.recipe.read.yaml_lines import Node

#: The whole numbers of a context; rattler-build keeps any other number as text.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

_REFUSED = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class UnsupportedRecipe(Exception):
    """The recipe needs more than a direct build; the text explains what."""


class V1Renderer:
    """Evaluates `${{ }}` and `if: then: else:` of one recipe under one budget."""

    def __init__(self, context: ReadContext, calls: DeferredCalls, file: str, text: str) -> None:
        self.environment = V1Environment(make_v1_names(context, calls, text), Budget())
        self.environment.filters["_kept"] = self._keep
        self._kept: list[object] = []
        self._is_script = False
        self.file = file
        self.names_used: set[str] = set()

    def add_context(self, context: Node) -> None:
        """Add the variables of `context`, each of which may use those before it."""
        if not isinstance(context.value, dict):
            raise UnsupportedRecipe("its context is not a mapping")
        for name, value in context.value.items():
            if not isinstance(value.value, str):
                raise UnsupportedRecipe(f"its context has a list under '{name}'")
            self.environment.globals[name] = self._evaluate(value.value, value)

    def _evaluate(self, text: str, node: Node) -> object:
        """Return the value of a text: that of a single expression, a whole number, a truth value.

        Numbers with a point stay text, as for rattler-build: 1.10 is a version.
        """
        if V1.variable not in text:
            if node.is_plain and text.lower() in ("true", "false"):
                return text.lower() == "true"
            return int(text) if node.is_plain and _INTEGER.fullmatch(text) else text
        self._kept.clear()
        made = self.render_text(text, node, keeps_value=True)
        return self._kept[0] if self._kept else made

    def render_node(self, node: Node) -> Node:
        """Return a node with its expressions evaluated and its conditions decided."""
        if isinstance(node.value, str):
            return Node(self.render_text(node.value, node), node.line, node.key)
        if isinstance(node.value, list):
            return Node(list(self._render_items(node.value)), node.line, node.key)
        if isinstance(node.value, dict):
            made = {name: self._render_part(name, part) for name, part in node.value.items()}
            return Node(made, node.line, node.key)
        return node

    def _render_part(self, name: str, node: Node) -> Node:
        if name != "script" or self._is_script:
            return self.render_node(node)
        self._is_script = True
        try:
            return self.render_node(node)
        finally:
            self._is_script = False

    def _render_items(self, items: Iterable[Node]) -> Iterable[Node]:
        for item in items:
            if not isinstance(item.value, dict) or "if" not in item.value:
                yield self.render_node(item)
                continue
            condition = item.value["if"]
            if not isinstance(condition.value, str):
                raise UnsupportedRecipe("a condition of it is not text")
            chosen = item.value.get("then" if self.evaluate_condition(condition) else "else")
            if chosen is not None:
                parts = chosen.value if isinstance(chosen.value, list) else [chosen]
                yield from self._render_items(parts)

    def evaluate_condition(self, node: Node) -> bool:
        """Evaluate the text of an `if`."""
        return self.render_text(f"${{{{ 1 if ({node.value}) else 0 }}}}", node) == "1"

    def _keep(self, value: object) -> str:
        self._kept.append(value)
        return ""

    def render_text(self, text: str, node: Node, keeps_value: bool = False) -> str:
        """Render a text; `node` has its place.

        Raises ProjectErrors, and UnsupportedRecipe for what Jinja cannot evaluate.
        """
        if V1.variable not in text:
            return text
        environment = self.environment
        try:
            tree = CountingTransformer().visit(environment.parse(text))
            if keeps_value:
                _keep_single_value(tree)
            names = {name.name for name in tree.find_all(nodes.Name)}
            if not self._is_script and (known := names & SCRIPT_VARIABLES):
                raise UnsupportedRecipe(
                    f"line {node.line}: '{min(known)}' is known in scripts only"
                )
            self.names_used |= names
            code = environment.compile(tree)
            made = environment.template_class.from_code(environment, code, environment.globals)
            return made.render()
        except TwofoldError as error:
            place = f"{self.file}:{node.line}: {node.key}"
            raise ProjectErrors(
                [Problem(p.message, p.hint, p.where or place) for p in error.problems]
            ) from error
        except LimitExceeded as error:
            hint = "use Jinja to set values and choose lines only"
            raise ProjectErrors(
                [Problem(str(error), hint, f"{self.file}:{node.line}: {node.key}")]
            ) from error
        except _REFUSED as error:
            raise UnsupportedRecipe(f"line {node.line}: {error}") from error


def _keep_single_value(tree: nodes.Template) -> None:
    """Have the value of a text that is one expression kept; other texts stay texts."""
    match tree.body:
        case [nodes.Output(nodes=[nodes.TemplateData()])]:
            return
        case [nodes.Output(nodes=[value])]:
            tree.body = [nodes.Output([nodes.Filter(value, "_kept", [], [], None, None)])]
