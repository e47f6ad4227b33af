"""What a recipe's build script does: only install Python code, or more than that.

`pip install .` and `setup.py install` in their usual spellings are recognised, with what shells
need around them. A script that asks for the network is refused whatever else it does: a package
whose content comes from there cannot be built again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twofold.errors import Problem
from twofold.recipe.model import Line

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
#: Lines of shells that say how to run, not what to build.
_SHELL = re.compile(
    r"#.*|set\s+[-+][a-z]+(\s+pipefail)?|@?echo\b.*|@?setlocal|rem\b.*|::.*|exit(\s+/b)?\s+\d+|"
    r"if\s+(not\s+)?(errorlevel|%errorlevel%)\s*(neq|geq|!=)?\s*\d+\s+exit(\s+/b)?(\s+\S+)?|"
    r"cd\s+(/d\s+)?[\"']?(\$\{?SRC_DIR\}?|%SRC_DIR%)[\"']?",
    re.IGNORECASE,
)
#: Into a folder of the source, which only says where the project lies.
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
    re.compile(r"\bpip3?\s+install\b.*\s(-r|--requirement|git\+\S+|https?:\S+)"),
)
_PIP_INSTALL = re.compile(r"\bpip3?\s+install\s+(?P<words>[^;&|]*)")


@dataclass(frozen=True, slots=True)
class InstallCommand:
    """The script only installs the Python project in `folder` (below the source, '.' mostly)."""

    folder: str


def parse_python_install(script: Sequence[Line]) -> InstallCommand | None:
    """What a script installs when that is all it does, else None."""
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
    """The lines of a script that ask for the network, each as a problem."""
    problems = []
    for line in script:
        if line.text.startswith("#"):
            continue
        if any(form.search(line.text) for form in _NETWORK) or _is_install_by_name(line.text):
            problems.append(
                Problem(
                    f"the script asks for the network: {line.text[:100]}",
                    "name files under source with their sha256, packages under requirements",
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
    """The commands of a script: continued lines joined, `&&` and `;` taken apart."""
    text = re.sub(r"[\\^]\n\s*", " ", "\n".join(line.text for line in script))
    parts = re.split(r"\n|&&|;", text)
    return [part.strip() for part in parts if part.strip()]


def _parse_install(command: str, folder: str) -> InstallCommand | None:
    """`folder` is where the shell is."""
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
