"""The options of `twofold build` for folders with recipes."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


@dataclass(frozen=True)
class RecipeOptions:
    """What the command line says about recipes.

    `channels` serve host environments, `variant_config` are files or 'conda-forge', `targets`
    subdirs.
    """

    channels: tuple[str, ...] = ()
    variant_config: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    allow_network: bool = False
    is_render_only: bool = False
    is_recipe_dir: bool = False

    def find_option(self) -> str:
        """Return an option that was given, '' if none was."""
        given = {
            "--channel": self.channels,
            "--variant-config": self.variant_config,
            "--target-platform": self.targets,
            "--allow-network": self.allow_network,
            "--render-only": self.is_render_only,
        }
        return next((option for option, value in given.items() if value), "")


def add_recipe_options(made: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `twofold build`."""
    made.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME|URL",
        help="a channel for a recipe's requirements; repeatable (conda-forge)",
    )
    made.add_argument(
        "--variant-config",
        action="append",
        default=[],
        metavar="FILE",
        help="a conda_build_config.yaml to read after the recipe's own; 'conda-forge' is its\n"
        "pinning, read before it; repeatable",
    )
    made.add_argument(
        "--target-platform",
        action="append",
        default=[],
        metavar="SUBDIR",
        help="build a recipe for this platform, such as win-64, or for 'all' of conda-forge;\n"
        "repeatable (noarch_platforms of conda-forge.yml, else this one)",
    )
    made.add_argument(
        "--render-only",
        action="store_true",
        help="build nothing; print how the recipe reads, and the packages it would make",
    )
    made.add_argument(
        "--allow-network", action="store_true", help="let a recipe's script use the network"
    )
    made.add_argument(
        "--recipe-dir",
        action="store_true",
        help="PATH holds many folders with recipes: build them all, in the order they need",
    )


def read_recipe_options(args: argparse.Namespace) -> RecipeOptions:
    """Read the options from a parsed command line."""
    return RecipeOptions(
        tuple(args.channel),
        tuple(args.variant_config),
        tuple(args.target_platform),
        args.allow_network,
        args.render_only,
        args.recipe_dir,
    )
