"""`twofold recipe [PROJECT]`: write a conda recipe from the project's metadata.

`build_folder` is `twofold build` for a folder with a recipe: the rooms of builds and recipes are
independent of each other, so the command line combines them.
"""

from __future__ import annotations

import os
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from twofold.building.options import BuildRequest, BuildResult


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold recipe`."""
    made = Parser(
        "recipe",
        "Write the conda recipe of a project, ready for a submission to conda-forge. Without\n"
        "--sdist or --published it builds the project's own folder.",
        "'twofold build' needs no recipe; if the folder has one, it builds the recipe.",
    ).with_json()
    made.add_argument("project", nargs="?", type=Path, default=Path(), help="the project (.)")
    made.add_argument(
        "--format",
        choices=("meta.yaml", "recipe.yaml"),
        default="meta.yaml",
        help="conda-build's form, or the newer one of rattler-build (meta.yaml)",
    )
    made.add_argument("--out", type=Path, metavar="FILE", help="the file to write (stdout)")
    made.add_argument("--sdist", type=Path, metavar="FILE", help="build from this sdist")
    made.add_argument("--url", default="", help="with --sdist: its public URL")
    made.add_argument(
        "--published", action="store_true", help="build from the release on pip's index"
    )
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold recipe`; returns the exit code."""
    from twofold.recipe.write.from_project import WriteRequest, write_recipe

    request = WriteRequest(
        build_wheel,
        args.format,
        args.out.parent if args.out else args.project,
        args.sdist,
        args.url,
        args.published,
        os.environ,
    )
    written = write_recipe(args.project, request)
    if args.out:
        _keep(args.out, written.text)
    for remark in written.remarks:
        note(f"note: {remark}")
    if args.json:
        out = str(args.out) if args.out else None
        print_json({"recipe": written.text, "out": out, "remarks": list(written.remarks)})
    elif args.out:
        print(args.out)
    else:
        print(written.text, end="")
    return 0


def build_wheel(source: Path, out: Path, *, is_checked: bool = True) -> Path:
    """Build the project's wheel with its own backend, for a recipe."""
    from twofold.building import build_project
    from twofold.building.options import BuildRequest

    request = BuildRequest(("wheel",), out, report=note, is_checked=is_checked)
    return Path(build_project(source, request).artifacts[0].path)


def build_folder(
    folder: Path,
    request: BuildRequest,
    channels: Sequence[str] = ("conda-forge",),
    variant_config: Sequence[str] = (),
) -> BuildResult:
    """Build a folder with a recipe.

    sdist and wheel come from the project in it, if there is one, and the conda packages from the
    recipe. `channels` are for recipes that need a host environment, `variant_config` are files in
    the form of conda_build_config.yaml.
    """
    import time

    from twofold.artifact import Kind
    from twofold.building import build_project, write_manifest
    from twofold.building.listing import hash_file, hash_sources
    from twofold.building.native import has_native_backend
    from twofold.building.options import BuildRequest, BuildResult, BuiltFile
    from twofold.recipe import RecipeRequest, build_recipe
    from twofold.recipe.read.meta_yaml import is_project

    started = time.perf_counter()
    out = Path(request.out if request.out is not None else folder)
    plain = tuple(kind for kind in request.kinds if not Kind(kind).is_conda)
    if plain and is_project(folder):
        result = build_project(
            folder, BuildRequest(plain, out, request.report, request.progress, request.backend)
        )
    else:
        result = BuildResult("", "", "the recipe")
    wheels = {folder.resolve(): Path(b.path) for b in result.artifacts if b.kind == "wheel"}

    def wheel_of(source: Path, target: Path) -> Path:
        # Another folder than the recipe's own holds a source that somebody else wrote.
        is_own = source.resolve() == folder.resolve()
        built = wheels.get(source.resolve())
        return built or build_wheel(source, target, is_checked=is_own)

    kinds = tuple(Kind(kind) for kind in request.kinds if Kind(kind).is_conda)
    packages = RecipeRequest(
        wheel_of,
        out / "conda-bld",
        kinds,
        tuple(channels),
        os.environ,
        tuple(map(Path, variant_config)),
        report=request.report,
    )
    for artifact in build_recipe(folder, packages) if kinds else ():
        built = BuiltFile(artifact.kind.value, str(artifact.path), artifact.sha256, artifact.size)
        result.artifacts.append(built)
        result.name, result.version = artifact.name, artifact.version
    made = [Path(built.path) for built in result.artifacts]
    sources = hash_sources(folder, made) if not has_native_backend(str(folder)) else {}
    sources |= {path.name: hash_file(path) for path in sorted(folder.iterdir()) if is_input(path)}
    write_manifest(str(out), result.artifacts, sources)
    result.seconds = time.perf_counter() - started
    return result


def is_input(path: Path) -> bool:
    """Whether a file in a recipe's folder may be a part of the recipe."""
    endings = (".yaml", ".yml", ".sh", ".bat", ".patch", ".diff")
    return path.is_file() and (path.suffix in endings or path.stem == "run_test")


def _keep(path: Path, text: str) -> None:
    """Write a file beside its final name and move it into place."""
    from twofold_build.atomic import write_atomically

    write_atomically(path, text.encode())
