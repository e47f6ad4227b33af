"""Lists of requirements in files: requirements.txt, environment.yml, pyproject.toml, lock files.

Only what comes from an index is read: no URL, no folder, no package of conda that is not Python's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from twofold.errors import BadFile
from twofold.names import normalize_name
from twofold.names.conda_forge import find_pypi_names

#: A line of requirements.txt that names a further file.
_INCLUDED = re.compile(r"\s*(?:-r\s*|--requirement[ =]\s*)(\S+)")

#: Packages of an environment.yml that are not projects of an index.
_NOT_PROJECTS = {
    "python",
    "conda",
    "mamba",
    "nodejs",
    "compilers",
    "cxx-compiler",
    "make",
    "cmake",
    "pip",
}


def read_requirements(path: Path) -> list[str]:
    """Return the requirements in a file, by its name, with markers. Raises BadFile, OSError."""
    text = path.read_text(encoding="utf-8-sig")
    read = _read_lines
    if path.name == "uv.lock":
        read = _read_uv_lock
    elif path.suffix == ".toml":
        read = _read_pyproject
    elif path.name == "pixi.lock":
        read = _read_pixi_lock
    elif path.suffix in (".yml", ".yaml"):
        read = _read_environment
    else:
        text = "\n".join(_read_included(path, {path.resolve()}))
    try:
        return list(dict.fromkeys(read(text)))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadFile(f"cannot be read: {error}", "correct it first", str(path)) from error


def _read_included(path: Path, seen: set[Path]) -> Iterable[str]:
    """Yield the lines of a requirements.txt, and those of the files that it names."""
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        found = _INCLUDED.match(line)
        if found is None or "://" in found[1]:
            yield line
            continue
        named = (path.parent / found[1]).resolve()
        if named not in seen:
            seen.add(named)
            yield from _read_included(named, seen)


def _read_lines(text: str) -> Iterable[str]:
    lines = text.replace("\\\n", " ").splitlines()
    plain = (line.partition(" #")[0].partition(" --")[0].strip() for line in lines)
    return _keep_named(line for line in plain if line and not line.startswith(("#", "-")))


def drop_markers(requirements: Iterable[str]) -> list[str]:
    """Return one requirement of each project, for every target.

    One that has several, for several targets, is named without a version.
    """
    found: dict[str, Requirement] = {}
    for requirement in map(Requirement, requirements):
        requirement.marker = None
        known = found.setdefault(normalize_name(requirement.name), requirement)
        if known.specifier != requirement.specifier:
            known.specifier = SpecifierSet()
        known.extras |= requirement.extras
    return list(map(str, found.values()))


def _keep_named(lines: Iterable[str]) -> Iterable[str]:
    """Yield requirements, but for URLs and folders."""
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            if "/" in line or line.startswith("."):
                continue
            raise ValueError(f"{line[:100]!a} is not a requirement: {error}") from None
        if requirement.url is None:
            yield str(requirement)


def _read_pyproject(text: str) -> Iterable[str]:
    project = tomllib.loads(text).get("project", {})
    return _keep_named(project.get("dependencies", []))


def _read_uv_lock(text: str) -> Iterable[str]:
    for package in tomllib.loads(text).get("package", []):
        if "registry" in package.get("source", {}):
            found = Requirement(f"{normalize_name(package['name'])}=={package['version']}")
            if forks := package.get("resolution-markers"):
                found.marker = Marker(" or ".join(f"({fork})" for fork in forks))
            yield str(found)


def _read_pixi_lock(text: str) -> Iterable[str]:
    for package in _load_yaml(text).get("packages") or []:
        is_pypi = "pypi" in package or package.get("kind") == "pypi"
        if is_pypi and package.get("name") and package.get("version"):
            yield f"{normalize_name(package['name'])}=={package['version']}"


def _read_environment(text: str) -> Iterable[str]:
    for item in _load_yaml(text).get("dependencies") or []:
        if isinstance(item, dict):
            yield from _read_lines("\n".join(map(str, item.get("pip") or [])))
        else:
            yield from _convert_match_spec(str(item))


def _convert_match_spec(spec: str) -> Iterable[str]:
    """Yield the project of a MatchSpec, with its version where both worlds write it alike."""
    plain = spec.rpartition("::")[2].strip().lower()
    found = re.fullmatch(r"([a-z0-9][a-z0-9._-]*)\s*(.*)", plain)
    if found is None or found[1] in _NOT_PROJECTS:
        return
    known = find_pypi_names([found[1]])
    name = normalize_name(known[0] if known else found[1])
    exact = re.fullmatch(r"(={0,2})\s*([0-9][0-9a-z.]*)(\s*=.*|\s+\S+)?", found[2])
    if exact is not None:
        is_open = exact[1] == "=" and not exact[3]  # 'spam=1.2' is any 1.2
        yield f"{name}=={exact[2]}{'.*' if is_open else ''}"
        return
    try:
        yield f"{name}{SpecifierSet(found[2])}"
    except InvalidSpecifier:
        yield name


def _load_yaml(text: str) -> Any:
    import yaml

    load: Callable[[str], Any] = yaml.safe_load
    try:
        value = load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):
        raise TypeError("it is not a table")
    return value
