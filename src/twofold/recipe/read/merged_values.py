"""Merge the values that several variant files give, as conda-build does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from twofold.errors import Problem
from twofold.recipe.read.yaml_lines import Node


class MergedValues:
    """The values of several files, merged as conda-build does.

    A later file's values replace earlier ones. Of names that change together a file may give some
    only: as many values as before replace them, fewer choose among them. To `extended` names each
    file adds its values.
    """

    def __init__(
        self,
        values: Mapping[str, tuple[str, ...]],
        zipped: Mapping[tuple[str, ...], str],
        problems: list[Problem],
        extended: Collection[str] = (),
    ) -> None:
        self._extended = extended
        self.values = dict(values)
        self.locations = dict.fromkeys(values, "")
        self._zipped = zipped
        self._problems = problems

    @property
    def zipped(self) -> tuple[tuple[str, ...], ...]:
        """The groups of names that change together, without names that have no value."""
        return tuple(tuple(name for name in g if name in self.values) for g in self._zipped)

    def add(
        self, texts: Mapping[str, tuple[str, ...]], file: str, tree: Mapping[str, Node]
    ) -> None:
        """Add the values of one file."""
        for name, own in texts.items():
            group = next((one for one in self._zipped if name in one), (name,))
            known = [self.values[one] for one in group if one in self.values]
            known += [texts[one] for one in group if one in texts]
            where = f"{file}:{tree[name].line}: {name}"
            if name in self._extended:
                both = (*self.values.get(name, ()), *own)
                self.values[name], self.locations[name] = tuple(dict.fromkeys(both)), where
                continue
            is_whole = all(one in texts for one in group) or name not in self.values
            if is_whole or all(len(one) == len(own) for one in known):
                self.values[name], self.locations[name] = own, where
            elif missing := [text for text in own if text not in self.values[name]]:
                others = ", ".join(one for one in group if one not in texts)
                message = f"{name} changes together with {others}, and {missing[0]} is new to it"
                hint = "choose among the earlier values, or give all of these names their values"
                self._problems.append(Problem(message, hint, where))
            elif len({len(self.values[one]) for one in group if one in self.values}) == 1:
                kept = [n for n, text in enumerate(self.values[name]) if text in own]
                for one in group:
                    if one in self.values:
                        self.values[one] = tuple(self.values[one][n] for n in kept)
            # Else check_sizes reports that the earlier files' values do not match one another.

    def take_lists(self) -> dict[str, tuple[str, ...]]:
        """Take the extended names out of the values, but for those that change with others."""
        zipped = {name for group in self.zipped for name in group}
        taken = [name for name in self.values if name in self._extended and name not in zipped]
        return {name: self.values.pop(name) for name in taken}

    def check_sizes(self) -> None:
        """Add a problem for each group whose names have different numbers of values."""
        for group, where in zip(self.zipped, self._zipped.values(), strict=True):
            if len({len(self.values[name]) for name in group}) > 1:
                counts = ", ".join(f"{name} has {len(self.values[name])}" for name in group)
                self._problems.append(
                    Problem(
                        f"names that change together have different numbers of values: {counts}",
                        "give each of them a value for every combination",
                        where,
                    )
                )


def merge_zip_keys(
    files: Sequence[tuple[str, Mapping[str, Node]]], problems: list[Problem]
) -> dict[tuple[str, ...], str]:
    """Collect the groups of all files, and where each is.

    A later file's group takes the place of earlier ones that share a name with it.
    """
    merged: dict[tuple[str, ...], str] = {}
    for file, tree in files:
        node = tree.get("zip_keys")
        if node is None or node.value is None:
            continue
        where = f"{file}:{node.line}: zip_keys"
        groups = _read_zip_keys(node, where, problems)
        own = Counter(name for group in groups for name in set(group))
        merged = {group: place for group, place in merged.items() if not own.keys() & set(group)}
        merged |= dict.fromkeys(groups, where)
        twice = sorted(name for name, count in own.items() if count > 1)
        if twice:
            message = f"{', '.join(twice)} is in more than one list"
            problems.append(Problem(message, "name it in one of them", where))
    return merged


def read_texts(node: Node, where: str, problems: list[Problem]) -> tuple[str, ...]:
    """Read a value or a list of them; what is no text is a problem."""
    texts = [part.value for part in node.items()]
    if all(isinstance(text, str) for text in texts):
        return tuple(text for text in texts if isinstance(text, str))
    hint = "write values alone; use a selector such as # [win] to limit one"
    problems.append(Problem("a value is not text", hint, where))
    return ()


def _read_zip_keys(node: Node, where: str, problems: list[Problem]) -> tuple[tuple[str, ...], ...]:
    """Read zip_keys: a list of lists of names, or one such list."""
    parts = list(node.items())
    lists = [part for part in parts if isinstance(part.value, list)]
    groups = [read_texts(part, where, problems) for part in lists or [node]]
    if lists and len(lists) < len(parts):
        problems.append(Problem("names and lists of names are mixed", "write only lists", where))
    return tuple(groups)
