"""A recipe as it travels in the packages built of it, under info/recipe.

meta.yaml, meta.yaml.template     as rendered, and as written (conda-build's form)
recipe.yaml, rendered_recipe.yaml as written, and as rendered (rattler-build's form)
build.sh, patches                 what the recipe names of the files beside it
"""

from __future__ import annotations

from pathlib import Path

from twofold.recipe.building.packaged import read_small_file
from twofold.recipe.model import Output, Recipe


def package_recipe_files(recipe: Recipe, output: Output) -> dict[str, bytes]:
    """Path under info/ -> bytes."""
    name = recipe.path.name
    if name == "recipe.yaml":
        files = {name: recipe.text.encode(), "rendered_recipe.yaml": recipe.rendered.encode()}
    else:
        files = {"meta.yaml": recipe.rendered.encode()}
        if recipe.rendered != recipe.text:
            files["meta.yaml.template"] = recipe.text.encode()
    patches = [line.text for source in recipe.sources for line in source.patches]
    for beside in filter(None, (output.build.script_file, *patches)):
        path = recipe.folder / beside
        if path.is_file():
            files[Path(beside).as_posix()] = read_small_file(path, name)
    return {f"recipe/{inner}": data for inner, data in files.items()}
