"""Read, write and build conda recipes.

`build_recipe` corresponds to `conda build .`: it reads meta.yaml (or recipe.yaml), builds its
outputs and leaves the packages in a folder that is itself a channel. The caller provides a
function of the type `BuildWheel`, which builds a Python project's wheel.

    wheel = build_wheel(source, out)     source: folder of the project; out: an empty folder
    request = RecipeRequest(build_wheel, environment=os.environ, report=print)
    artifacts = build_recipe(folder, request)

`write.from_project.write_recipe` is the other direction: it writes the recipe of a project.
"""

from __future__ import annotations

from twofold.recipe.building.recipe_folder import build_recipe, find_recipe
from twofold.recipe.request import BuildWheel, RecipeRequest

__all__ = ["BuildWheel", "RecipeRequest", "build_recipe", "find_recipe"]
