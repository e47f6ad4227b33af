"""`twofold init`: write the pyproject.toml of existing code."""

from __future__ import annotations

import argparse
import difflib
import shutil
import tempfile
import warnings
from pathlib import Path

from twofold.cli.shown_paths import shorten_path
from twofold.cli.terminal import Parser, note, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.errors import TwofoldError
    from twofold.new.migrate import Difference, MigrationPlan, MigrationTools, RecipeFacts

#: Folders beside the code that no build reads.
_LEFT_OUT = (".tox", ".nox", ".venv", "venv", "node_modules", "dist", "build")
#: The files of one kind that are shown.
_MOST_FILES = 20
_STATIC = "--static runs nothing, and lists what it could not read"


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold init`."""
    found = Parser(
        "init",
        "Write the pyproject.toml of existing code, from setup.py, setup.cfg, poetry's and\n"
        "flit's tables, requirements.txt, meta.yaml, environment.yml or the modules' imports.",
        "What cannot be expressed there is listed. The old files are kept.",
    )
    found.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH")
    found.add_argument("--dry-run", action="store_true", help="show what would be written")
    found.add_argument(
        "--verify",
        action="store_true",
        help="build the wheel with the old and the new backend and print every difference",
    )
    found.add_argument(
        "--static", action="store_true", help="run no code of the project, not even its backend"
    )
    found.add_argument(
        "--env", type=Path, metavar="DIR", help="the environment to look imports up in"
    )
    return found.with_json()


def run(args: argparse.Namespace) -> int:
    """Run `twofold init`; returns the exit code."""
    from twofold.errors import ProjectErrors, TwofoldError
    from twofold.new.migrate import plan_migration

    with tempfile.TemporaryDirectory(prefix="twofold-init-") as kept:
        built = _OldWheel(args.path, Path(kept))
        adoption = plan_migration(args.path, tools(None if args.static else built, args.env))
        if args.verify and adoption.is_bare:
            raise TwofoldError(
                "this project had no earlier build: only its code exists",
                "run 'twofold init' without --verify, then 'twofold build --list'",
            )
        differences = _verify(built, adoption) if args.verify and not adoption.problems else None
    if not adoption.problems and not args.dry_run:
        _require_buildable(args.path, adoption)
    before = adoption.path.read_text(encoding="utf-8") if adoption.path.is_file() else ""
    is_written = not args.dry_run and not adoption.problems
    if is_written:
        _write(adoption)
    if args.json and not adoption.problems:
        print_json(_as_json(is_written, adoption, differences))
    elif not args.json:
        _show(is_written, adoption, before, differences)
    if adoption.problems:
        note("the new pyproject.toml would have mistakes from the old files, so it is not written;")
        note("correct them there:")
        raise ProjectErrors(list(adoption.problems))
    return 0


def tools(build: Callable[[], Path] | None, environment: Path | None) -> MigrationTools:
    """The tools of adoption: builds, recipes, and the active environment."""
    from twofold.cli.deps import choose_environment
    from twofold.new.migrate import MigrationTools

    return MigrationTools(build, _read_recipe, choose_environment(environment))


class _OldWheel:
    """A wheel by the project's own backend, built once from a copy: builds leave files."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.project = project
        self.folder = folder
        self.path: Path | None = None
        self.error: TwofoldError | None = None

    def __call__(self) -> Path:
        if self.error is not None:
            raise self.error
        if self.path is None:
            from twofold.errors import TwofoldError

            try:
                self.path = self._build()
            except TwofoldError as error:
                self.error = error
                raise
        return self.path

    def _build(self) -> Path:
        from twofold.building.isolation import BuildEnvironment
        from twofold.building.pep517 import read_build_system
        from twofold.errors import SubprocessFailed

        note(f"building {self.project.resolve().name} with its own backend ...")
        copy = _copy(self.project, self.folder / "old")
        if not (copy / "pyproject.toml").exists() and not (copy / "setup.py").exists():
            # What setuptools does with a setup.cfg alone.
            (copy / "setup.py").write_text("from setuptools import setup\n\nsetup()\n", "utf-8")
        requires, backend, paths = _read_older_system(copy) or read_build_system(copy)
        environment = BuildEnvironment.create(self.folder / "environment", copy)
        environment.install(requires)
        hooks = environment.hooks(copy, backend, paths)
        with warnings.catch_warnings():
            # What the old backend thinks of its settings; they are being replaced.
            warnings.simplefilter("ignore")
            try:
                environment.install(hooks.get_requires("wheel"))
                return hooks.build("wheel", self.folder / "wheel")
            except SubprocessFailed as error:
                message, output = error.problems[0].message, error.output
                raise SubprocessFailed(
                    message, f"{error.problems[0].hint}; {_STATIC}", "", output
                ) from error


def _read_older_system(project: Path) -> tuple[list[str], str, list[str]] | None:
    """Return the backend of a project whose tables name it, though [build-system] does not."""
    from twofold_build.pyproject import read_document

    if not (project / "pyproject.toml").exists():
        return None
    _, document = read_document(project)
    tool = document.get("tool", {})
    if "build-system" in document:
        return None
    if "poetry" in tool:
        return ["poetry-core"], "poetry.core.masonry.api", []
    return (["flit_core"], "flit_core.buildapi", []) if "flit" in tool else None


def _copy(project: Path, target: Path) -> Path:
    def left_out(folder: str, names: list[str]) -> list[str]:
        here = Path(folder)
        is_top = here == project
        return [
            n
            for n in names
            if is_top and n in _LEFT_OUT and not (here / n / "__init__.py").exists()
        ]

    return Path(shutil.copytree(project, target, symlinks=True, ignore=left_out))


def _read_recipe(path: Path) -> RecipeFacts:
    """Read the recipe's first output, for this platform."""
    from twofold.new.migrate import RecipeFacts
    from twofold.recipe import RecipeRequest
    from twofold.recipe.building.recipe_folder import read_for_request

    with tempfile.TemporaryDirectory(prefix="twofold-init-") as work:
        folder = Path(work)
        request = RecipeRequest(lambda project, _: _OldWheel(project, folder)())
        recipe = read_for_request(path, request, folder)
    output = recipe.outputs[0]
    maintainers = recipe.extra.get("recipe-maintainers", ())
    return RecipeFacts(
        name=output.name,
        version=output.version,
        run=[line.text for line in output.requirements.run],
        entry_points=[line.text for line in output.build.entry_points],
        about={k: ", ".join(text.text for text in texts) for k, texts in output.about.items()},
        maintainers=[str(name) for name in maintainers] if isinstance(maintainers, list) else (),
    )


def _verify(old: _OldWheel, adoption: MigrationPlan) -> list[Difference]:
    from twofold.new.migrate import compare_wheels
    from twofold_build.build import write_artifacts
    from twofold_build.plan import make_plan
    from twofold_build.wheel import format_wheel_filename, make_wheel_writer

    before = old()
    copy = _copy(old.project, old.folder / "new")
    (copy / "pyproject.toml").write_text(adoption.text, encoding="utf-8", newline="\n")
    note("building it with twofold-build ...")
    built = old.folder / "built"
    planned = make_plan(copy)
    write_artifacts(planned, [], [make_wheel_writer(str(built), planned)])
    return compare_wheels(before, built / format_wheel_filename(planned.project.file_stem))


def _require_buildable(root: Path, adoption: MigrationPlan) -> None:
    """Raise ProjectErrors for what would stop the builds of the new pyproject.toml."""
    from twofold.building.options import stop_at_errors
    from twofold.check import find_build_errors
    from twofold.errors import ProjectErrors
    from twofold_build.plan import make_plan

    planned = make_plan(root, adoption.text)
    errors = find_build_errors(root, planned.project, planned.selection)
    try:
        stop_at_errors(errors, lambda _: None)
    except ProjectErrors:
        note("'twofold build' would refuse this project, so no pyproject.toml is written;")
        note("mend it, or leave the rule out by [tool.twofold.check] in pyproject.toml:")
        raise


def _as_json(
    is_written: bool, adoption: MigrationPlan, differences: list[Difference] | None
) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "path": str(adoption.path),
        "name": adoption.name,
        "sources": list(adoption.sources),
        "text": adoption.text,
        "lost": [asdict(one) for one in adoption.dropped],
        "remarks": list(adoption.remarks),
        "differences": None if differences is None else [asdict(one) for one in differences],
        "files": None if adoption.packed is None else asdict(adoption.packed),
        "written": is_written,
    }


def _write(adoption: MigrationPlan) -> None:
    beside = adoption.path.with_name(".pyproject.toml.twofold")
    try:
        beside.write_text(adoption.text, encoding="utf-8", newline=_line_end(adoption.path))
        beside.replace(adoption.path)
    finally:
        beside.unlink(missing_ok=True)


def _line_end(path: Path) -> str:
    """The line ending of the existing file."""
    return "\r\n" if path.is_file() and b"\r\n" in path.read_bytes() else "\n"


def _show(
    is_written: bool,
    adoption: MigrationPlan,
    before: str,
    differences: list[Difference] | None,
) -> None:
    target = shorten_path(adoption.path)
    if not is_written:
        lines = difflib.unified_diff(
            before.splitlines(keepends=True),
            adoption.text.splitlines(keepends=True),
            f"{target} (now)",
            f"{target} (adopted)",
        )
        print("".join(lines), end="")
    else:
        print(
            f"wrote {target} for {adoption.name}, from {', '.join(adoption.sources) or 'the code'}"
        )
    for remark in adoption.remarks:
        note(f"note: {remark}")
    if adoption.dropped:
        print("not carried over:")
        for one in adoption.dropped:
            print(f"  {one}")
    if adoption.packed and differences is None:
        _show_files("packed by the old backend only", adoption.packed.gone)
        _show_files("packed from now on, too", adoption.packed.added)
    if differences is not None:
        real = [one for one in differences if not one.same]
        form = [one for one in differences if one.same]
        print(f"the old and the new wheel: {len(real)} difference(s), {len(form)} in form only")
        for difference in [*real, *form]:
            print(f"  {difference}")


def _show_files(title: str, names: tuple[str, ...]) -> None:
    """Print the first names of a list of files, and how many more there are."""
    if names:
        print(f"{title}:")
        for name in names[:_MOST_FILES]:
            print(f"  {name}")
        if names[_MOST_FILES:]:
            print(f"  and {len(names) - _MOST_FILES} more (--json lists them)")
