"""Convert the settings of setuptools: one table for setup.py, setup.cfg and [tool.setuptools].

Keys are those of `setup()`; the reader of setup.cfg renames what is spelled differently there.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from typing import Any

from twofold.errors import Problem
from twofold.new.migrate.facts import (
    CommentedRequirement,
    Facts,
    find_readme,
    parse_keywords,
    parse_people,
    propose_readme,
)
from twofold.new.migrate.setup_py import Computed, FileText
from twofold.new.migrate.setuptools_files import FILE_HANDLERS, PLACED_BY_WHEEL, SettingsSource
from twofold_build import names

#: Without effect on what is packed, or with one that twofold-build has anyway.
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


def read_settings(source: SettingsSource, arguments: Mapping[str, Any]) -> None:
    """Read every argument; each ends in the facts, in `unread` or in `dropped`."""
    left = {key: value for key, value in arguments.items() if value not in ("", [], {}, None)}
    named = [arguments[key] for key in ("packages", "py_modules") if key in arguments]
    # Empty lists keep setuptools from looking for modules: a metapackage.
    source.facts.packs_nothing = bool(named) and not any(named)
    _set_people_and_texts(source, left)
    for key, handle in _HANDLERS.items():
        if key in left:
            value = left.pop(key)
            if _is_computed(value):
                _mark_computed(source, key, value)
            elif isinstance(value, Mapping) != (key in _TABLES) and key not in _EITHER:
                source.facts.drop(
                    source.locate(key), f"{key} = {value}", "setuptools does not accept it"
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
        source.facts.drop(source.locate(key), f"{key} = {shown[:120]}", hint)


#: setup()'s key -> the [project] key that its own backend computes.
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


def _is_computed(value: Any) -> bool:
    """Whether a program computes a value, or one in it."""
    if isinstance(value, Mapping):
        return any(_is_computed(inner) for inner in value.values())
    return isinstance(value, Computed)


def _mark_computed(source: SettingsSource, key: str, value: Any) -> None:
    if key in _PROJECT_KEYS:
        source.facts.mark_unread(_PROJECT_KEYS[key], source.locate(key))
        if key == "version":
            _find_missing_module(source, value)
        if key == "extras_require":
            # A key such as ":python_version<'3.11'" in it holds dependencies.
            source.facts.mark_unread("dependencies", source.locate(key))
    elif key in ("packages", "py_modules", "package_dir"):
        source.facts.mark_unread("packages", source.locate(key))
    else:
        text = source.texts.get(key) or (value.text if isinstance(value, Computed) else str(value))
        report = source.facts.doubt if key in PLACED_BY_WHEEL else source.facts.drop
        report(source.locate(key), f"{key} = {' '.join(text.split())[:120]}")


def _find_missing_module(source: SettingsSource, value: Any) -> None:
    """Report the module of an `attr:` that is nowhere in the project."""
    attribute = value.text.partition("attr: ")[2] if isinstance(value, Computed) else ""
    module = attribute.rpartition(".")[0]
    path = module.replace(".", "/")
    names = (f"{path}.py", f"{path}/__init__.py")
    if module and not any(any(source.root.rglob(name)) for name in names):
        where = source.locate("version")
        overlook_missing(source.facts, where, f"the module '{module}'", "setuptools builds nothing")


def _set_people_and_texts(source: SettingsSource, remaining: dict[str, Any]) -> None:
    """Read arguments that belong together: persons, the long description."""
    facts = source.facts
    for role, key in (("author", "authors"), ("maintainer", "maintainers")):
        given = (remaining.pop(role, ""), remaining.pop(f"{role}_email", ""))
        if all(isinstance(part, str) for part in given):
            facts.propose(key, parse_people(*given), source.locate(role))
        else:
            facts.mark_unread(key, source.locate(role))
    text = remaining.pop("long_description", "")
    kind = remaining.pop("long_description_content_type", "")
    kind = kind if isinstance(kind, str) else ""
    where = source.locate("long_description")
    if isinstance(text, FileText):
        propose_readme(facts, source.root, [text.name], where, kind)
    elif isinstance(text, list):
        propose_readme(facts, source.root, [str(name) for name in text], where, kind)
    elif isinstance(text, str) and text:
        name = find_readme(source.root, text)
        facts.propose("readme", name or {"text": text, "content-type": kind or "text/x-rst"}, where)
    elif isinstance(text, Computed):
        facts.mark_unread("readme", where)


def _normalize_key(key: str) -> Callable[[SettingsSource, Any], None]:
    def handle(source: SettingsSource, value: Any) -> None:
        text = " ".join(str(value).split()) if key == "description" else str(value).strip()
        source.facts.propose(key, text, source.locate(key))

    return handle


def _read_version_file(source: SettingsSource, name: str) -> str:
    """The version in a file; '' where the file is missing: setuptools builds 0.0.0 then."""
    path = source.root / name
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    what = f"the file '{name}'"
    overlook_missing(source.facts, source.locate("version"), what, "setuptools builds 0.0.0")
    return ""


def overlook_missing(facts: Facts, where: str, what: str, result: str) -> None:
    """Report that the version is in a file or module that is missing, and what comes of it."""
    message = f"the version is in {what}, which does not exist: {result}"
    hint = "write it, or name the one that holds the version"
    facts.overlooked.append(Problem(message, hint, where))


def _set_version(source: SettingsSource, value: Any) -> None:
    if isinstance(value, dict):
        # Where it is dynamic: {"from": "module", "path": ...}.
        source.facts.propose("version", value, source.locate("version"))
        return
    if isinstance(value, FileText):
        value = _read_version_file(source, value.name)
        if value:
            source.facts.remarks.append(f"the version {value} was read from a file: it is in "
                                        "pyproject.toml now")  # fmt: skip
    if names.find_version_problem(str(value)):
        source.facts.mark_unread("version", source.locate("version"))
        return
    source.facts.propose("version", str(value), source.locate("version"))


def _set_license(source: SettingsSource, value: Any) -> None:
    if isinstance(value, FileText):
        source.facts.propose("license-files", [value.name], source.locate("license"))
    else:
        source.facts.propose_license(str(value), source.locate("license"))


def _make_url_handler(label: str) -> Callable[[SettingsSource, Any], None]:
    def handle(source: SettingsSource, value: Any) -> None:
        held = source.facts.project.setdefault("urls", {})
        source.facts.origins.setdefault("urls", source.locate("url"))
        for name, address in (value if isinstance(value, dict) else {label: value}).items():
            held.setdefault(str(name), str(address))

    return handle


def _set_classifiers(source: SettingsSource, value: Any) -> None:
    listed = value.splitlines() if isinstance(value, str) else value
    wanted = [line.strip() for line in listed if str(line).strip()]
    source.facts.propose("classifiers", wanted, source.locate("classifiers"))


def _set_install_requires(source: SettingsSource, value: Any) -> None:
    found = parse_requirements(value, source.comments)
    source.facts.propose("dependencies", found, source.locate("install_requires"))


def parse_requirements(value: Any, comments: Mapping[str, str]) -> list[CommentedRequirement]:
    """Parse a list, or the lines of a text, as requirements."""
    lines = value.splitlines() if isinstance(value, str) else value
    return [
        CommentedRequirement.with_comment(_modernize(str(line)), comments.get(str(line), ""))
        for line in lines
        if str(line).strip() and not str(line).strip().startswith("#")
    ]


def _modernize(text: str) -> str:
    """Convert the old notations `name(>=1)` and a trailing comment."""
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _set_extras(source: SettingsSource, value: Any) -> None:
    """Read `{"test": [...], ":python_version<'3'": [...]}`: the key may have a marker."""
    extras: dict[str, list[CommentedRequirement]] = {}
    conditional: list[CommentedRequirement] = []
    for key, listed in dict(value).items():
        extra, _, marker = str(key).partition(":")
        found = parse_requirements(listed, source.comments)
        if marker:
            found = [CommentedRequirement.with_comment(f"{one} ; {marker}") for one in found]
        if extra:
            extras.setdefault(extra, []).extend(found)
        else:
            conditional += found
    facts, where = source.facts, source.locate("extras_require")
    if facts.origins.get("dependencies") == source.locate("install_requires"):
        facts.project["dependencies"] = [*facts.project["dependencies"], *conditional]
    else:
        facts.propose("dependencies", conditional, where)
    source.facts.propose("optional-dependencies", extras, source.locate("extras_require"))


def set_entry_points(source: SettingsSource, value: Any) -> None:
    """Read entry points: a dict of lists, or the text of an ini file."""
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
    propose_entry_points(source.facts, groups, source.locate("entry_points"))


def propose_entry_points(facts: Facts, groups: Mapping[str, dict[str, str]], where: str) -> None:
    """Propose entry points; console and GUI scripts have their own tables in [project]."""
    own = {"console_scripts": "scripts", "gui_scripts": "gui-scripts"}
    for group, key in own.items():
        facts.propose(key, groups.get(group), where)
    rest = {group: points for group, points in groups.items() if group not in own and points}
    facts.propose("entry-points", rest, where)


def _set_test_requirements(source: SettingsSource, value: Any) -> None:
    source.facts.add_to_group("test", parse_requirements(value, source.comments))


def _set_setup_requires(source: SettingsSource, value: Any) -> None:
    wanted = [str(r) for r in parse_requirements(value, {}) if not _is_setuptools(str(r))]
    if wanted:
        hint = "only setup.py needed it"
        source.facts.drop(source.locate("setup_requires"), f"setup_requires = {wanted}", hint)


def _is_setuptools(requirement: str) -> bool:
    name = CommentedRequirement.with_comment(requirement).name
    return name in ("setuptools", "wheel", "setuptools-scm", "pbr")


def _set_scm(source: SettingsSource, value: Any) -> None:
    if value:
        set_git_version(source.facts, source.locate("use_scm_version"), value)


def set_git_version(facts: Facts, where: str, options: Any) -> None:
    """Take the version from the git tag; the old tool's version file is not written any more."""
    if isinstance(facts.project.get("version"), str):
        return  # written out, as in an sdist: these settings have no effect
    facts.propose("version", {"from": "git"}, where)
    for key, value in options.items() if isinstance(options, Mapping) else ():
        if key in ("write_to", "version_file", "build-file", "version-file"):
            hint = "twofold-build writes no file: read the version with importlib.metadata"
            facts.drop(where, f"{key} = {value}", hint)
        elif key not in ("source", "relative_to", "root", "fallback_version"):
            facts.drop(where, f"{key} = {value}")


_HANDLERS: dict[str, Callable[[SettingsSource, Any], None]] = {
    **FILE_HANDLERS,
    "name": _normalize_key("name"),
    "version": _set_version,
    "use_scm_version": _set_scm,
    "description": _normalize_key("description"),
    "license": _set_license,
    "url": _make_url_handler("Homepage"),
    "download_url": _make_url_handler("Download"),
    "project_urls": _make_url_handler(""),
    "keywords": lambda source, value: source.facts.propose(
        "keywords", parse_keywords(value), source.locate("keywords")
    ),
    "classifiers": _set_classifiers,
    "python_requires": lambda source, value: source.facts.propose(
        "requires-python", str(value), source.locate("python_requires")
    ),
    "install_requires": _set_install_requires,
    "extras_require": _set_extras,
    "entry_points": set_entry_points,
    "tests_require": _set_test_requirements,
    "setup_requires": _set_setup_requires,
}
