"""Whatever a recipe holds, reading it gives a recipe or a message, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipe.recipe_builder import RECIPES
from tests.recipe.summary import LINUX, summarize
from twofold.errors import TwofoldError
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.read.recipe_yaml import read_recipe_yaml
from twofold.recipe.read.v1_expressions import UnsupportedRecipe
from twofold.recipe.request import Environ
from twofold.recipe.write.to_v1 import render_v1, translate_recipe

LINES = sorted(
    {
        line
        for path in RECIPES.glob("*/meta.yaml")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
)
ODD = [
    "{{", "}}", "{%", "%}", "{#", "  - ", "?", ": :", "- - -", "&a", "*a", "<<: *a", "|", ">-", "'",
    "build:", "  script: [", "source:", "  - path: ~", "  url: []", "outputs:", "  - {}", "  -",
    "  - name: [a]", "test:", "  imports: {a: b}", "about: []", "extra: 1", "requirements: x",
    "  run: {a: b}", "package: []", "  name: {}", "# [", "# []", "x  # [py", "x  # [a[0]]", "\t",
    "{{ environ }}", "{{ load_file_data }}", "{{ compiler(1) }}", "{{ pin_subpackage() }}",
    "{{ load_file_data(1) }}", "{{ ''|join }}", "{{ ''|replace }}", "{{ 'a'.replace('a') }}",
    "{{ 'a'|replace('a') }}", "{{ [1]|join(1) }}", "{{ 1|join }}", "{{ none.x }}", "{{ [][0] }}",
    "{{ 'a'.format(*[]) }}", "{{ '{}'.format() }}", "{{ dict(1) }}", "{{ range('a') }}",
    "{{ namespace(1) }}", "{{ '%s' % () }}", "{{ 1 // 0 }}", "{{ -'a' }}", "{{ not_there }}",
    "{% for a in 1 %}{% endfor %}", "{% set a.b = 1 %}", "{{ loop }}", "{{ self }}", "{{ caller }}",
    "{{ 'a' < 1 }}", "{{ {}[[]] }}", "{{ 'ab'[::0] }}", "${{ x }}", "  - if: linux", "    then: a",
]  # fmt: skip
WHOLE = [path.read_text(encoding="utf-8").splitlines() for path in RECIPES.glob("*/meta.yaml")]


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A recipe of the corpus with a few lines replaced, added or dropped."""
    lines = list(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines)))
        lines[place : place + draw(st.integers(0, 2))] = draw(
            st.lists(st.sampled_from(LINES + ODD), max_size=1)
        )
    return "\n".join(lines)


TEXTS = st.one_of(
    changed(), st.lists(st.sampled_from(LINES + ODD), max_size=25).map("\n".join), st.text()
)


def around(path: Path) -> ReadContext:
    return ReadContext(path.parent, find_roots(path), LINUX, Environ({}))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_meta_yaml_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.yaml"
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        try:
            recipe = read_recipe(path, around(path))
            summarize(recipe)
            render_v1(translate_recipe(recipe, None, lambda _: None))
        except TwofoldError as error:
            assert error.problems[0].message


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_recipe_yaml_is_read_refused_or_left_to_rattler_build(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        try:
            summarize(read_recipe_yaml(path, around(path)))
        except TwofoldError as error:
            assert error.problems[0].message
        except UnsupportedRecipe as beyond:
            assert str(beyond)
