"""Which packages a recipe becomes when its variants have several values.

A recipe is read once for each combination of the values it uses. An output that says the same, and
asks for the same, under two combinations is one package; where it differs, each package's build
string tells by which values: `py312_0`, `pyh1a2b3c4_0`. A `noarch` package serves every Python, so
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
    """What sets a package apart from others of the same output: names of variants with values.

    `is_for_python` says that it is for one Python only because the variants name several.
    """

    values: Mapping[str, str] = {}
    is_for_python: bool = False

    def make_label(self, prefix: str, in_prefix: str = "") -> str:
        """The build string without its number; the value of `told` is in the prefix already."""
        values = {name: value for name, value in self.values.items() if name != in_prefix}
        return f"{prefix}h{hash_values(values)}" if values else prefix


def hash_values(values: Mapping[str, str]) -> str:
    """The seven letters that stand for values in a build string (conda-build's `PKG_HASH`)."""
    return hashlib.sha1(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:7]


class BuildStep(NamedTuple):
    """One reading of the recipe and the outputs that are built of it, by their place in it."""

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
    """What to build of which reading; outputs that are skipped are left out."""
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
        told = _find_distinguishing(readings, members, used)
        for group, values in zip(same.values(), told, strict=True):
            number, place = group[0]
            noarch = readings[number].outputs[place].build.noarch
            built[number][place] = Variation(values, "python" in values and not noarch)
    return [BuildStep(recipe, dict(sorted(built[n].items()))) for n, recipe in enumerate(readings)]


def _find_distinguishing(
    readings: Sequence[Recipe], groups: Sequence[Sequence[int]], used: Sequence[str]
) -> list[dict[str, str]]:
    """For each group of readings that make one package, the values that tell it from the others."""
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
        told = [{name: _find_value(readings[group[0]], name) for name in names} for group in groups]
        if len({tuple(one.items()) for one in told}) == len(groups):
            break
    return told


def _find_value(recipe: Recipe, name: str) -> str:
    return recipe.platform.python if name == "python" else recipe.variant.get(name, "")


def _python_sort_key(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split(".") if part.isdecimal())


def _find_used_variants(recipe: Recipe) -> set[str]:
    """The names of variants that a recipe may depend on, as it was read."""
    names = {_find_variant(recipe, name) for name in recipe.names_used}
    return names.union(*(find_open_names(recipe, output) for output in recipe.outputs))


def _find_variant(recipe: Recipe, name: str) -> str:
    """The variant behind a name of Jinja or selectors: `py` asks for python, `np` for numpy."""
    if recipe.platform.is_python_dependent(frozenset([name])):
        return "python"
    return "numpy" if name == "np" else name


def find_open_names(recipe: Recipe, output: Output) -> set[str]:
    """What an output leaves to the variants: requirements without a version, compilers, `$name`."""
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
    bare = any(line.text == "python" for line in (*needs.build, *needs.host, *needs.run))
    if not output.build.noarch and (bare or recipe.uses_python):
        names.add("python")
    return names


def make_fingerprint(recipe: Recipe, output: Output, above: tuple[str, ...] = ()) -> str:
    """The same text for outputs that make the same package, whatever combination they are of."""
    asked = {name: _find_value(recipe, name) for name in sorted(find_open_names(recipe, output))}
    said = [_to_plain(output, recipe), _to_plain(recipe.sources, recipe), asked]
    siblings = {one.name: one for one in recipe.outputs}
    for line in (*output.requirements.run, *output.requirements.constrained):
        call = recipe.calls.find_call(line.text)
        pinned = siblings.get(call.name) if call and call.function == "pin_subpackage" else None
        if pinned is None or pinned.name in (output.name, *above):
            continue
        exact = call is not None and call.exact
        deeper = (*above, output.name)
        said.append(make_fingerprint(recipe, pinned, deeper) if exact else pinned.version)
    return repr(said)


def _to_plain(value: object, recipe: Recipe) -> object:
    """A value without its places in the file, and with calls in the place of their signs."""
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
