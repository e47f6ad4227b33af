"""Requirements at run time that follow what the host environment holds, said the two older ways.

`pin_run_as_build` of conda_build_config.yaml names packages and how much of their version counts;
`numpy x.x` in a recipe says the same of numpy alone. Both become calls of `pin_compatible`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from twofold.errors import Problem
from twofold.recipe.deferred_calls import DeferredCall, DeferredCalls
from twofold.recipe.model import Line, Output, Requirements
from twofold.recipe.read.yaml_lines import Node

_FORM = re.compile(r"x(\.x)*")
_X_X = "numpy x.x"


class Pin(NamedTuple):
    """How many parts of a version count: 'x.x' forms, or None for no bound."""

    min_pin: str | None = None
    max_pin: str | None = None

    def to_call(self, name: str) -> DeferredCall:
        return DeferredCall("pin_compatible", name, self.min_pin, self.max_pin)


def read_pins(node: Node, where: str, problems: list[Problem]) -> dict[str, Pin]:
    """`pin_run_as_build`: for each package 'x.x', or `min_pin` and `max_pin`."""
    if not isinstance(node.value, dict):
        hint = "write 'numpy:' and below it '  max_pin: x.x'"
        problems.append(Problem("this is not names with their pins", hint, where))
        return {}
    made = {}
    for name, part in node.value.items():
        single = isinstance(part.value, str)
        forms = dict.fromkeys(Pin._fields, part) if single else dict(_as_mapping(part))
        if not all(key in Pin._fields and _is_form(form) for key, form in forms.items()):
            place = f"{where.partition(':')[0]}:{part.line}: pin_run_as_build/{name}"
            hint = "write min_pin and max_pin below it, each as x, x.x or x.x.x"
            problems.append(Problem("this is no pin", hint, place))
        else:
            made[name] = Pin(**{key: str(form.value) for key, form in forms.items()})
    return made


def _as_mapping(node: Node) -> Mapping[str, Node]:
    return node.value if isinstance(node.value, dict) else {"": node}


def _is_form(node: Node) -> bool:
    return isinstance(node.value, str) and bool(_FORM.fullmatch(node.value))


def pin_run_requirements(output: Output, calls: DeferredCalls, pins: Mapping[str, Pin]) -> Output:
    """The output with its pinned requirements at run time, where the package is in its host too.

    As conda-build does, whatever version the requirement asked for; Python's own follows from what
    the package holds.
    """
    needs = output.requirements
    chosen = (_list_names(needs.build, needs.host) & set(pins)) - {"python"}
    run = tuple(
        replace(line, text=calls.add_placeholder(pins[name].to_call(name)))
        if (name := _package_name(line)) in chosen
        else line
        for line in needs.run
    )
    return output if run == needs.run else replace(output, requirements=replace(needs, run=run))


def resolve_x_x(
    requirements: Requirements, calls: DeferredCalls, add_problem: Callable[[str, Line, str], None]
) -> Requirements:
    """`numpy x.x`: numpy of the variants in the host, and its first two parts at run time."""
    beside = _list_names(requirements.build, requirements.host)

    def at_run(line: Line) -> Line:
        if line.text != _X_X:
            return line
        if "numpy" not in beside:
            hint = "add '- numpy x.x' under requirements/host"
            add_problem("'numpy x.x' follows the host's numpy, and there is none", line, hint)
        return replace(line, text=calls.add_placeholder(Pin("x.x", "x.x").to_call("numpy")))

    def bare(lines: Iterable[Line]) -> tuple[Line, ...]:
        return tuple(replace(line, text="numpy") if line.text == _X_X else line for line in lines)

    run = tuple(at_run(line) for line in requirements.run)
    return Requirements(
        bare(requirements.build), bare(requirements.host), run, requirements.constrained
    )


def _list_names(*sections: Collection[Line]) -> set[str]:
    return {_package_name(line) for lines in sections for line in lines}


def _package_name(line: Line) -> str:
    return line.text.split()[0].rpartition("::")[2]
