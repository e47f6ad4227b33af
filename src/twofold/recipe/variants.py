"""Names that a recipe takes for granted: conda_build_config.yaml beside it, and python_min.

conda-forge's recipes say `python {{ python_min }}` and set it nowhere: its pinning does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.calls import Surroundings
from twofold.recipe.rendering import recipe_text
from twofold.recipe.selectors import select_lines
from twofold.recipe.tree import Node, read_tree

NAME = "conda_build_config.yaml"
#: conda-forge's pinning since the autumn of 2025.
PYTHON_MIN = "3.10"


class Variants(NamedTuple):
    """`values` by name, the first of each; `several` names that have more than one."""

    values: Mapping[str, str]
    several: frozenset[str] = frozenset()


def read_variants(path: Path, around: Surroundings) -> Variants:
    """The variants beside a recipe, for the platform in `around`. Raises ProjectErrors."""
    file = path.parent / NAME
    if not file.is_file():
        return Variants({"python_min": PYTHON_MIN})
    mistakes: list[Problem] = []
    selected = select_lines(recipe_text(file), around.platform, around.environ, mistakes, NAME)
    if mistakes:
        raise ProjectErrors(mistakes)
    numbers = [number for number, _ in selected.lines]
    tree = read_tree(
        "\n".join(text for _, text in selected.lines),
        NAME,
        lambda line: numbers[min(line, len(numbers) - 1)] if numbers else 1,
    )
    known = tree.value if isinstance(tree.value, dict) else {}
    found = {name: _texts(node) for name, node in known.items() if name.isidentifier()}
    values = {name: texts[0] for name, texts in found.items() if texts}
    several = frozenset(name for name, texts in found.items() if len(set(texts)) > 1)
    return Variants({"python_min": PYTHON_MIN, **values}, several)


def _texts(node: Node) -> list[str]:
    return [part.value for part in node.items() if isinstance(part.value, str)]
