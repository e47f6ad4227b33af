"""conda_build_config.yaml: names that a recipe takes for granted, and those with several values.

A name with several values makes a package for each, where the recipe uses it; names that `zip_keys`
ties together change together. conda-forge's recipes say `python {{ python_min }}` and set it
nowhere: its pinning does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.recipe.platform import Environ, Platform, parse_minor
from twofold.recipe.read.rendering import read_recipe_text
from twofold.recipe.read.run_pins import Pin, read_pins
from twofold.recipe.read.selectors import select_lines
from twofold.recipe.read.yaml_lines import Node, read_tree

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
        "channel_sources channel_targets __migrator"
    )
)


class Variants(NamedTuple):
    """`values` by name, `places` where each is said; `zipped` names change together.

    `pins` are those of pin_run_as_build, by package.
    """

    values: Mapping[str, tuple[str, ...]]
    locations: Mapping[str, str]
    zipped: tuple[tuple[str, ...], ...] = ()
    pins: Mapping[str, Pin] = MappingProxyType({})

    @property
    def multi_valued(self) -> frozenset[str]:
        """The names with more than one value."""
        return frozenset(name for name, values in self.values.items() if len(set(values)) > 1)

    def list_combinations(self, used: Collection[str]) -> list[dict[str, str]]:
        """A value for each name: the first, but every combination of those in `used`.

        In the order of the files. Raises ProjectErrors for more than MOST.
        """
        groups = {name: group for group in self.zipped for name in group}
        chosen = dict.fromkeys(
            groups.get(name, (name,))
            for name in self.values
            if name in self.multi_valued & set(used)
        )
        axes = [list(zip(*(self.values[name] for name in group), strict=True)) for group in chosen]
        if math.prod(map(len, axes)) > MAX_COMBINATIONS:
            raise ProjectErrors([self._too_many_error(list(chosen), axes)])
        first = {name: values[0] for name, values in self.values.items()}
        asked = [name for name in self.values if name in used]
        found: dict[tuple[str, ...], dict[str, str]] = {}
        for row in product(*axes):
            values = dict(first)
            for group, part in zip(chosen, row, strict=True):
                values |= dict(zip(group, part, strict=True))
            # A name that nobody asks for may differ within a group: the first stands for all.
            found.setdefault(tuple(values[name] for name in asked), values)
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
    recipe: Path, platform: Platform, environ: Environ, more: Sequence[Path] = ()
) -> Variants:
    """What lies beside a recipe, and `more` files after it. Raises ProjectErrors."""
    values: dict[str, tuple[str, ...]] = {"python_min": (PYTHON_MIN,)}
    places = {"python_min": ""}
    zipped: tuple[tuple[str, ...], ...] = ()
    pins: dict[str, Pin] = {}
    problems: list[Problem] = []
    for file in find_variant_files(recipe, more):
        for name, node in _read_file(file, platform, environ).items():
            where = f"{file.name}:{node.line}: {name}"
            if name == "zip_keys":
                zipped = _read_zip_keys(node, where, problems)
                places[name] = where
            elif name == "pin_run_as_build":
                pins |= read_pins(node, where, problems)
            elif name not in _OTHER_KEYS and not isinstance(node.value, dict):
                texts = _read_texts(node, where, problems)
                if texts:
                    values[name], places[name] = texts, where
                if name == "python" and not all(map(parse_minor, texts)):
                    hint = "write '3.12', or '3.12.* *_cpython'"
                    problems.append(Problem("no version of Python 3 is named", hint, where))
    zipped = tuple(tuple(name for name in group if name in values) for group in zipped)
    for group in zipped:
        if len({len(values[name]) for name in group}) > 1:
            counts = ", ".join(f"{name} has {len(values[name])}" for name in group)
            problems.append(
                Problem(
                    f"names that change together have different numbers of values: {counts}",
                    "give each of them a value for every combination",
                    places["zip_keys"],
                )
            )
    if problems:
        raise ProjectErrors(problems)
    return Variants(values, places, zipped, pins)


def find_variant_files(recipe: Path, more: Sequence[Path] = ()) -> list[Path]:
    """The files whose values count, in their order. Raises TwofoldError for one that is missing."""
    for file in more:
        if not file.is_file():
            raise TwofoldError("there is no such file", "check --variant-config", str(file))
    beside = [recipe.parent / name for name in NAMES]
    return [*(file for file in beside if file.is_file()), *more]


def _read_file(file: Path, platform: Platform, environ: Environ) -> dict[str, Node]:
    mistakes: list[Problem] = []
    selected = select_lines(read_recipe_text(file), platform, environ, mistakes, file.name)
    if mistakes:
        raise ProjectErrors(mistakes)
    numbers = [number for number, _ in selected.lines]
    tree = read_tree(
        "\n".join(text for _, text in selected.lines),
        file.name,
        lambda line: numbers[min(line, len(numbers) - 1)] if numbers else 1,
    )
    if isinstance(tree.value, dict):
        return tree.value
    hint = "write 'python:' and below it '  - 3.12'"
    raise ProjectErrors([Problem("this is not names with their values", hint, file.name)])


def _read_texts(node: Node, where: str, problems: list[Problem]) -> tuple[str, ...]:
    texts = [part.value for part in node.items()]
    if all(isinstance(text, str) for text in texts):
        return tuple(text for text in texts if isinstance(text, str))
    hint = "write values alone; a selector such as # [win] says where one counts"
    problems.append(Problem("a value is no text", hint, where))
    return ()


def _read_zip_keys(node: Node, where: str, problems: list[Problem]) -> tuple[tuple[str, ...], ...]:
    """zip_keys: a list of lists of names, or one such list."""
    parts = list(node.items())
    lists = [part for part in parts if isinstance(part.value, list)]
    groups = [_read_texts(part, where, problems) for part in lists or [node]]
    if lists and len(lists) < len(parts):
        problems.append(Problem("names and lists of names are mixed", "write only lists", where))
    twice = {name for group in groups for name in group if sum(name in g for g in groups) > 1}
    if twice:
        said = f"{', '.join(sorted(twice))} stands in more than one list"
        problems.append(Problem(said, "name it in one of them", where))
    return tuple(groups)
