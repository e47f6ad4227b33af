"""Read conda_build_config.yaml: values for the variables of recipes, and pins.

A name with several values makes a package for each, where the recipe uses it; names that `zip_keys`
ties together change together. conda-forge's recipes use `python {{ python_min }}` without setting
it: conda-forge's global pinning does.

`pin_run_as_build` names packages and how many parts of their version count; `numpy x.x` in a
recipe does the same for numpy alone. Both become calls of `pin_compatible`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.recipe.model import DeferredCall, DeferredCalls, Line, Output, Requirements
from twofold.recipe.read.merged_values import MergedValues, merge_zip_keys, read_texts
from twofold.recipe.read.selectors import select_lines
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree
from twofold.recipe.request import Environ, Platform, parse_minor

_FORM = re.compile(r"x(\.x)*")
_X_X = "numpy x.x"


class Pin(NamedTuple):
    """How many parts of a version count: 'x.x' forms, or None for no bound."""

    min_pin: str | None = None
    max_pin: str | None = None

    def to_call(self, name: str) -> DeferredCall:
        """Return the equivalent call of `pin_compatible`."""
        return DeferredCall("pin_compatible", name, self.min_pin, self.max_pin)


def read_pins(node: Node, where: str, problems: list[Problem]) -> dict[str, Pin]:
    """Read `pin_run_as_build`: for each package 'x.x', or `min_pin` and `max_pin`."""
    if not isinstance(node.value, dict):
        hint = "write 'numpy:' and below it '  max_pin: x.x'"
        problems.append(Problem("expected names with their pins", hint, where))
        return {}
    made = {}
    for name, part in node.value.items():
        single = isinstance(part.value, str)
        forms = dict.fromkeys(Pin._fields, part) if single else dict(_as_mapping(part))
        if not all(key in Pin._fields and _is_form(form) for key, form in forms.items()):
            place = f"{where.partition(':')[0]}:{part.line}: pin_run_as_build/{name}"
            hint = "write min_pin and max_pin below it, each as x, x.x or x.x.x"
            problems.append(Problem("invalid pin", hint, place))
        else:
            made[name] = Pin(**{key: str(form.value) for key, form in forms.items()})
    return made


def _as_mapping(node: Node) -> Mapping[str, Node]:
    return node.value if isinstance(node.value, dict) else {"": node}


def _is_form(node: Node) -> bool:
    return isinstance(node.value, str) and bool(_FORM.fullmatch(node.value))


def pin_run_requirements(output: Output, calls: DeferredCalls, pins: Mapping[str, Pin]) -> Output:
    """Pin the output's run requirements of packages that its host has too.

    As in conda-build, regardless of the version in the requirement; Python's own follows from
    the package's files.
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
    """Resolve `numpy x.x`: the variants' numpy in the host, its first two parts at run time."""
    beside = _list_names(requirements.build, requirements.host)

    def at_run(line: Line) -> Line:
        if line.text != _X_X:
            return line
        if "numpy" not in beside:
            hint = "add '- numpy x.x' under requirements/host"
            add_problem(
                "'numpy x.x' follows the host's numpy, but the host has no numpy", line, hint
            )
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


#: Read beside a recipe, the later one's values in the place of the earlier one's.
NAMES = ("conda_build_config.yaml", "variants.yaml")
#: conda-forge's pinning since the autumn of 2025.
PYTHON_MIN = "3.10"
#: Packages that one recipe may become: five Pythons by a dozen of others.
MAX_COMBINATIONS = 64
#: Settings of conda-build in the same file, which are no variants.
_OTHER_KEYS = frozenset(
    str.split(
        "extend_keys ignore_version ignore_build_only_deps "
        "channel_sources channel_targets __migrator pin_run_as_build"
    )
)


