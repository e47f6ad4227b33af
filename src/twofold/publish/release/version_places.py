"""Where a project's version is written: by every backend, in recipes, lock files and citations.

The places that a build reads come from the backend's settings; `__version__`, recipes, lock files
and CITATION.cff repeat the version, and are changed with it where they have the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.names import normalize_name
from twofold.publish.release.native_versions import find_cargo_lock, find_native
from twofold.publish.release.python_versions import find_assigned
from twofold.publish.release.recipe_versions import find_in_recipe, find_in_recipes, list_recipes
from twofold.publish.release.setup_versions import (
    PackageFolders,
    find_in_setuptools_files,
    list_code_files,
)
from twofold.publish.release.version_place import (
    VersionPlace,
    compile_pattern,
    find_json,
    find_toml,
    get_table,
    get_text,
    get_texts,
    parse_toml,
    read_text,
    search,
)

#: hatchling's default pattern.
HATCH = re.compile(
    r"""(?i)^(?:__version__|VERSION)(?: ?: ?str)? *= *(['"])v?(?P<version>.+?)\1""", re.M
)

#: Requirements of a build that take the version from git tags.
SCM = {
    *("dunamai", "hatch-vcs", "poetry-dynamic-versioning", "setuptools-git-versioning"),
    *("setuptools-scm", "uv-dynamic-versioning", "vcs-versioning", "versioneer", "versioningit"),
}

CITATION = re.compile(r"""^version:[ \t]*["']?(?P<version>[^"'\s#]+)""", re.M)


@dataclass
class WrittenVersion:
    """A project's name, and the places its build reads the version from.

    `tag_prefix` is that of the git tags the version comes from; None if it is written.
    """

    name: str = ""
    places: list[VersionPlace] = field(default_factory=list)
    tag_prefix: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether neither a place nor tags were found yet."""
        return not self.places and self.tag_prefix is None

    @property
    def version(self) -> str:
        """The version as the build reads it; '' if it is written nowhere."""
        return self.places[0].version if self.places else ""


def find_version(root: Path) -> WrittenVersion:
    """Find the name and the version of a project of any backend, without running its code."""
    found = WrittenVersion()
    pyproject = root / "pyproject.toml"
    document = parse_toml(pyproject, read_text(pyproject)) if pyproject.is_file() else {}
    tool = get_table(document, "tool")
    found.name = get_text(document, "project", "name") or get_text(tool, "poetry", "name")
    for keys in (("project", "version"), ("tool", "poetry", "version")):
        found.places += find_toml(pyproject, keys) if document else []
    folders = PackageFolders(root)
    folders.add(
        get_table(tool, "setuptools", "package-dir"),
        get_texts(tool, "setuptools", "packages", "find", "where"),
    )
    if document and not found.places:
        _read_backend_settings(root, found, tool, folders)
    if found.is_unknown:
        name, found.places = find_in_setuptools_files(root, folders)
        found.name = found.name or name
    if found.is_unknown:
        found.places = find_native(root, tool)
    if found.is_unknown and _is_from_scm(document, root):
        found.tag_prefix = "v"
    own = [recipe for recipe in list_recipes(root) if recipe.parent == root][:1]
    if found.is_unknown and own:  # a recipe without a Python project
        found.places = [*find_in_recipe(own[0])][:1]
        names = [place.version for place in find_in_recipe(own[0], "name")]
        found.name = found.name or (names[0] if names else "")
    return found


def _read_backend_settings(
    root: Path, found: WrittenVersion, tool: dict[str, Any], folders: PackageFolders
) -> None:
    """The settings of twofold, hatch, pdm, flit and setuptools about a dynamic version."""
    twofold, pdm = get_table(tool, "twofold", "version"), get_table(tool, "pdm", "version")
    hatch = get_table(tool, "hatch", "version")
    if (root / "hatch.toml").is_file():
        file = root / "hatch.toml"
        hatch = get_table(parse_toml(file, read_text(file)), "version") or hatch
    if twofold.get("from") == "git":
        found.tag_prefix = get_text(twofold, "tag-prefix") if "tag-prefix" in twofold else "v"
    elif hatch.get("source") == "vcs" or pdm.get("source") == "scm" or "setuptools_scm" in tool:
        found.tag_prefix = "v"
    elif twofold:
        path = get_text(twofold, "path")
        found.places += _find_dunders([root / path] if path else list_code_files(root))[:1]
    elif hatch:
        found.places += _find_hatch(root, hatch)
    elif path := get_text(pdm, "path"):
        found.places += _find_dunders([root / path])
    if not found.places:
        dynamic = get_table(tool, "setuptools", "dynamic", "version")
        attr, files = get_text(dynamic, "attr"), get_texts(dynamic, "file")
        found.places += folders.find_reference(attr, files)
    _read_flit(found, get_table(tool, "flit"), folders)


def _find_hatch(root: Path, hatch: dict[str, Any]) -> list[VersionPlace]:
    """hatchling's sources `regex` and `code`, and `nodejs` of hatch-nodejs-version."""
    path = get_text(hatch, "path")
    if hatch.get("source") == "nodejs":
        return find_json(root / (path or "package.json"), ["version"], "semver")
    if not path or not (root / path).is_file():
        return []
    if hatch.get("source") == "code":
        return find_assigned(root / path, get_text(hatch, "expression") or "__version__")
    pattern = get_text(hatch, "pattern")
    compiled = compile_pattern(pattern) if pattern else HATCH
    return search([root / path], compiled) if compiled else []


def _read_flit(found: WrittenVersion, flit: dict[str, Any], folders: PackageFolders) -> None:
    module = get_text(flit, "module", "name") or get_text(flit, "metadata", "module")
    found.name = found.name or get_text(flit, "metadata", "dist-name") or module
    if found.is_unknown:
        module = module or found.name.replace("-", "_")
        found.places += folders.find_attribute(module, "__version__")


def _find_dunders(files: Iterable[Path]) -> list[VersionPlace]:
    """The `__version__` of each file that has one."""
    return [
        place
        for path in files
        if path.is_file()
        for place in find_assigned(path, "__version__", steps=0)
    ]


def _is_from_scm(document: dict[str, Any], root: Path) -> bool:
    requires = get_texts(document, "build-system", "requires")
    names = {normalize_name(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in requires}
    setup = root / "setup.py"
    text = read_text(setup) if setup.is_file() else ""
    return bool(names & SCM) or "use_scm_version" in text or "versioneer" in text


def find_copies(root: Path, found: WrittenVersion, versions: tuple[str, str]) -> list[VersionPlace]:
    """The places that repeat the version, old or already new: code, recipes, citation."""
    read = {(place.path, place.start) for place in found.places}
    return [
        place
        for place in _list_repetitions(root, found)
        if (place.path, place.start) not in read and (place.is_own or place.version in versions)
    ]


def _list_repetitions(root: Path, found: WrittenVersion) -> Iterator[VersionPlace]:
    yield from _find_dunders(list_code_files(root))
    yield from search([root / "CITATION.cff"], CITATION)
    for name, key in (
        ("codemeta.json", "version"),
        ("codemeta.json", "softwareVersion"),
        (".zenodo.json", "version"),
    ):
        yield from find_json(root / name, [key])
    for folder in ("doc", "docs", "doc/source", "docs/source"):
        conf = root / folder / "conf.py"
        for name in ("release", "version"):  # Sphinx
            yield from find_assigned(conf, name, steps=0) if conf.is_file() else ()
    pixi = root / "pixi.toml"
    for table in ("workspace", "project", "package"):
        yield from find_toml(pixi, (table, "version")) if pixi.is_file() else ()
    pyproject = root / "pyproject.toml"
    if pyproject.is_file():
        for keys in (
            ("tool", "pixi", "workspace", "version"),
            ("tool", "pixi", "project", "version"),
            ("tool", "pixi", "package", "version"),
            ("tool", "commitizen", "version"),
            ("tool", "bumpversion", "current_version"),
        ):
            yield from find_toml(pyproject, keys)
    yield from find_cargo_lock(found.places)
    yield from find_in_recipes(root)
