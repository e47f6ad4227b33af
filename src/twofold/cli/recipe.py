"""`twofold recipe [PROJECT]`: a conda recipe from what the project says already."""

from __future__ import annotations

import os
from pathlib import Path

from twofold.cli.terminal import Parser, note, result

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    made = Parser(
        "recipe",
        "Write the conda recipe of a project, ready for a submission to conda-forge. Without\n"
        "--sdist or --published it builds the project's own folder.",
        "'twofold build' needs no recipe; it builds one where it lies beside no other wish.",
    ).with_json()
    made.add_argument("project", nargs="?", type=Path, default=Path(), help="the project (.)")
    made.add_argument(
        "--format",
        choices=("meta.yaml", "recipe.yaml"),
        default="meta.yaml",
        help="conda-build's form, or the newer one of rattler-build (meta.yaml)",
    )
    made.add_argument("--out", type=Path, metavar="FILE", help="write it there (stdout)")
    made.add_argument("--sdist", type=Path, metavar="FILE", help="build from this sdist")
    made.add_argument("--url", default="", help="with --sdist: where others will fetch it")
    made.add_argument(
        "--published", action="store_true", help="build from the release on pip's index"
    )
    return made


def run(args: argparse.Namespace) -> int:
    from twofold.recipe.writing import WriteRequest, write_recipe

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
        result({"recipe": written.text, "out": out, "remarks": list(written.remarks)})
    elif args.out:
        print(args.out)
    else:
        print(written.text, end="")
    return 0


def build_wheel(source: Path, out: Path) -> Path:
    """The project's wheel through its own backend, for what a recipe asks of it."""
    from twofold.build.project import build_project
    from twofold.build.request import BuildRequest

    made = build_project(source, BuildRequest(("wheel",), out, tell=note))
    return Path(made.artifacts[0].path)


def _keep(path: Path, text: str) -> None:
    """Write a file beside its final name and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
