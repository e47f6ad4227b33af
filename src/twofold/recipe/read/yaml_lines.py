"""YAML -> a tree that knows its lines. Scalars stay the text they are: a version 1.10 is '1.10'.

PyYAML composes the nodes; they are not made into Python objects by it, so no tag can run code
and no alias can grow (aliases and merges are refused: recipes do not need them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from twofold.errors import Problem, ProjectErrors

#: Far more than any recipe has.
MAX_NODES = 20_000
MAX_DEPTH = 40
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL_WORDS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a recipe: `value` is text, None, a list of nodes or a dict of them.

    `line` is its line in the file, `key` its path (`build/script`).
    """

    value: str | list[Node] | dict[str, Node] | None
    line: int
    key: str

    def get(self, name: str) -> Node | None:
        """The value under a name, None when it is absent or empty."""
        if not isinstance(self.value, dict):
            return None
        found = self.value.get(name)
        return None if found is None or found.value is None else found

    def items(self) -> Iterator[Node]:
        """The parts of a list; a single value counts as a list of one."""
        if isinstance(self.value, list):
            yield from self.value
        elif self.value is not None:
            yield self


def read_tree(text: str, file: str, origin: Callable[[int], int] = lambda line: line + 1) -> Node:
    """The document as a tree. `origin` maps a line of the text (from 0) to one of the file.

    Raises ProjectErrors with the line for what is no YAML, for aliases and for doubled keys.
    """
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            document = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}:{origin(mark.line)}" if mark else file
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = "check the indentation and the colons; quote values that begin with a sign"
        raise ProjectErrors([Problem(f"this is no valid YAML: {said}", hint, where)]) from error
    builder = _NodeBuilder(file, origin)
    tree = Node({}, 1, "") if document is None else builder.build_node(document, "")
    if builder.problems:
        raise ProjectErrors(builder.problems)
    return tree


def _check_depth(text: str) -> None:
    """Refuse what is nested deeply before anything recurs: PyYAML's C composer does unchecked."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.YAMLError("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _NodeBuilder:
    def __init__(self, file: str, origin: Callable[[int], int]) -> None:
        self.file = file
        self.origin = origin
        self.problems: list[Problem] = []
        self.seen: set[int] = set()

    def build_node(self, node: yaml.Node, key: str) -> Node:
        line = self.origin(node.start_mark.line)
        if id(node) in self.seen:
            self._add_problem("an alias (*name) is not allowed in a recipe", line, key)
            return Node(None, line, key)
        self.seen.add(id(node))
        if not node.tag.startswith("tag:yaml.org,2002:") or ":python/" in node.tag:
            self._add_problem("a tag (!name) is not allowed in a recipe", line, key)
        if len(self.seen) > MAX_NODES:
            raise ProjectErrors([Problem("the recipe has too many values", "", self.file)])
        if isinstance(node, yaml.ScalarNode):
            empty = node.style is None and node.value in _NULL_WORDS
            return Node(None if empty else node.value, line, key)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.build_node(part, key) for part in node.value], line, key)
        return Node(self._build_mapping(node, key), line, key)

    def _build_mapping(self, node: yaml.Node, key: str) -> dict[str, Node]:
        made: dict[str, Node] = {}
        for name, value in node.value:
            line = self.origin(name.start_mark.line)
            if not isinstance(name, yaml.ScalarNode):
                self._add_problem("a key must be a word", line, key)
                continue
            path = f"{key}/{name.value}" if key else name.value
            if name.value in made:
                self._add_problem(
                    f"'{name.value}' stands here a second time (first in line "
                    f"{made[name.value].line})",
                    line,
                    path,
                )
            made[name.value] = self.build_node(value, path)
        return made

    def _add_problem(self, message: str, line: int, key: str) -> None:
        place = f"{self.file}:{line}" + (f": {key}" if key else "")
        self.problems.append(Problem(message, "write it out, once", place))


def to_plain(node: Node) -> object:
    """The tree as dicts, lists and texts."""
    if isinstance(node.value, dict):
        return {name: to_plain(value) for name, value in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(value) for value in node.value]
    return node.value
