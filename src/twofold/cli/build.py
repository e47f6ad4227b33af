"""`twofold build [PATH]`: the sdist, the wheel and the conda package."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from twofold.building.options import BackendOptions, BuildRequest, BuildResult
    from twofold.cli.recipe_options import RecipeOptions


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold build`."""
    import argparse

    from twofold.cli.backend_options import add_backend_options
    from twofold.cli.recipe_options import add_recipe_options
    from twofold.cli.terminal import Parser

    made = Parser(
        "build",
        "Build the sdist and the wheel into dist/ and the conda package into conda-bld/, which\n"
        "is a channel.",
    ).with_json()
    made.add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="the project, or an sdist (.)"
    )
    made.add_argument("--out", metavar="DIR", help="where dist/ and conda-bld/ are put (PATH)")
    made.add_argument(
        "--only", metavar="KINDS", help="a comma-separated list of sdist,wheel,conda,tar.bz2"
    )
    for kind, short in (("sdist", ["-s"]), ("wheel", ["-w"]), ("conda", [])):
        made.add_argument(
            *short,
            f"--{kind}",
            action="append_const",
            dest="kinds",
            const=kind,
            default=[],
            help=f"build the {kind}; may be combined",
        )
    made.add_argument("-o", "--outdir", "--out-dir", dest="outdir", help=argparse.SUPPRESS)
    made.add_argument(
        "--list",
        action="store_true",
        help="write nothing; list each file, and why it is included or excluded",
    )
    add_backend_options(made)
    add_recipe_options(made)
    return made


class Arguments:
    """Arguments of a simple command line, parsed without argparse."""

    def __init__(self) -> None:
        self.path = "."
        self.out: str | None = None
        self.only: str | None = None
        self.list = False
        self.json = False
        self.kinds: list[str] = []
        self.outdir: str | None = None
        self.config_settings: list[str] = []
        self.no_isolation = False
        self.skip_dependency_check = False
        self.force_pep517 = False
        self.python = ""
        self.build_constraints: list[str] = []
        self.allow_network = False
        self.channel: list[str] = []
        self.recipe_dir = False
        self.render_only = False
        self.target_platform: list[str] = []
        self.variant_config: list[str] = []


def quick(words: list[str]) -> Arguments | None:
    """Parse a simple command line; None leaves it to argparse.

    The import of argparse takes as long as building a small project.
    """
    args = Arguments()
    seen_path = False
    rest = iter(words)
    for word in rest:
        if word in ("--out", "--only"):
            value = next(rest, "")
            if not value or value.startswith("-"):
                return None
            setattr(args, word[2:], value)
        elif word in ("--list", "--json"):
            setattr(args, word[2:], True)
        elif word in ("--sdist", "--wheel", "--conda"):
            args.kinds.append(word[2:])
        elif word.startswith("-") or seen_path:
            return None
        else:
            args.path = word
            seen_path = True
    return args


def run(args: argparse.Namespace | Arguments) -> int:
    """Run `twofold build`; returns the exit code."""
    from twofold.building.options import BuildRequest

    if args.outdir is not None:
        from twofold.errors import UsageError

        raise UsageError(
            "--outdir is not supported: output goes to two folders, dist/ and conda-bld/",
            f"pass --out {args.outdir} to create both there",
        )
    kinds = _kinds(args.only, args.kinds)
    backend = _backend_options(args)
    if args.list:
        return _list(args.path, BuildRequest(kinds, report=_note, backend=backend), args.json)
    request = BuildRequest(kinds, args.out, _note, _progress(), backend)
    options = None
    if not isinstance(args, Arguments):
        from twofold.cli.recipe_options import read_recipe_options

        options = read_recipe_options(args)
    if options is not None and options.is_render_only:
        from twofold.cli.rendered_recipes import print_rendered

        return print_rendered(args.path, request, options, as_json=args.json)
    made = build_path(args.path, request, options)
    if args.json:
        from twofold.cli.terminal import print_json

        print_json(_as_json(made))
        return 0
    from twofold.cli.shown_paths import shorten_path

    shown = [(shorten_path(built.path), _size(built.size)) for built in made.artifacts]
    width = max((len(path) for path, _ in shown), default=0)
    for path, size in shown:
        print(f"{path:<{width}}  {size}")
    if made.backend != "twofold_build":  # whose steps take too little time to print
        for what, seconds in made.steps:
            _note(f"{seconds:6.2f} s  {what}")
    _note(f"{made.name} {made.version} by {made.backend} in {made.seconds:.2f} s")
    return 0


#: The files of a conda recipe.
RECIPES = ("meta.yaml", "meta.yml", "recipe.yaml")


