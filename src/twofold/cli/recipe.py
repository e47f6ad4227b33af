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
    from collections.abc import Callable, Sequence

    from twofold.artifact import Artifact
    from twofold.building.options import BuildRequest, BuildResult
    from twofold.cli.recipe_options import RecipeOptions
    from twofold.recipe.request import BuildWheel, Platform, RecipeRequest


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


def build_wheel(
    source: Path, out: Path, further_requires: Sequence[str] = (), *, is_checked: bool = True
) -> Path:
    """Build the project's wheel with its own backend, for a recipe."""
    from twofold.building import build_project
    from twofold.building.options import BackendOptions, BuildRequest

    backend = BackendOptions(further_requires=further_requires)
    request = BuildRequest(("wheel",), out, report=note, backend=backend, is_checked=is_checked)
    return Path(build_project(source, request).artifacts[0].path)


def _build_foreign_wheel(source: Path, out: Path, requires: Sequence[str]) -> Path:
    """Build a wheel of a recipe's source, with further requirements of its backend."""
    return build_wheel(source, out, requires, is_checked=False)


def build_folder(
    folder: Path, request: BuildRequest, options: RecipeOptions | None = None
) -> BuildResult:
    """Build a folder with a recipe.

    sdist and wheel come from the project in it, if there is one, and the conda packages from the
    recipe.
    """
    import time

    from twofold.artifact import Kind
    from twofold.building import build_project, write_manifest
    from twofold.building.backends import has_native_backend
    from twofold.building.options import BuildRequest, BuildResult, BuiltFile
    from twofold.building.source_hashes import hash_file, hash_sources
    from twofold.cli.recipe_options import RecipeOptions
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

    options = with_noarch_platforms(folder, options or RecipeOptions(), request.report)
    requests = make_requests(request, options, wheel_of, out / "conda-bld")
    for artifact in build_for_targets(folder, requests):
        built = BuiltFile(artifact.kind.value, str(artifact.path), artifact.sha256, artifact.size)
        result.artifacts.append(built)
        result.name, result.version = artifact.name, artifact.version
    made = [Path(built.path) for built in result.artifacts]
    sources = hash_sources(folder, made) if not has_native_backend(str(folder)) else {}
    sources |= {path.name: hash_file(path) for path in sorted(folder.iterdir()) if is_input(path)}
    write_manifest(str(out), result.artifacts, sources)
    result.seconds = time.perf_counter() - started
    return result


def with_noarch_platforms(
    folder: Path, options: RecipeOptions, report: Callable[[str], None]
) -> RecipeOptions:
    """Take the platforms from conda-forge.yml, unless the command line names some.

    A noarch recipe whose selectors choose lines is built on each of `noarch_platforms`; the file is
    beside the recipe, or above the folder `recipe` of a feedstock.
    """
    from dataclasses import replace

    from twofold.recipe.building.recipe_folder import find_noarch_platforms

    if options.targets:
        return options
    targets = find_noarch_platforms(folder)
    if len(targets) > 1:
        report(f"conda-forge.yml: noarch_platforms: building for {', '.join(targets)}")
    return replace(options, targets=targets)


def make_requests(
    request: BuildRequest,
    options: RecipeOptions,
    wheel_of: BuildWheel,
    out: Path,
) -> list[RecipeRequest]:
    """Make a request for each platform; [] when no conda package is wanted."""
    from twofold.artifact import Kind
    from twofold.recipe.request import RecipeRequest

    kinds = tuple(Kind(kind) for kind in request.kinds if Kind(kind).is_conda)
    if not kinds:
        return []
    return [
        RecipeRequest(
            wheel_of,
            out,
            kinds,
            options.channels or ("conda-forge",),
            os.environ,
            tuple(Path(file) for file in options.variant_config if file != PINNING),
            _find_pinning(options),
            allow_network=options.allow_network,
            build_wheel_with=_build_foreign_wheel,
            platform=platform,
            report=request.report,
        )
        for platform in read_platforms(options.targets)
    ]


def read_platforms(targets: Sequence[str]) -> list[Platform]:
    """Read the subdirs to build for, `all` for those of conda-forge; none means this machine's."""
    from twofold.convert.markers import SUBDIRS
    from twofold.errors import UsageError
    from twofold.names.platforms import CONDA_FORGE
    from twofold.recipe.request import Platform

    own = Platform.current()
    named = CONDA_FORGE if tuple(targets) == ("all",) else targets
    for target in named:
        if target not in SUBDIRS:
            hint = f"choose: {', '.join(SUBDIRS)}; or 'all' for those of conda-forge"
            raise UsageError(f"there is no platform '{target}'", hint)
    return [Platform(target, own.python) for target in named or (own.subdir,)]


#: The name of conda-forge's pinning for --variant-config.
PINNING = "conda-forge"


def _find_pinning(options: RecipeOptions) -> tuple[Path, ...]:
    """Find conda-forge's pinning if it is asked for: in the environment, else in a channel."""
    if PINNING not in options.variant_config:
        return ()
    here = Path(os.environ.get("CONDA_PREFIX", ""), "conda_build_config.yaml")
    if os.environ.get("CONDA_PREFIX") and here.is_file():
        return (here,)
    from twofold.cache_dir import get_cache_dir
    from twofold.install.conda import install_into_prefix

    prefix = Path(get_cache_dir()) / "conda-forge-pinning"
    note("reading conda-forge's pinning from the package conda-forge-pinning")
    install_into_prefix(["conda-forge-pinning"], options.channels or (PINNING,), prefix)
    return (prefix / "conda_build_config.yaml",)


def build_for_targets(folder: Path, requests: Sequence[RecipeRequest]) -> list[Artifact]:
    """Build a recipe for each platform; a package that is the same for several comes once."""
    from twofold.errors import TwofoldError
    from twofold.recipe import build_recipe

    found: dict[Path, Artifact] = {}
    for request in requests:
        for artifact in build_recipe(folder, request):
            first = found.setdefault(artifact.path, artifact)
            if _index_without_time(first) != _index_without_time(artifact):
                artifact.path.unlink()
                raise TwofoldError(
                    f"{artifact.filename} for {request.platform.subdir} differs from the one for "
                    "another platform, and both have this name",
                    "give build/string a value for each platform, with selectors",
                    str(folder),
                )
            found[artifact.path] = artifact
    return list(found.values())


def _index_without_time(artifact: Artifact) -> dict[str, object]:
    import json

    index: dict[str, object] = json.loads(artifact.metadata)
    return {key: value for key, value in index.items() if key != "timestamp"}


def is_input(path: Path) -> bool:
    """Whether a file in a recipe's folder may be a part of the recipe."""
    endings = (".yaml", ".yml", ".sh", ".bat", ".patch", ".diff")
    return path.is_file() and (path.suffix in endings or path.stem == "run_test")


def _keep(path: Path, text: str) -> None:
    """Write a file beside its final name and move it into place."""
    from twofold_build.atomic import write_atomically

    write_atomically(path, text.encode())
