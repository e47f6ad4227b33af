"""conda recipes, in and out.

`build_recipe` does what `conda build .` is expected to do: it reads meta.yaml (or recipe.yaml),
builds what it describes and leaves the packages in a folder that is itself a channel. How a
Python project becomes a wheel is the caller's: it gives a function of the shape `BuildWheel`.

    wheel = build_wheel(source, out)     source: folder of the project; out: an empty folder
    artifacts = build_recipe(folder, RecipeRequest(build_wheel, environment=os.environ, say=note))

`writing.write_recipe` goes the other way: a project becomes meta.yaml or recipe.yaml.
"""

from __future__ import annotations

from twofold.recipe.building.recipe_folder import build_recipe, find_recipe
from twofold.recipe.request import BuildWheel, RecipeRequest

__all__ = ["BuildWheel", "RecipeRequest", "build_recipe", "find_recipe"]
