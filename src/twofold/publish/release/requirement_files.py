"""Raises what a project requires of another one, in every file that lists requirements.

pyproject.toml and pixi.toml, setup.cfg, setup.py, the requirements files that a build reads, conda
recipes and environment.yml. Which texts are requirements follows from the file's format; what they
become is decided in `member_requirements`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from packaging.version import Version

from twofold.names import normalize_name
from twofold.publish.release.member_requirements import (
    raise_in_document,
    raise_requirement,
    raise_specifiers,
)
from twofold.publish.release.python_versions import list_texts, parse_module
from twofold.publish.release.recipe_versions import list_recipes
from twofold.publish.release.version_place import look_up, parse_toml, read_text

#: A member, by its normalized name, and the version that others are to require.
Raised = tuple[str, Version]

#: Options of setup.cfg that list requirements; every option of the second section does.
_OPTIONS = ("install_requires", "setup_requires", "tests_require")
_EXTRAS = "options.extras_require"

#: `- name >=1.0` of a recipe or an environment, with quotes, a comment or a selector.
_SPEC = re.compile(
    r"""^(?P<head>[ \t]*-[ \t]+["']?(?:[\w./-]+::)?(?P<name>[\w.-]+))"""
    r"""(?P<specifiers>[ \t]*[ \t=<>!~][^"'#\r\n]*)""",
    re.M,
)

#: Specifiers of a template, or with a build string: it belongs to one version.
_IS_COMPUTED = re.compile(r"\{\{|[\d*][ =]+[\w*]")


def raise_in_files(folder: Path, name: str, version: str) -> Iterator[tuple[Path, str]]:
    """Yield each file of a project that changes, and its new text."""
    raised = normalize_name(name), Version(version)
    readers: list[tuple[Path, Callable[[Path, str, Raised], str]]] = [
        (folder / "pyproject.toml", _raise_in_toml),
        (folder / "pixi.toml", _raise_in_toml),
        (folder / "setup.cfg", _raise_in_config),
        (folder / "setup.py", _raise_in_code),
        *((path, _raise_in_requirements) for path in _list_requirement_files(folder)),
        *((path, _raise_in_yaml) for path in list_recipes(folder)),
        (folder / "environment.yml", _raise_in_yaml),
        (folder / "environment.yaml", _raise_in_yaml),
    ]
    for path, raise_in in readers:
        if path.is_file():
            text = read_text(path)
            after = raise_in(path, text, raised)
            if after != text:
                yield path, after


def _raise_in_toml(path: Path, text: str, raised: Raised) -> str:
    return raise_in_document(text, parse_toml(path, text), *raised)


def _raise_in_config(_path: Path, text: str, raised: Raised) -> str:
    """The lists of [options], and all of [options.extras_require]."""
    section = option = ""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        start = 0
        if header := re.match(r"\[([^\]\r\n]+)\]", line):
            section, option = header[1].strip(), ""
        elif key := re.match(r"([^\s#;=:][^=:\r\n]*)[=:]", line):
            option, start = key[1].strip().lower().replace("-", "_"), key.end()
        if section == _EXTRAS or (section == "options" and option in _OPTIONS):
            lines[number] = line[:start] + _raise_items(line[start:], raised)
    return "".join(lines)


def _raise_items(text: str, raised: Raised) -> str:
    """A requirement, which may have a marker, or several with `;` between them."""
    after = _raise_in_lines(text, raised)
    if after != text:
        return after
    return ";".join(_raise_in_lines(part, raised) for part in text.split(";"))


def _raise_in_code(path: Path, text: str, raised: Raised) -> str:
    """Strings of setup.py that are a requirement, or several, a line each."""
    module = parse_module(path)
    spans = {(p.start, p.end) for p in list_texts(path, module)} if module else set()
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + _raise_in_lines(text[start:end], raised) + text[end:]
    return text


def _raise_in_requirements(_path: Path, text: str, raised: Raised) -> str:
    return _raise_in_lines(text, raised)


def _raise_in_lines(text: str, raised: Raised) -> str:
    """A requirement a line, with a comment or pip's options after it."""
    lines = []
    for line in text.splitlines(keepends=True):
        start = len(line) - len(line.lstrip())
        after = re.search(r"\s(?:#|--|\\)", line[start:])
        written = line[start : start + after.start() if after else None].rstrip()
        if written and not written.startswith("#"):
            end = line[start + len(written) :]
            lines.append(line[:start] + raise_requirement(written, *raised) + end)
        else:
            lines.append(line)
    return "".join(lines)


def _raise_in_yaml(_path: Path, text: str, raised: Raised) -> str:
    """Match specs in lists; what a template computes, or a build string follows, stays."""
    name, version = raised

    def replace(match: re.Match[str]) -> str:
        specifiers = match["specifiers"]
        if normalize_name(match["name"]) != name or _IS_COMPUTED.search(specifiers):
            return match[0]
        return match["head"] + raise_specifiers(specifiers, version)

    return _SPEC.sub(replace, text)


def _list_requirement_files(folder: Path) -> list[Path]:
    """The requirements files of a build: setuptools' `file`, hatch-requirements-txt's, and those
    that setup.cfg and setup.py name."""
    names: list[str] = []
    pyproject = folder / "pyproject.toml"
    if pyproject.is_file():
        document = parse_toml(pyproject, read_text(pyproject))
        for keys in (("setuptools", "dynamic"), ("hatch", "metadata", "hooks", "requirements_txt")):
            names += _list_strings(look_up(document, ("tool", *keys)))
    for file in (folder / "setup.cfg", folder / "setup.py"):
        text = read_text(file) if file.is_file() else ""
        names += re.findall(r"[\w./-]+", text)
    paths = dict.fromkeys(folder / name for name in names if name.endswith((".txt", ".in")))
    own = folder.resolve()
    return [path for path in paths if path.is_file() and path.resolve().is_relative_to(own)]


def _list_strings(value: Any) -> Iterator[str]:
    """Every string in nested tables and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _list_strings(item)
