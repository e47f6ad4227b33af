"""Read setup.cfg and [tool.setuptools], and merge setup.cfg with setup.py.

What a program passes to `setup()` comes first: setuptools skips a key of setup.cfg that has a
value already, each key by itself, so an author may be in the one file and the address in the other.
Sections of other tools (flake8, tool:pytest, ...) stay in setup.cfg, where those tools read them.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.errors import BadFile
from twofold.new.migrate.facts import Facts, is_covered, shorten
from twofold.new.migrate.pyproject_writer import KEY_ORDER
from twofold.new.migrate.setup_py import (
    Computed,
    FileText,
    FindPackages,
    SetupCall,
    find_version_file,
    read_setup_py,
)
from twofold.new.migrate.setuptools_files import SettingsSource
from twofold.new.migrate.setuptools_settings import read_settings

#: setup.cfg's [metadata] -> setup()'s, where they differ.
_METADATA = {
    "summary": "description",
    "home-page": "url",
    "home_page": "url",
    "classifier": "classifiers",
    "author-email": "author_email",
    "maintainer-email": "maintainer_email",
    "license-file": "license_files",
    "license_file": "license_files",
    "requires-python": "python_requires",
    "description-file": "long_description",
    "description_file": "long_description",
    "project-urls": "project_urls",
}
_LISTS = frozenset(
    [
        "classifiers", "install_requires", "tests_require", "setup_requires", "license_files",
        "scripts", "py_modules", "keywords", "platforms", "namespace_packages",
    ]
)  # fmt: skip
#: Sections that only setuptools' own commands read.
_COMMANDS = (
    "bdist_wheel",
    "wheel",
    "egg_info",
    "sdist",
    "build_ext",
    "install",
    "upload",
    "build_py",
)


def read_setup_cfg(facts: Facts, root: Path) -> SetupCall:
    """Read setup.cfg as arguments of `setup()`; none if it has no metadata of the project."""
    path = root / "setup.cfg"
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        text = path.read_text(encoding="utf-8")
        parser.read_string(text)
    except (configparser.Error, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read: {error}", "correct it first", str(path)) from error
    sections = {name: dict(parser[name]) for name in parser.sections()}
    arguments = _read_metadata(root, sections.get("metadata", {}))
    arguments |= _read_options(root, sections)
    for command in _COMMANDS:
        for key, value in sections.get(command, {}).items():
            if value.strip() not in ("", "0", "false"):
                facts.drop(f"setup.cfg [{command}]", f"{key} = {value}", "a command of setuptools")
    return SetupCall(arguments, _find_lines(text), comments=_find_comments(text))


def _find_lines(text: str) -> dict[str, int]:
    """Find lines: key (as in setup()) -> its line."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key = re.match(r"([a-z_-]+)\s*[=:]", line)
        if key:
            found.setdefault(_METADATA.get(key[1], key[1].replace("-", "_")), number)
    return found


def _find_comments(text: str) -> dict[str, str]:
    """Find comments: a line's value -> the comment at its end and whole lines above it."""
    found: dict[str, str] = {}
    above = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above = stripped
            continue
        value, _, comment = stripped.partition(" #")
        if above or comment:
            found.setdefault(stripped, comment or above)
        if value:
            above = ""
    return found


