"""Where a conda recipe has its version: in `package`, or in the variable that `package` names.

Read as text, since a meta.yaml is a template: lines keep their selectors, comments and quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from twofold.publish.release.version_place import VersionPlace, read_text

#: Lines of a mapping at the top before the one of a key.
_LINES = (
    r"""^["']?(?:SECTIONS)["']?:[^\n]*\n"""
    r"""(?:[ \t]+[^ \t\r\n][^\n]*\n|[ \t]*\r?\n|\#[^\n]*\n)*?"""
)
#: A mapping at the top, and a key in it: in lines of their own, or between braces.
_BLOCK = _LINES + r"""[ \t]+["']?KEY["']?:[ \t]*["']?(?P<value>[^"'\s{}$#]+)"""
_FLOW = (
    r"""^["']?(?:SECTIONS)["']?:[ \t]*\{(?:[^}\n]*,)?[ \t]*["']?KEY["']?:[ \t]*["']?"""
    r"""(?P<value>[^"'\s{}$#,]+)"""
)
#: A variable of Jinja.
_SET = r"""{%-?\s*set\s+KEY\s*=\s*(["'])(?P<value>[^"']+)\1"""

#: `version: {{ name }}` or `version: ${{ name }}` of the package.
_NAMED = re.compile(
    _LINES.replace("SECTIONS", "package|recipe")
    + r"""[ \t]+["']?version["']?:[ \t]*["']?\$?\{\{\s*(?P<name>[A-Za-z_]\w*)\s*\}\}["']?[ \t]*"""
    r"""(?:\#[^\n]*)?\r?$""",
    re.M,
)


def list_recipes(root: Path) -> list[Path]:
    """The recipes of a project, those beside it first."""
    folders = ("", "recipe", "conda", "conda.recipe", "conda-recipe")
    names = ("meta.yaml", "meta.yml", "recipe.yaml", "recipe.yml")
    files = (root / f / name for f in folders for name in names)
    return [file for file in files if file.is_file()]


def find_in_recipe(path: Path, key: str = "version") -> Iterator[VersionPlace]:
    """Where a recipe writes its version (or `name`): each variable or key once."""
    text = read_text(path)
    named = _NAMED.search(text) if key == "version" else None
    variables = dict.fromkeys([named["name"], key] if named else [key])
    forms = [_SET.replace("KEY", variable) for variable in variables]
    for sections, keys in (("context", variables), ("package|recipe", [key])):
        for form in (_BLOCK, _FLOW):
            forms += [form.replace("SECTIONS", sections).replace("KEY", one) for one in keys]
    seen = set()
    for form in forms:
        match = re.search(form, text, re.M)
        if match and match.start("value") not in seen:
            seen.add(match.start("value"))
            yield VersionPlace(path, text, *match.span("value"))


def find_in_recipes(root: Path) -> Iterator[VersionPlace]:
    """The versions of all recipes; the one beside the project, which is built, is its own."""
    for recipe in list_recipes(root):
        for place in find_in_recipe(recipe):
            yield replace(place, is_own=recipe.parent == root)
