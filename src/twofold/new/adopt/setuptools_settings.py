"""The settings of setuptools -> facts: one table for setup.py, setup.cfg and [tool.setuptools].

Keys are those of `setup()`; what setup.cfg spells otherwise is respelled by its reader.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from typing import Any

from twofold.new.adopt.facts import Facts, Requirement
from twofold.new.adopt.people import find_readme, keywords, offer_readme, people
from twofold.new.adopt.setup_py import Computed, FileText
from twofold.new.adopt.setuptools_files import FILE_HANDLERS, Source
from twofold_build import names

#: Has no effect on what is packed, or none that twofold-build needs to be told.
_NEEDLESS = (
    "include_package_data",
    "zip_safe",
    "namespace_packages",
    "long_description_content_type",
)
#: Arguments that are dicts, and those that may be.
_TABLES = ("project_urls", "extras_require", "package_dir", "package_data", "exclude_package_data")
_EITHER = ("version", "use_scm_version", "entry_points")
_NEEDS_A_COMPILER = ("ext_modules", "ext_package", "libraries", "cffi_modules", "rust_extensions")


def offer_settings(source: Source, arguments: Mapping[str, Any]) -> None:
    """Take over every argument; each ends in the facts, in `unread` or in `lost`."""
    left = {key: value for key, value in arguments.items() if value not in ("", [], {}, None)}
    _people_and_texts(source, left)
    for key, handle in _HANDLERS.items():
        if key in left:
            value = left.pop(key)
            if isinstance(value, Computed):
                _computed(source, key, value)
            elif isinstance(value, Mapping) != (key in _TABLES) and key not in _EITHER:
                source.facts.lose(
                    source.where(key), f"{key} = {value}", "not what setuptools takes"
                )
            else:
                handle(source, value)
    needless = [key for key in _NEEDLESS if left.pop(key, None) is not None]
    if needless:
        what = f"{source.file}: without effect in twofold-build, so left out: {', '.join(needless)}"
        source.facts.remarks.append(what)
    for key, value in left.items():
        hint = ""
        if key in _NEEDS_A_COMPILER:
            hint = "twofold-build packs pure Python: keep setuptools as the backend for this"
        text = source.texts.get(key) or str(value)
        shown = " ".join(text.split())
        source.facts.lose(source.where(key), f"{key} = {shown[:120]}", hint)


#: setup()'s key -> the [project] key that its own backend can tell.
_PROJECT_KEYS = {
    "name": "name",
    "version": "version",
    "description": "description",
    "license": "license",
    "url": "urls",
    "project_urls": "urls",
    "download_url": "urls",
    "keywords": "keywords",
    "classifiers": "classifiers",
    "python_requires": "requires-python",
    "install_requires": "dependencies",
    "extras_require": "optional-dependencies",
    "entry_points": "entry-points",
}


def _computed(source: Source, key: str, value: Computed) -> None:
    if key in _PROJECT_KEYS:
        source.facts.cannot_read(_PROJECT_KEYS[key], source.where(key))
    elif key in ("packages", "py_modules", "package_dir"):
        source.facts.cannot_read("packages", source.where(key))
    else:
        source.facts.lose(source.where(key), f"{key} = {' '.join(value.text.split())[:120]}")


def _people_and_texts(source: Source, left: dict[str, Any]) -> None:
    """The arguments that belong together: persons, the long description."""
    facts = source.facts
    for role, key in (("author", "authors"), ("maintainer", "maintainers")):
        given = (left.pop(role, ""), left.pop(f"{role}_email", ""))
        if all(isinstance(part, str) for part in given):
            facts.offer(key, people(*given), source.where(role))
        else:
            facts.cannot_read(key, source.where(role))
    text = left.pop("long_description", "")
    kind = left.pop("long_description_content_type", "")
    kind = kind if isinstance(kind, str) else ""
    where = source.where("long_description")
    if isinstance(text, FileText):
        offer_readme(facts, source.root, [text.name], where, kind)
    elif isinstance(text, list):
        offer_readme(facts, source.root, [str(name) for name in text], where, kind)
    elif isinstance(text, str) and text:
        name = find_readme(source.root, text)
        facts.offer("readme", name or {"text": text, "content-type": kind or "text/x-rst"}, where)
    elif isinstance(text, Computed):
        facts.cannot_read("readme", where)


def _plain(key: str) -> Callable[[Source, Any], None]:
    def handle(source: Source, value: Any) -> None:
        text = " ".join(str(value).split()) if key == "description" else str(value).strip()
        source.facts.offer(key, text, source.where(key))

    return handle


def _version(source: Source, value: Any) -> None:
    if isinstance(value, dict):
        # Where it is dynamic: {"from": "module", "path": ...}.
        source.facts.offer("version", value, source.where("version"))
        return
    if isinstance(value, FileText):
        value = (source.root / value.name).read_text(encoding="utf-8").strip()
        source.facts.remarks.append(f"the version {value} was read from a file: it stands in "
                                    "pyproject.toml now")  # fmt: skip
    if names.version_problem(str(value)):
        source.facts.cannot_read("version", source.where("version"))
        return
    source.facts.offer("version", str(value), source.where("version"))


def _licence(source: Source, value: Any) -> None:
    if isinstance(value, FileText):
        source.facts.offer("license-files", [value.name], source.where("license"))
    else:
        source.facts.offer_licence(str(value), source.where("license"))


def _url(label: str) -> Callable[[Source, Any], None]:
    def handle(source: Source, value: Any) -> None:
        held = source.facts.project.setdefault("urls", {})
        source.facts.origins.setdefault("urls", source.where("url"))
        for name, address in (value if isinstance(value, dict) else {label: value}).items():
            held.setdefault(str(name), str(address))

    return handle


def _classifiers(source: Source, value: Any) -> None:
    listed = value.splitlines() if isinstance(value, str) else value
    wanted = [line.strip() for line in listed if str(line).strip()]
    source.facts.offer("classifiers", wanted, source.where("classifiers"))


def _install_requires(source: Source, value: Any) -> None:
    found = requirements(value, source.comments)
    source.facts.offer("dependencies", found, source.where("install_requires"))


def requirements(value: Any, comments: Mapping[str, str]) -> list[Requirement]:
    """A list, or the lines of a text, as requirements."""
    lines = value.splitlines() if isinstance(value, str) else value
    return [
        Requirement.noted(_spaced(str(line)), comments.get(str(line), ""))
        for line in lines
        if str(line).strip() and not str(line).strip().startswith("#")
    ]


def _spaced(text: str) -> str:
    """`name(>=1)` and a comment at the end are old ways of writing."""
    return re.sub(r"\s+#.*$", "", text).strip()


def _extras(source: Source, value: Any) -> None:
    """`{"test": [...], ":python_version<'3'": [...]}`: a marker may stand in the key."""
    extras: dict[str, list[Requirement]] = {}
    for key, listed in dict(value).items():
        extra, _, marker = str(key).partition(":")
        found = requirements(listed, source.comments)
        if marker:
            found = [Requirement.noted(f"{one} ; {marker}") for one in found]
        if extra:
            extras.setdefault(extra, []).extend(found)
        else:
            source.facts.project.setdefault("dependencies", []).extend(found)
            source.facts.origins.setdefault("dependencies", source.where("extras_require"))
    source.facts.offer("optional-dependencies", extras, source.where("extras_require"))


def entry_points(source: Source, value: Any) -> None:
    """A dict of lists, or the text of an ini file."""
    if isinstance(value, str):
        parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(value)
        value = {group: dict(parser[group]) for group in parser.sections()}
    groups: dict[str, dict[str, str]] = {}
    for group, points in value.items():
        if isinstance(points, Mapping):
            groups[str(group).strip()] = dict(points)
            continue
        lines = points.splitlines() if isinstance(points, str) else points
        pairs = (str(line).partition("=") for line in lines if str(line).strip())
        groups[str(group).strip()] = {name.strip(): target.strip() for name, _, target in pairs}
    offer_entry_points(source.facts, groups, source.where("entry_points"))


def offer_entry_points(facts: Facts, groups: Mapping[str, dict[str, str]], where: str) -> None:
    """Console and GUI scripts have tables of their own in [project]."""
    own = {"console_scripts": "scripts", "gui_scripts": "gui-scripts"}
    for group, key in own.items():
        facts.offer(key, groups.get(group), where)
    rest = {group: points for group, points in groups.items() if group not in own and points}
    facts.offer("entry-points", rest, where)


def _test_requirements(source: Source, value: Any) -> None:
    source.facts.group("test", requirements(value, source.comments))


def _setup_requires(source: Source, value: Any) -> None:
    wanted = [str(r) for r in requirements(value, {}) if not _is_setuptools(str(r))]
    if wanted:
        hint = "only setup.py needed it"
        source.facts.lose(source.where("setup_requires"), f"setup_requires = {wanted}", hint)


def _is_setuptools(requirement: str) -> bool:
    name = Requirement.noted(requirement).name
    return name in ("setuptools", "wheel", "setuptools-scm", "pbr")


def _scm(source: Source, value: Any) -> None:
    if value:
        from_git(source.facts, source.where("use_scm_version"), value)


def from_git(facts: Facts, where: str, options: Any) -> None:
    """The version comes from the git tag; a file that the old tool wrote is written no more."""
    if isinstance(facts.project.get("version"), str):
        return  # written out, as in an sdist: these settings have no effect
    facts.offer("version", {"from": "git"}, where)
    for key, value in options.items() if isinstance(options, Mapping) else ():
        if key in ("write_to", "version_file", "build-file", "version-file"):
            hint = "twofold-build writes no file: read the version with importlib.metadata"
            facts.lose(where, f"{key} = {value}", hint)
        elif key not in ("source", "relative_to", "root", "fallback_version"):
            facts.lose(where, f"{key} = {value}")


_HANDLERS: dict[str, Callable[[Source, Any], None]] = {
    **FILE_HANDLERS,
    "name": _plain("name"),
    "version": _version,
    "use_scm_version": _scm,
    "description": _plain("description"),
    "license": _licence,
    "url": _url("Homepage"),
    "download_url": _url("Download"),
    "project_urls": _url(""),
    "keywords": lambda source, value: source.facts.offer(
        "keywords", keywords(value), source.where("keywords")
    ),
    "classifiers": _classifiers,
    "python_requires": lambda source, value: source.facts.offer(
        "requires-python", str(value), source.where("python_requires")
    ),
    "install_requires": _install_requires,
    "extras_require": _extras,
    "entry_points": entry_points,
    "tests_require": _test_requirements,
    "setup_requires": _setup_requires,
}
