"""Expand a recipe into one package for each combination of its variants that matters.

A recipe is read once for each combination of the values it uses. An output that is the same, with
the same requirements, under two combinations is one package; where it differs, each package's build
string shows by which values: `py312_0`, `pyh1a2b3c4_0`. A `noarch` package serves every Python, so
only the newest counts for it, as for conda-build.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import NamedTuple

from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.read.variants import Variants

#: `$flavour`, `${flavour}` and `%flavour%` in scripts.
_SHELL_NAME = re.compile(r"[$%]\{?(\w+)")
_LANGUAGE_CALLS = frozenset({"compiler", "stdlib"})


class Variation(NamedTuple):
    """What distinguishes a package from others of the same output: names of variants with values.

    `is_for_python`: it is for one Python only because the variants name several. `virtual` are the
    virtual packages it requires, by name: `__win` distinguishes the noarch packages of one recipe
    that are read for two platforms, so conda-build's hash has them too.
    """

    values: Mapping[str, str] = {}
    is_for_python: bool = False
    virtual: Mapping[str, str] = {}

    @property
    def hashed(self) -> dict[str, str]:
        """What the hash in the build string is made of."""
        return {**self.values, **self.virtual}

    def make_label(self, prefix: str, in_prefix: str = "") -> str:
        """Make the build string without its number; the value of `in_prefix` is in the prefix."""
        values = {name: value for name, value in self.hashed.items() if name != in_prefix}
        return f"{prefix}h{hash_values(values)}" if values else prefix


def hash_values(values: Mapping[str, str]) -> str:
    """Hash values to the seven letters in a build string (conda-build's `PKG_HASH`)."""
    return hashlib.sha1(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:7]


class BuildStep(NamedTuple):
    """One reading of the recipe and the outputs built from it, by index."""

    recipe: Recipe
    built: Mapping[int, Variation]


def read_combinations(
    variants: Variants, read: Callable[[Mapping[str, str]], Recipe]
) -> list[Recipe]:
    """Read a recipe with every combination of the values it uses, in the order of the files.

    What one reading leaves out another may use, so names are added until there are no more.
    """
    used: frozenset[str] = frozenset()
    known: dict[tuple[tuple[str, str], ...], Recipe] = {}
    while True:
        readings = []
        for values in variants.list_combinations(used):
            key = tuple(sorted(values.items()))
            if key not in known:
                known[key] = read(values)
            readings.append(known[key])
        found = used | (
            variants.multi_valued & {name for one in readings for name in _find_used_variants(one)}
        )
        if found == used:
            return readings
        used = found


def plan_builds(readings: Sequence[Recipe]) -> list[BuildStep]:
    """Plan which reading builds which outputs; skipped outputs are left out."""
    newest = max((_python_sort_key(one.platform.python) for one in readings), default=())

    def counts(recipe: Recipe, output: Output) -> bool:
        late = bool(output.build.noarch) and _python_sort_key(recipe.platform.python) != newest
        return not output.build.skip and not late

    outputs = [output for one in readings for output in one.outputs]
    if any(output.build.noarch for output in outputs):
        # Others may pin a noarch package, so the Python it is built with comes first.
        readings = sorted(readings, key=lambda one: _python_sort_key(one.platform.python) != newest)
    groups: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for number, recipe in enumerate(readings):
        for place, output in enumerate(recipe.outputs):
            if counts(recipe, output):
                same = groups.setdefault(output.name, {})
                same.setdefault(make_fingerprint(recipe, output), []).append((number, place))
    used = sorted({name for one in readings for name in _find_used_variants(one)})
    built: list[dict[int, Variation]] = [{} for _ in readings]
    for same in groups.values():
        members = [sorted({number for number, _ in group}) for group in same.values()]
        distinguishing = _find_distinguishing(readings, members, used)
        for group, values in zip(same.values(), distinguishing, strict=True):
            number, place = group[0]
            output = readings[number].outputs[place]
            is_for_python = "python" in values and not output.build.noarch
            built[number][place] = Variation(values, is_for_python, _find_virtual(output))
    return [BuildStep(recipe, dict(sorted(built[n].items()))) for n, recipe in enumerate(readings)]


def _find_virtual(output: Output) -> dict[str, str]:
    """Find the virtual packages (`__unix`) that an output requires: name -> requirement."""
    texts = [line.text for line in output.requirements.run]
    return {text.split()[0]: text for text in texts if text.startswith("__")}


def _find_distinguishing(
    readings: Sequence[Recipe], groups: Sequence[Sequence[int]], used: Sequence[str]
) -> list[dict[str, str]]:
    """Find, for each group of readings that make one package, the values that distinguish it."""
    if len(groups) == 1:
        return [{}]

    def values(group: Iterable[int], name: str) -> set[str]:
        return {_find_value(readings[number], name) for number in group}

    every = [number for group in groups for number in group]
    varying = [name for name in used if len(values(every, name)) > 1]
    telling = [
        name
        for name in varying
        if any(values(group, name) != values(every, name) for group in groups)
    ]
    for names in (telling, varying):
        found = [
            {name: _find_value(readings[group[0]], name) for name in names} for group in groups
        ]
        if len({tuple(one.items()) for one in found}) == len(groups):
            break
    return found


def _find_value(recipe: Recipe, name: str) -> str:
    return recipe.platform.python if name == "python" else recipe.variant.get(name, "")


def _python_sort_key(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split(".") if part.isdecimal())


def _find_used_variants(recipe: Recipe) -> set[str]:
    """Find the names of variants that a recipe may depend on."""
    names = {_find_variant(recipe, name) for name in recipe.names_used}
    return names.union(*(find_open_names(recipe, output) for output in recipe.outputs))


def _find_variant(recipe: Recipe, name: str) -> str:
    """Return the variant behind a name of Jinja or selectors: `py` uses python, `np` numpy."""
    if recipe.platform.is_python_dependent(frozenset([name])):
        return "python"
    return "numpy" if name == "np" else name


def find_open_names(recipe: Recipe, output: Output) -> set[str]:
    """Find the variants an output uses: requirements without a version, compilers, `$name`."""
    needs = output.requirements
    names = set()
    for line in (*needs.build, *needs.host):
        call = recipe.calls.find_call(line.text)
        if call is not None and call.function in _LANGUAGE_CALLS:
            names |= {f"{call.name}_{call.function}", f"{call.name}_{call.function}_version"}
        elif call is None and len(line.text.split()) == 1:
            names.add(line.text.rpartition("::")[2].replace("-", "_"))
    names |= {name for line in output.build.script for name in _SHELL_NAME.findall(line.text)}
    names.discard("python")
    # As for conda-build, what is under `run` alone makes no difference to a package with a host.
    sections = (*needs.build, *needs.host) or needs.run
    bare = any(line.text == "python" for line in sections)
    if not output.build.noarch and (bare or recipe.uses_python):
        names.add("python")
    return names


def make_fingerprint(recipe: Recipe, output: Output, above: tuple[str, ...] = ()) -> str:
    """Make a text that is equal for outputs that make the same package."""
    values = {name: _find_value(recipe, name) for name in sorted(find_open_names(recipe, output))}
    parts = [_to_plain(output, recipe), _to_plain(recipe.sources, recipe), values]
    siblings = {one.name: one for one in recipe.outputs}
    for line in (*output.requirements.run, *output.requirements.constrained):
        call = recipe.calls.find_call(line.text)
        pinned = siblings.get(call.name) if call and call.function == "pin_subpackage" else None
        if pinned is None or pinned.name in (output.name, *above):
            continue
        exact = call is not None and call.exact
        deeper = (*above, output.name)
        parts.append(make_fingerprint(recipe, pinned, deeper) if exact else pinned.version)
    return repr(parts)


def _to_plain(value: object, recipe: Recipe) -> object:
    """Return a value without its line numbers, with calls in place of their placeholders."""
    if isinstance(value, Line):
        return recipe.calls.replace(value.text, repr)
    if is_dataclass(value):
        names = [one.name for one in fields(value) if one.name not in ("line", "noarch_line")]
        return [(name, _to_plain(getattr(value, name), recipe)) for name in names]
    if isinstance(value, Mapping):
        return [(key, _to_plain(part, recipe)) for key, part in value.items()]
    if isinstance(value, tuple | list):
        return [_to_plain(part, recipe) for part in value]
    return recipe.calls.replace(value, repr) if isinstance(value, str) else str(value)
