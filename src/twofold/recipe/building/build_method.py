"""How each output of a recipe is built: as Python code, as nothing but metadata, or in a host.

INSTALL   the script only installs a Python project, or there is none and a project is there
EMPTY     no files: a package that only requires others
HOST      anything else: a host environment, compilers, commands of its own
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.building.scripts import find_network_use, parse_python_install
from twofold.recipe.model import Output, Recipe
from twofold.recipe.read.meta_yaml import is_project

#: Calls that only a solver in a host environment can answer.
_NEEDS_HOST = frozenset({"compiler", "stdlib", "cdt", "pin_compatible"})


#: Tools of a build that put no requirement on what they build (conda-forge's run_exports);
#: Python's own is known from the wheel.
_NOTHING_EXPORTED = frozenset(
    str.split(
        "python python_abi pip setuptools wheel cython flit-core hatchling hatch-vcs poetry-core "
        "pdm-backend setuptools-scm setuptools_scm meson meson-python ninja cmake scikit-build "
        "scikit-build-core maturin setuptools-rust packaging pbr tomli versioneer twofold-build"
    )
)


class BuildMethod(Enum):
    """See the module's first lines."""

    INSTALL = auto()
    EMPTY = auto()
    HOST = auto()


@dataclass(frozen=True, slots=True)
class OutputBuild:
    """An output with its way; `folder` is where its Python project lies below the source."""

    output: Output
    method: BuildMethod
    folder: str = "."


def choose_methods(recipe: Recipe) -> list[OutputBuild]:
    """The ways of all outputs that are not skipped.

    When one needs a host, all are built there, for they may need one another. Raises
    ProjectErrors for what asks for the network and for a recipe that describes no package.
    """
    problems: list[Problem] = []
    chosen = []
    for output in recipe.outputs:
        if output.build.skip:
            continue
        problems += find_network_use(output.build.script, recipe.path.name)
        way = _choose_method(recipe, output)
        if way is None:
            problems.append(_nothing_to_build(recipe, output))
        else:
            chosen.append(way)
    if problems:
        raise ProjectErrors(problems)
    if any(one.method is BuildMethod.HOST for one in chosen):
        return [OutputBuild(one.output, BuildMethod.HOST) for one in chosen]
    return chosen


def _choose_method(recipe: Recipe, output: Output) -> OutputBuild | None:
    needs = output.requirements
    lines = (*needs.build, *needs.host, *needs.run, *needs.constrained)
    asked = {call.function for line in lines if (call := recipe.calls.find_call(line.text))}
    if asked & _NEEDS_HOST or output.files:
        return OutputBuild(output, BuildMethod.HOST)
    if output.build.script:
        install = parse_python_install(output.build.script)
        if install is None or output.build.script_env:
            return OutputBuild(output, BuildMethod.HOST)
        return OutputBuild(output, BuildMethod.INSTALL, install.folder)
    if output.is_split:
        return OutputBuild(output, BuildMethod.EMPTY)
    if _has_project(recipe):
        return OutputBuild(output, BuildMethod.INSTALL)
    return OutputBuild(output, BuildMethod.EMPTY) if output.build.noarch == "generic" else None


def find_exporting_host(output: Output) -> list[str]:
    """The packages of an output's host that may export requirements to compiled code."""
    needs = output.requirements
    ignored = {line.text for line in output.build.linking.get("ignore_run_exports_from", ())}
    names = [line.text.split()[0].rpartition("::")[2] for line in (*needs.build, *needs.host)]
    return [name for name in dict.fromkeys(names) if name not in _NOTHING_EXPORTED | ignored]


def _has_project(recipe: Recipe) -> bool:
    """Whether the source is a Python project; of what must be fetched it is taken for granted."""
    if not recipe.sources:
        return is_project(recipe.folder)
    first = recipe.sources[0]
    path = recipe.folder / first.location.text
    return is_project(path) if first.kind == "path" and path.is_dir() else True


def _nothing_to_build(recipe: Recipe, output: Output) -> Problem:
    return Problem(
        f"{output.name} has no script and no source, and no Python project lies beside the recipe",
        "add a pyproject.toml, or 'source: path:' to where it lies; for a package that only "
        "requires others write 'noarch: generic' under build",
        f"{recipe.path.name}:{output.line}: {'outputs' if output.is_split else 'package'}",
    )


def find_project_folder(recipe: Recipe, source: Path | None, chosen: OutputBuild) -> Path:
    """The Python project an output installs. Raises ProjectErrors where there is none."""
    root = source or recipe.folder
    folder = root / chosen.folder
    if not is_project(folder):
        script = chosen.output.build.script
        where = script[0].where(recipe.path.name) if script else f"{recipe.path.name}: source"
        message = f"no Python project lies in {chosen.folder} of the source"
        hint = "pyproject.toml or setup.py is looked for; check source/path"
        raise ProjectErrors([Problem(message, hint, where)])
    return folder
