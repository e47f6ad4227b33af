"""Choose how each output of a recipe is built.

INSTALL   the script only installs a Python project, or there is a project without a script
EMPTY     no files: a package that only requires others
HOST      anything else: a host environment, compilers, commands of its own

`pip install .` and `setup.py install` in their usual spellings are recognised, with the shell
lines usually around them. A script that uses the network is refused unless that is allowed: such a
package may not be built again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.read.jinja_modules import BUILD_FOLDER
from twofold.recipe.read.meta_yaml import is_project

_PYTHONS = re.compile(
    r"(?:\$\{?PYTHON\}?|%PYTHON%|(?:\$\{?PREFIX\}?/bin/|%PREFIX%\\)?python(?:3(?:\.\d+)?)?(?:\.exe)?)"
)
_PIPS = frozenset({"pip", "pip3", "$PREFIX/bin/pip", "${PREFIX}/bin/pip"})
_HERE = re.compile(r"(?:\.|\$\{?SRC_DIR\}?|%SRC_DIR%)(?:[/\\][\w./\\-]*)?")
#: Options of pip that change nothing once twofold builds the wheel and lays down its files.
_PIP_FLAGS = frozenset(
    str.split(
        "-v -vv -vvv --verbose -q --quiet --no-deps --no-dependencies --ignore-installed -I "
        "--no-build-isolation --no-cache-dir --no-cache --disable-pip-version-check --use-pep517 "
        "--no-use-pep517 --no-index --isolated --force-reinstall --no-warn-script-location -U "
        "--upgrade --no-compile --root-user-action=ignore --no-clean"
    )
)
_SETUP_FLAGS = re.compile(
    r"--(single-version-externally-managed|old-and-unmanageable|no-user-cfg|record(=\S+)?|"
    r"root(=/?)?|prefix=\S+|no-compile|optimize=\d)|record\.txt|/"
)
#: Lines that configure the shell and build nothing.
_SHELL = re.compile(
    r"#.*|set\s+[-+][a-z]+(\s+pipefail)?|@?echo\b.*|@?setlocal|rem\b.*|::.*|exit(\s+/b)?\s+\d+|"
    r"if\s+(not\s+)?(errorlevel|%errorlevel%)\s*+(neq|geq|!=)?\s*+\d+\s+exit(\s+/b)?(\s+\S+)?|"
    r"cd\s+(/d\s+)?[\"']?(\$\{?SRC_DIR\}?|%SRC_DIR%)[\"']?",
    re.IGNORECASE,
)
#: Changes into a folder of the source: it only locates the project.
_BELOW = re.compile(
    r"(?:cd|pushd)\s+(?:/d\s+)?[\"']?(?P<root>(?:\$\{?SRC_DIR\}?|%SRC_DIR%)[/\\])?"
    r"(?P<folder>[\w.][\w./\\-]*)[\"']?",
    re.IGNORECASE,
)
_NETWORK = (
    re.compile(r"\b(curl|wget|aria2c|Invoke-WebRequest|scp|rsync)\b"),
    re.compile(r"\bgit\s+(clone|fetch|pull|submodule)\b"),
    re.compile(r"\b(conda|mamba|micromamba|npm|yarn|pnpm|gem|apt|apt-get|brew)\s+(install|add)\b"),
    re.compile(r"\bpip3?\s+(download|wheel)\b"),
    # Up to the next one alone, so that each is read once.
    re.compile(
        r"\bpip3?\s+install\b(?:(?!pip3?\s+install).)*?\s(-r|--requirement|git\+\S|https?:\S)"
    ),
)
_PIP_INSTALL = re.compile(r"\bpip3?\s+install\s+(?P<words>[^;&|]*)")


@dataclass(frozen=True, slots=True)
class InstallCommand:
    """The script only installs the Python project in `folder` (below the source, '.' mostly)."""

    folder: str


def parse_python_install(script: Sequence[Line]) -> InstallCommand | None:
    """Parse a script that only installs a Python project; None for any other."""
    found: list[InstallCommand] = []
    folder = "."
    for command in _split_commands(script):
        below = _BELOW.fullmatch(command)
        if _SHELL.fullmatch(command):
            folder = "." if command.startswith("cd") else folder
        elif below and not found:
            absolute = below["root"] is not None
            folder = _join_folder("." if absolute else folder, below["folder"])
        else:
            install = _parse_install(command, folder)
            if install is None:
                return None
            found.append(install)
    return found[0] if len(found) == 1 and ".." not in found[0].folder.split("/") else None


def _join_folder(folder: str, below: str) -> str:
    parts = [part for part in f"{folder}/{below}".replace("\\", "/").split("/") if part != "."]
    return "/".join(part for part in parts if part) or "."


def find_network_use(script: Iterable[Line], file: str) -> list[Problem]:
    """Find the lines of a script that use the network, each as a problem."""
    problems = []
    for line in script:
        if line.text.lstrip().startswith("#"):
            continue
        if any(form.search(line.text) for form in _NETWORK) or _is_install_by_name(line.text):
            problems.append(
                Problem(
                    f"the script uses the network: {line.text[:100]}",
                    "name files under source with their sha256, packages under requirements; or "
                    "allow it with --allow-network",
                    line.where(file),
                )
            )
    return problems


def _is_install_by_name(text: str) -> bool:
    found = _PIP_INSTALL.search(text)
    if not found:
        return False
    words = [word for word in _split_words(found.group("words")) or [] if not word.startswith("-")]
    return any(re.fullmatch(r"[A-Za-z][\w.-]*([=<>!~\[].*)?", word) for word in words)


def _split_commands(script: Sequence[Line]) -> list[str]:
    """Split a script into commands: join continued lines, split `&&` and `;`."""
    text = re.sub(r"[\\^]\n\s*", " ", "\n".join(line.text for line in script))
    parts = re.split(r"\n|&&|;", text)
    return [part.strip() for part in parts if part.strip()]


def _parse_install(command: str, folder: str) -> InstallCommand | None:
    """Parse an install command; `folder` is the current folder of the shell."""
    words = _split_words(command)
    if not words:
        return None
    first, rest = words[0], words[1:]
    if _PYTHONS.fullmatch(first):
        if rest[:2] == ["-m", "pip"]:
            return _parse_pip(rest[2:], folder)
        if rest[:2] == ["setup.py", "install"] and all(map(_SETUP_FLAGS.fullmatch, rest[2:])):
            return InstallCommand(folder)
        return None
    return _parse_pip(rest, folder) if first in _PIPS else None


def _parse_pip(arguments: list[str], here: str) -> InstallCommand | None:
    if "install" not in arguments:
        return None
    arguments = [word for word in arguments if word != "install"]
    places = [word for word in arguments if word not in _PIP_FLAGS]
    if len(places) != 1 or not _HERE.fullmatch(places[0]):
        return None
    below = re.sub(r"^(\.|\$\{?SRC_DIR\}?|%SRC_DIR%)[/\\]?", "", places[0])
    return InstallCommand(_join_folder(here if places[0].startswith(".") else ".", below))


def _split_words(command: str) -> list[str] | None:
    try:
        # Backslashes are a Windows script's path signs, not escapes.
        return shlex.split(command.replace("\\", "\\\\"), comments=True)
    except ValueError:
        return None


#: Calls that only a solver in a host environment can answer.
_NEEDS_HOST = frozenset({"compiler", "stdlib", "cdt", "pin_compatible"})


class BuildMethod(Enum):
    """How an output is built; see the module's docstring."""

    INSTALL = auto()
    EMPTY = auto()
    HOST = auto()