def build_path(
    path: str,
    request: BuildRequest,
    options: RecipeOptions | None = None,
) -> BuildResult:
    """Build a project; with a recipe in the folder, as `conda build .` would.

    The one door for every command that builds a user's folder.
    """
    if options is not None and options.is_recipe_dir:
        from twofold.cli.recipe_dir import build_recipes

        return build_recipes(path, request, options)
    if any(os.path.exists(os.path.join(path, name)) for name in RECIPES):  # noqa: PTH110,PTH118
        from pathlib import Path

        from twofold.cli.recipe import build_folder

        return build_folder(Path(path), request, options)
    if not os.path.exists(os.path.join(path, "pyproject.toml")):  # noqa: PTH110,PTH118
        from pathlib import Path

        from twofold.cli.recipe_dir import check_recipes_below

        check_recipes_below(Path(path))
    if options is not None and (option := options.find_option()):
        from twofold.errors import UsageError

        raise UsageError(f"{option} is for recipes, and this folder has none", "remove the option")
    from twofold.building import build_project

    return build_project(path, request)


def require_current(project: str) -> None:
    """Raise TwofoldError if the project has moved on since its last build.

    A folder without a project, such as a copy of dist/ in CI, has nothing to compare.
    """
    from pathlib import Path

    from twofold.building.listing import find_changes
    from twofold.errors import TwofoldError

    names = ("pyproject.toml", "setup.py", "setup.cfg", "meta.yaml", "recipe.yaml")
    is_project = any((Path(project) / name).exists() for name in names)
    changes = find_changes(Path(project)) if is_project else []
    if changes:
        more = f", and {len(changes) - 3} more" if len(changes) > 3 else ""
        raise TwofoldError(
            f"the project has changed since its last build: {'; '.join(changes[:3])}{more}",
            "run 'twofold build' first; or name the files (dist/*) to take them as they are",
        )


def _kinds(only: str | None, named: list[str]) -> tuple[str, ...] | None:
    """The kinds to build: those of `--only` and of the options --sdist, --wheel, --conda."""
    from twofold.building.options import KINDS
    from twofold.errors import UsageError

    if only is None and not named:
        return None
    wanted = [word.strip() for word in (only or "").split(",") if word.strip()]
    for word in wanted:
        if word not in KINDS:
            raise UsageError(f"--only: there is no kind '{word}'", f"choose: {', '.join(KINDS)}")
    if not wanted and not named:
        raise UsageError("--only needs at least one kind", f"choose: {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in wanted or kind in named)


def _backend_options(args: argparse.Namespace | Arguments) -> BackendOptions:
    """How another backend is run, by the options of the command line."""
    from twofold.building.options import BackendOptions
    from twofold.errors import UsageError

    settings: dict[str, str | list[str]] = {}
    for word in args.config_settings:
        key, _, value = word.partition("=")
        if not key:
            raise UsageError(f"--config-setting '{word}' has no key", "write -C KEY=VALUE")
        known = settings.get(key)
        before = known if isinstance(known, list) else [] if known is None else [known]
        settings[key] = [*before, value] if before else value
    if args.skip_dependency_check and not args.no_isolation:
        from twofold.errors import UsageError

        raise UsageError(
            "--skip-dependency-check is for a build without isolation", "add --no-isolation"
        )
    made = BackendOptions(settings, not args.no_isolation, args.python, args.build_constraints)
    made.needs_requires = not args.skip_dependency_check
    made.is_by_hooks = args.force_pep517
    return made


def _list(path: str, request: BuildRequest, as_json: bool) -> int:
    from twofold.building.listing import list_project

    listing = list_project(path, request)
    if as_json:
        from twofold.cli.terminal import print_json

        print_json(
            {
                "artifacts": {
                    name: [{"path": p, "size": size, "why": why} for p, size, why in entries]
                    for name, entries in listing.artifacts.items()
                },
                "left_out": [{"path": p, "why": why} for p, why in listing.left_out],
            }
        )
        return 0
    for name, entries in listing.artifacts.items():
        print(f"{name}: {len(entries)} files")
        width = max((len(path) for path, _, _ in entries), default=0)
        for path, size, why in entries:
            print(f"  {path:<{width}}  {_size(size):>9}  {why}")
    if listing.left_out:
        print("left out:")
        width = max(len(path) for path, _ in listing.left_out)
        for path, why in listing.left_out:
            print(f"  {path:<{width}}  {why}")
    return 0


def _note(text: str) -> None:
    """Like terminal.note, without its import of argparse."""
    if not os.environ.get("TWOFOLD_QUIET"):
        print(text, file=sys.stderr, flush=True)


def _as_json(made: BuildResult) -> dict[str, object]:
    return {
        "name": made.name,
        "version": made.version,
        "backend": made.backend,
        "seconds": round(made.seconds, 4),
        "steps": [{"what": what, "seconds": round(seconds, 4)} for what, seconds in made.steps],
        "artifacts": [
            {"kind": b.kind, "path": b.path, "sha256": b.sha256, "size": b.size}
            for b in made.artifacts
        ],
    }


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def _progress() -> Callable[[int, int], None] | None:
    """Make a progress line; on a terminal only, after one second."""
    if not sys.stderr.isatty():
        return None
    import time

    started = shown = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        finished = done >= total
        if now - started < 1 or (now - shown < 0.1 and not finished):
            return
        shown = now
        text = "" if finished else f"{_size(done)} of {_size(total)}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return report
