"""Find the outputs of a recipe.yaml that `build/skip` leaves out on a platform.

rattler-build's command leaves them out; py-rattler-build renders and builds them all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.recipe.model import DeferredCalls
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.v1_expressions import UnsupportedRecipe, V1Renderer
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree
from twofold.recipe.request import Environ, Platform


def is_skipped(path: Path, name: str, variant: Mapping[str, str], subdir: str) -> bool:
    """Whether the output `name` is skipped with the values of a variant.

    A condition that cannot be evaluated here skips nothing.
    """
    text = read_recipe_text(path)
    if "skip" not in text:
        return False
    platform = Platform(subdir, variant.get("python") or Platform.current().python)
    context = ReadContext(path.parent, (path.parent,), platform, Environ({}), variant=variant)
    renderer = V1Renderer(context, DeferredCalls(), path.name, text)
    tree = read_tree(text, path.name, remarks=[])
    try:
        for key, value in variant.items():
            renderer.environment.globals.setdefault(key, value)
        if own := tree.get("context"):
            renderer.add_context(own)
        return any(_holds(renderer, one) for one in _list_conditions(renderer, tree, name))
    except (UnsupportedRecipe, TwofoldError):
        return False


def _list_conditions(renderer: V1Renderer, tree: Node, name: str) -> Iterator[Node]:
    """Yield the conditions of the whole recipe and of one output."""
    outputs = tree.get("outputs")
    for part in (tree, *(outputs.items() if outputs else ())):
        package, build = part.get("package"), part.get("build")
        named = package.get("name") if package else None
        text = named.value if part is not tree and named else None
        if isinstance(text, str) and renderer.render_text(text, part).lower() != name:
            continue
        skip = build.get("skip") if build else None
        yield from skip.items() if skip else ()


def _holds(renderer: V1Renderer, node: Node) -> bool:
    if not isinstance(node.value, str):
        return False
    if "${{" in node.value:
        return renderer.render_text(node.value, node).strip().lower() == "true"
    return renderer.evaluate_condition(node)