@dataclass(frozen=True, slots=True)
class OutputBuild:
    """An output with its build method; `folder` is its Python project's folder below the source."""

    output: Output
    method: BuildMethod
    folder: str = "."


def choose_methods(recipe: Recipe, allow_network: bool = False) -> list[OutputBuild]:
    """Choose the methods of all outputs that are not skipped.

    When one needs a host, all are built there, for they may need one another. Raises
    ProjectErrors for scripts that use the network, unless that is allowed, and for a recipe that
    describes no package.
    """
    problems: list[Problem] = []
    chosen = []
    for output in recipe.outputs:
        if output.build.skip:
            continue
        if not allow_network:
            problems += find_network_use(output.build.script, recipe.path.name)
        problems += _find_link_scripts(recipe, output)
        method = _choose_method(recipe, output)
        if method is None:
            problems.append(_nothing_to_build(recipe, output))
        else:
            chosen.append(method)
    if problems:
        raise ProjectErrors(problems)
    if any(one.method is BuildMethod.HOST for one in chosen):
        return [OutputBuild(one.output, BuildMethod.HOST) for one in chosen]
    return chosen


def _find_link_scripts(recipe: Recipe, output: Output) -> list[Problem]:
    """Find scripts beside meta.yaml that conda-build would put into the package by their names."""
    if recipe.is_v1:
        return []
    prefix = f"{output.name}-" if output.is_split else ""
    names = [
        f"{prefix}{when}{ending}"
        for when in ("pre-link", "post-link", "pre-unlink")
        for ending in (".sh", ".bat")
    ]
    return [
        Problem(
            f"conda-build packages {name} as a link script, twofold does not",
            "remove it, or build this recipe with conda-build",
            f"{recipe.path.name}:{output.line}: {output.name}",
        )
        for name in names
        if (recipe.folder / name).is_file()
    ]