class Variants(NamedTuple):
    """`values` by name, `locations` where each is set; `zipped` names change together.

    `pins` are those of pin_run_as_build, by package. `lists` are the values of `extend_keys`, which
    are no variants: Jinja has them whole. `remarks` are for the user.
    """

    values: Mapping[str, tuple[str, ...]]
    locations: Mapping[str, str]
    zipped: tuple[tuple[str, ...], ...] = ()
    pins: Mapping[str, Pin] = MappingProxyType({})
    remarks: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def multi_valued(self) -> frozenset[str]:
        """The names with more than one value."""
        return frozenset(name for name, values in self.values.items() if len(set(values)) > 1)

    def list_combinations(self, used: Collection[str]) -> list[dict[str, str]]:
        """List a value for each name: the first, but every combination of those in `used`.

        In the order of the files. Raises ProjectErrors for more than MOST.
        """
        groups = {name: group for group in self.zipped for name in group}
        varying = self.multi_valued & set(used)
        chosen = dict.fromkeys(groups.get(name, (name,)) for name in self.values if name in varying)
        axes = [list(zip(*(self.values[name] for name in group), strict=True)) for group in chosen]
        if math.prod(map(len, axes)) > MAX_COMBINATIONS:
            raise ProjectErrors([self._too_many_error(list(chosen), axes)])
        first = {name: values[0] for name, values in self.values.items()}
        used_names = [name for name in self.values if name in used]
        found: dict[tuple[str, ...], dict[str, str]] = {}
        for row in product(*axes):
            values = dict(first)
            for group, part in zip(chosen, row, strict=True):
                values |= dict(zip(group, part, strict=True))
            # A name that is not used may differ within a group: the first represents all.
            found.setdefault(tuple(values[name] for name in used_names), values)
        return list(found.values())

    def _too_many_error(
        self, names: Sequence[tuple[str, ...]], axes: Sequence[Sequence[tuple[str, ...]]]
    ) -> Problem:
        counts = " x ".join(
            f"{len(axis)} ({', '.join(group)})" for group, axis in zip(names, axes, strict=True)
        )
        most = max(zip(names, axes, strict=True), key=lambda pair: len(pair[1]))[0][0]
        return Problem(
            f"the recipe would become more than {MAX_COMBINATIONS} packages: {counts}",
            "leave out values, or tie names together with zip_keys",
            self.locations[most],
        )


def read_variants(
    recipe: Path,
    platform: Platform,
    environ: Environ,
    more: Sequence[Path] = (),
    base: Sequence[Path] = (),
) -> Variants:
    """Read the variant files beside a recipe, `base` before and `more` after them.

    A later file's values count. Raises ProjectErrors.
    """
    problems: list[Problem] = []
    remarks: list[str] = []
    files = [
        (file.name, _read_file(file, platform, environ, remarks))
        for file in find_variant_files(recipe, more, base)
    ]
    first = {"python_min": (PYTHON_MIN,)}
    extended = _read_extend_keys(files, problems)
    merged = MergedValues(first, merge_zip_keys(files, problems), problems, extended)
    pins: dict[str, Pin] = {}
    for file, tree in files:
        texts: dict[str, tuple[str, ...]] = {}
        for name, node in tree.items():
            where = f"{file}:{node.line}: {name}"
            if node.value is None or name == "zip_keys":
                continue
            if name == "pin_run_as_build":
                pins |= read_pins(node, where, problems)
            if name not in _OTHER_KEYS and not isinstance(node.value, dict):
                texts[name] = read_texts(node, where, problems)
                if name == "python" and not all(map(parse_minor, texts[name])):
                    hint = "write '3.12', or '3.12.* *_cpython'"
                    problems.append(Problem("no version of Python is named", hint, where))
        merged.add({k: v for k, v in texts.items() if v}, file, tree)
    merged.check_sizes()
    if problems:
        raise ProjectErrors(problems)
    lists = merged.take_lists()
    return Variants(merged.values, merged.locations, merged.zipped, pins, tuple(remarks), lists)


def _read_extend_keys(
    files: Sequence[tuple[str, Mapping[str, Node]]], problems: list[Problem]
) -> frozenset[str]:
    """Read the names of which each file adds values to the earlier files' ones."""
    found: set[str] = set()
    for file, tree in files:
        node = tree.get("extend_keys")
        if node is not None and node.value is not None:
            found |= set(read_texts(node, f"{file}:{node.line}: extend_keys", problems))
    return frozenset(found - _OTHER_KEYS)


def find_variant_files(
    recipe: Path, more: Sequence[Path] = (), base: Sequence[Path] = ()
) -> list[Path]:
    """Find the files with variants, in order; raises TwofoldError if one is missing."""
    for file in more:
        if not file.is_file():
            raise TwofoldError("no such file", "check --variant-config", str(file))
    beside = [recipe.parent / name for name in NAMES]
    return [*base, *(file for file in beside if file.is_file()), *more]


def _read_file(
    file: Path, platform: Platform, environ: Environ, remarks: list[str]
) -> dict[str, Node]:
    problems: list[Problem] = []
    selected = select_lines(read_recipe_text(file), platform, environ, problems, file.name)
    if problems:
        raise ProjectErrors(problems)
    numbers = [number for number, _ in selected.lines]
    tree = read_tree(
        "\n".join(text for _, text in selected.lines),
        file.name,
        lambda line: numbers[min(line, len(numbers) - 1)] if numbers else 1,
        remarks,
    )
    remarks += selected.list_remarks(file.name)
    if isinstance(tree.value, dict):
        return tree.value
    hint = "write 'python:' and below it '  - 3.12'"
    raise ProjectErrors([Problem("expected names with their values", hint, file.name)])