def _read_metadata(root: Path, section: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in section.items():
        name = _METADATA.get(key, key.replace("-", "_"))
        if name == "project_urls":
            found[name] = _split_pairs(value)
        elif name == "keywords" and "\n" not in value:
            found[name] = value
        elif key.replace("-", "_") == "description_file":
            found[name] = re.split(r"[\s,]+", value.strip())
        elif value.strip().startswith("file:"):
            files = [part.strip() for part in value.strip()[5:].split(",") if part.strip()]
            found[name] = files if name == "long_description" else FileText(files[0])
        elif value.strip().startswith("attr:"):
            found[name] = _read_attribute(root, value.strip()[5:].strip())
        else:
            found[name] = _split_list(value) if name in _LISTS else value.strip()
    return found


def _read_attribute(root: Path, reference: str) -> Any:
    """Read `attr: package.module.__version__` from the code if it is a plain string."""
    module, _, name = reference.rpartition(".")
    for base in ("", "src", "lib"):
        for path in (f"{module.replace('.', '/')}/__init__.py", f"{module.replace('.', '/')}.py"):
            file = root / base / path
            if name == "__version__" and file.is_file():
                place = find_version_file(root, file.relative_to(root).as_posix())
                if place:
                    return {"from": "module", "path": place}
    return Computed(f"attr: {reference}")


def _read_options(root: Path, sections: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    section = dict(sections.get("options", {}))
    found: dict[str, Any] = {}
    packages = section.pop("packages", "").strip()
    for key, value in section.items():
        name = key.replace("-", "_")
        if value.strip().startswith("file:"):
            found[name] = _read_listed(root, value)
        elif name == "package_dir":
            found[name] = _split_pairs(value)
        else:
            found[name] = _split_list(value) if name in _LISTS else value.strip()
    if packages.startswith(("find:", "find_namespace:")):
        rule = sections.get("options.packages.find", {})
        where = rule.get("where", "").strip()
        exclude, include = (
            _split_list(rule.get("exclude", "")),
            _split_list(rule.get("include", "")),
        )
        found["packages"] = FindPackages(
            where.strip("./"),
            tuple(include),
            tuple(exclude),
            packages.startswith("find_namespace:"),
        )
    elif packages:
        found["packages"] = _split_list(packages)
    for key, name in (("extras_require", "extras_require"), ("entry_points", "entry_points")):
        part = sections.get(f"options.{key}")
        if part:
            found[name] = {group: _read_listed(root, value) for group, value in part.items()}
    for key in ("package_data", "exclude_package_data"):
        if f"options.{key}" in sections:
            found[key] = {k: _split_list(v) for k, v in sections[f"options.{key}"].items()}
    for folder, files in sections.get("options.data_files", {}).items():
        found.setdefault("data_files", []).append((folder, _split_list(files)))
    return found


def _read_listed(root: Path, value: str) -> Any:
    """Read a list, or the lines of the files that `file:` names."""
    if not value.strip().startswith("file:"):
        return _split_list(value)
    lines: list[str] = []
    for name in value.strip().removeprefix("file:").split(","):
        if not (root / name.strip()).is_file():
            return Computed(value.strip())
        lines += (root / name.strip()).read_text(encoding="utf-8").splitlines()
    return lines


def _split_list(value: str) -> list[str]:
    """Split a value into lines, or, on one line, at commas."""
    lines = value.splitlines() if "\n" in value.strip() else value.split(",")
    if "\n" not in value.strip() and ("<" in value or ">" in value or ";" in value):
        lines = value.split(";") if ";" in value and "python" not in value else [value]
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def _split_pairs(value: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in value.splitlines() if line.strip())
    return {key.strip(): held.strip() for key, _, held in pairs}


def read_setuptools_table(facts: Facts, root: Path, table: Mapping[str, Any]) -> None:
    """Read [tool.setuptools] of pyproject.toml, beside a [project] table."""
    arguments: dict[str, Any] = {
        key.replace("-", "_"): value for key, value in table.items() if key != "dynamic"
    }
    if isinstance(arguments.get("data_files"), dict):
        arguments["data_files"] = list(arguments["data_files"].items())
    packages = arguments.get("packages")
    if isinstance(packages, dict):
        rules: dict[str, Any] = packages.get("find") or packages.get("find-namespace") or {}
        where = [rules["where"]] if isinstance(rules.get("where"), str) else rules.get("where")
        found = (tuple(rules.get("include", ())), tuple(rules.get("exclude", ())),
                 rules.get("namespaces") is not False)  # fmt: skip
        folders = [str(folder).strip("./") for folder in where or [""]]
        arguments["packages"] = FindPackages(folders[0], *found)
        for folder in folders if len(folders) > 1 else ():
            facts.add_source(folder)
    for name, rule in table.get("dynamic", {}).items():
        key = {"readme": "long_description", "dependencies": "install_requires",
               "optional-dependencies": "extras_require",
               "entry-points": "entry_points"}.get(name, name)  # fmt: skip
        arguments[key] = _read_dynamic(root, name, rule)
    read_settings(SettingsSource(facts, root, "pyproject.toml [tool.setuptools]"), arguments)


def _read_dynamic(root: Path, name: str, rule: Any) -> Any:
    if name == "optional-dependencies" and isinstance(rule, dict):
        return {extra: _read_dynamic(root, extra, inner) for extra, inner in rule.items()}
    if "attr" in rule:
        return _read_attribute(root, rule["attr"])
    files = rule.get("file", [])
    files = [files] if isinstance(files, str) else list(files)
    if name == "readme":
        return files
    if name == "version" and files:
        return FileText(files[0])
    lines: list[str] = []
    for file in files:
        if not (root / file).is_file():
            return Computed(f"file = {files}")
        if name in ("description", "entry-points"):  # a text, not a list
            return (root / file).read_text(encoding="utf-8")
        lines += (root / file).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def is_built_by_setuptools(document: Mapping[str, Any]) -> bool:
    """Whether setuptools, or pbr, which calls it, builds the project."""
    system = document.get("build-system", {})
    backend = str(system.get("build-backend", "setuptools"))
    requires = system.get("requires", ())
    if "backend-path" in system and any(r.startswith("setuptools") for r in requires):
        backend = "setuptools"  # one of the project's own, which calls setuptools
    return backend.startswith(("setuptools", "pbr")) and "poetry" not in document.get("tool", {})


def read_setuptools_project(facts: Facts, root: Path) -> list[str]:
    """Read both files into the facts; returns the names of those that have metadata."""
    calls: dict[str, SetupCall] = {}
    if (root / "setup.py").is_file():
        call = read_setup_py(root / "setup.py")
        if call is None or not call.is_whole or "pbr" in call.arguments:
            _mark_all_computed(facts)
        calls["setup.py"] = call or SetupCall()
        calls["setup.py"].arguments.pop("pbr", None)
    if (root / "setup.cfg").is_file():
        call = read_setup_cfg(facts, root)
        if call.arguments:
            calls["setup.cfg"] = call
    if calls:
        _read_merged(facts, root, calls)
    return sorted(calls)


def _mark_all_computed(facts: Facts) -> None:
    """Mark every key as computed: the arguments of setup() cannot be read."""
    for key in (*KEY_ORDER, "packages"):
        if key not in ("dynamic", "license-files", "scripts", "gui-scripts"):
            facts.mark_unread(key, "setup.py")


def _read_merged(facts: Facts, root: Path, calls: Mapping[str, SetupCall]) -> None:
    """Read the arguments of all files; those of an earlier file take precedence."""
    arguments: dict[str, Any] = {}
    places: dict[str, str] = {}
    comments: dict[str, str] = {}
    texts: dict[str, str] = {}
    for file, call in calls.items():
        for key, value in call.arguments.items():
            place = f"{file}:{call.lines[key]}" if key in call.lines else file
            held = arguments.get(key)
            if held in ("", [], {}, None):
                arguments[key], places[key] = value, place
                texts[key] = call.texts.get(key, "")
            elif not isinstance(held, Computed) and not _is_repeated(value, held):
                hint = f"setuptools takes the value of {places[key]}"
                facts.drop(place, f"{key} = {shorten(value)}", hint)
        comments = {**call.comments, **comments}
    name = " and ".join(calls)
    read_settings(SettingsSource(facts, root, name, places, comments, texts), arguments)


def _is_repeated(value: Any, held: Any) -> bool:
    """Whether a value says nothing new, in the notation of its own file."""
    if isinstance(value, list) != isinstance(held, list):
        return is_covered(_to_list(value), _to_list(held))
    return is_covered(value, held)


def _to_list(value: Any) -> list[Any]:
    if isinstance(value, FileText):
        return [value.name]
    if isinstance(value, list):
        return value
    return [part.strip() for part in re.split(r"[,\n]", str(value)) if part.strip()]