def _choose_method(recipe: Recipe, output: Output) -> OutputBuild | None:
    needs = output.requirements
    lines = (*needs.build, *needs.host, *needs.run, *needs.constrained)
    functions = {call.function for line in lines if (call := recipe.calls.find_call(line.text))}
    if functions & _NEEDS_HOST or output.files or _has_host_license(output):
        return OutputBuild(output, BuildMethod.HOST)
    if output.build.script:
        install = parse_python_install(output.build.script)
        if install is None or output.build.script_env or recipe.platform.is_python_2:
            return OutputBuild(output, BuildMethod.HOST)
        return OutputBuild(output, BuildMethod.INSTALL, install.folder)
    if output.is_split:
        return OutputBuild(output, BuildMethod.EMPTY)
    if _has_project(recipe):
        return OutputBuild(output, BuildMethod.INSTALL)
    # Without a source and a script a package has no files, as for conda-build.
    is_meta = output.build.noarch == "generic" or not (recipe.sources or _has_modules(recipe))
    return OutputBuild(output, BuildMethod.EMPTY) if is_meta else None


def _has_modules(recipe: Recipe) -> bool:
    """Whether Python modules are beside the recipe, which its author may mean to package."""
    found = [*recipe.folder.glob("*.py"), *recipe.folder.glob("*/__init__.py")]
    return any(path.name != "run_test.py" for path in found)


def _has_host_license(output: Output) -> bool:
    """Whether a licence is a file of the host: R's packages name one that r-base brings."""
    found = [BUILD_FOLDER.match(line.text) for line in output.license_files]
    return any(below and below["name"] == "PREFIX" for below in found)


def _has_project(recipe: Recipe) -> bool:
    """Whether the source is a Python project; assumed true for remote sources."""
    if not recipe.sources:
        return is_project(recipe.folder)
    first = recipe.sources[0]
    path = recipe.folder / first.location.text
    return is_project(path) if first.kind == "path" and path.is_dir() else True


def _nothing_to_build(recipe: Recipe, output: Output) -> Problem:
    return Problem(
        f"{output.name} has no script and no Python project in its source or beside the recipe",
        "add a pyproject.toml, or 'source: path:' to its folder; for a package without files "
        "write 'noarch: generic' under build",
        f"{recipe.path.name}:{output.line}: {'outputs' if output.is_split else 'package'}",
    )


def find_project_folder(recipe: Recipe, source: Path | None, chosen: OutputBuild) -> Path:
    """Find the Python project an output installs. Raises ProjectErrors if there is none."""
    root = source or recipe.folder
    folder = root / chosen.folder
    if not is_project(folder):
        script = chosen.output.build.script
        where = script[0].where(recipe.path.name) if script else f"{recipe.path.name}: source"
        message = f"no Python project in {chosen.folder} of the source"
        hint = "add pyproject.toml or setup.py, or check source/path"
        raise ProjectErrors([Problem(message, hint, where)])
    return folder
