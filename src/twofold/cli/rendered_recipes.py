"""`twofold build --render-only`: print what recipes read as, and build nothing."""

from __future__ import annotations

from pathlib import Path

from twofold.cli.terminal import print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.building.options import BuildRequest
    from twofold.cli.recipe_options import RecipeOptions


def print_rendered(
    path: str, request: BuildRequest, options: RecipeOptions, *, as_json: bool
) -> int:
    """Print the recipe as it reads, for each platform, as YAML or JSON; returns the exit code."""
    if options.is_recipe_dir:
        from twofold.cli.recipe_dir import render_recipes

        packages = render_recipes(path, request, options)
    else:
        packages = _render(Path(path), request, options)
    if as_json:
        print_json({"packages": packages})
    else:
        from twofold.recipe.write.to_v1 import render_v1

        print("---\n".join(map(render_v1, packages)), end="")
    return 0


def _render(folder: Path, request: BuildRequest, options: RecipeOptions) -> list[dict[str, Any]]:
    from twofold.cli.recipe import build_wheel, make_requests, with_noarch_platforms
    from twofold.recipe.building.rendering import render_recipe

    def wheel_of(source: Path, target: Path) -> Path:
        return build_wheel(source, target, is_checked=False)

    options = with_noarch_platforms(folder, options, request.report)
    requests = make_requests(request, options, wheel_of, folder / "conda-bld")
    return [package for one in requests for package in render_recipe(folder, one)]
