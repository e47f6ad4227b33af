"""Read [tool.poetry]."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError
from twofold.new.migrate.facts import (
    PROJECT_TABLE,
    CommentedRequirement,
    Facts,
    parse_person,
    propose_readme,
)
from twofold.new.migrate.file_patterns import match_files
from twofold.new.migrate.modules import place_file, select_files
from twofold.new.migrate.poetry_constraints import convert_poetry_constraint, split_alternatives
from twofold_build.names import escape_for_filename

_FILE = "pyproject.toml [tool.poetry"
Comments = Callable[..., str]


def read_poetry(facts: Facts, root: Path, table: Mapping[str, Any], comment: Comments) -> None:
    """Read every key. `comment(*path)` is the comment beside a key of the table."""
    left = dict(table)
    where = f"{_FILE}]"
    for key in ("name", "version", "description"):
        facts.propose(key, left.pop(key, None), where)
    for key in ("authors", "maintainers"):
        facts.propose(key, [parse_person(text) for text in left.pop(key, ())], where)
    facts.propose_license(str(left.pop("license", "")), where)
    readme = left.pop("readme", [])
    propose_readme(facts, root, [readme] if isinstance(readme, str) else readme, where)
    facts.propose("keywords", left.pop("keywords", None), where)
    facts.propose("classifiers", list(left.pop("classifiers", ())), where)
    _read_urls(facts, left, where)
    _read_scripts(facts, root, left, where)
    _read_files(facts, root, left, where)
    _read_dependencies(facts, left, comment)
    facts.remarks.append("poetry adds Python version classifiers by itself: add the ones you want")
    left.pop("requires-poetry", None)
    if left.get("package-mode") is True:
        del left["package-mode"]
    for key, value in left.items():
        facts.drop(where, f"{key} = {value!r}"[:160])


def _read_urls(facts: Facts, remaining: dict[str, Any], where: str) -> None:
    urls = {}
    for key, label in (
        ("homepage", "Homepage"),
        ("repository", "Repository"),
        ("documentation", "Documentation"),
    ):
        if key in remaining:
            urls[label] = remaining.pop(key)
    facts.propose("urls", {**urls, **remaining.pop("urls", {})}, where)


def _read_scripts(facts: Facts, root: Path, remaining: dict[str, Any], where: str) -> None:
    scripts = {}
    for name, value in remaining.pop("scripts", {}).items():
        target = value if isinstance(value, str) else value.get("callable", value.get("reference"))
        if isinstance(value, dict) and value.get("type") == "file":
            if not place_file(facts, root, "scripts", str(target), Path(str(target)).name):
                facts.drop(where, f"scripts.{name} is the file {target}", "no such file")
            continue
        if isinstance(value, dict) and value.get("extras"):
            facts.drop(where, f"scripts.{name} requires the extras {value['extras']}",
                       "entry points have no extras any more")  # fmt: skip
        scripts[name] = str(target)
    facts.propose("scripts", scripts, where)
    facts.propose(
        "entry-points", {k: dict(v) for k, v in remaining.pop("plugins", {}).items()}, where
    )


def _read_files(facts: Facts, root: Path, remaining: dict[str, Any], where: str) -> None:
    """Read `packages`, `include` and `exclude`: the files of sdist and wheel."""
    packages = remaining.pop("packages", ())
    has_source = any(package.get("from") for package in packages)
    selected: dict[str, list[str]] = {}
    for package in packages:
        source = str(package.get("from") or "").strip("/")
        if files := _select_files(root, package, source):
            selected.setdefault(source, []).extend(files)
        else:
            _read_package(facts, root, package, where)
        if (
            has_source
            and "include" in package
            and package.get("format") not in ("sdist", ["sdist"])
        ):
            facts.add_source(source)
    for source, files in selected.items():
        select_files(facts, root, source, files)
    included: list[str] = []
    for item in remaining.pop("include", ()):
        glob, formats = _read_item(root, item)
        if formats in (None, "sdist", ["sdist"]):
            included.append(glob)
            facts.add_setting("sdist.include", [glob])
        elif _is_inside_packages(facts, root, glob):
            facts.add_setting("include", [glob])
        else:
            facts.add_setting("sdist.include", [glob])
            facts.doubt(where, f"include: {item} also goes into the wheel",
                        "only files in a package, or under wheel.data, do")  # fmt: skip
    for item in remaining.pop("exclude", ()):
        if not isinstance(item, str):
            hint = "poetry-core excludes nothing by a table; write the glob as text to do so"
            facts.drop(where, f"exclude: {item}", hint)
            continue
        glob, _ = _read_item(root, item)
        # In the sdist all the same: the usual way of a C source beside its module.
        is_included = any(match_files(root, glob) & match_files(root, other) for other in included)
        facts.add_setting("wheel.exclude" if is_included else "exclude", [glob])
    if (root / "LICENSES").is_dir():
        usual = sorted(
            path.name
            for pattern in ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
            for path in root.glob(pattern)
            if path.is_file()
        )
        facts.propose("license-files", [*usual, "LICENSES/**"], where)


def _select_files(root: Path, package: Mapping[str, Any], source: str) -> list[str]:
    """The files that `include` selects by a glob, [] where it names packages, or has a place."""
    include = str(package.get("include", ""))
    is_whole = include.endswith(("/**/*", "/**")) and not set("*?[") & set(include.rstrip("*/"))
    if is_whole or not set("*?[") & set(include) or package.keys() & {"to", "format"}:
        return []
    return _match_include(root, package, source)


def _match_include(root: Path, package: Mapping[str, Any], source: str) -> list[str]:
    """The files that the glob of `include` matches below `source`, sorted; [] for a plain path."""
    include = str(package["include"])
    matched = (root / source).glob(include) if set("*?[") & set(include) else ()
    return sorted(path.relative_to(root).as_posix() for path in matched if path.is_file())


def _read_package(facts: Facts, root: Path, package: Mapping[str, Any], where: str) -> None:
    if "include" not in package:
        facts.drop(where, f"packages: {package}", "it names no package")
        return
    source = str(package.get("from", "")).strip("/")
    if package.get("format") in ("sdist", ["sdist"]):
        glob, _ = _read_item(root, f"{source}/{package['include']}")
        facts.add_setting("sdist.include", [glob])
        return
    if package.get("to"):
        files = _match_include(root, package, source) or [f"{source}/{package['include']}"]
        for path in files:
            place = f"{package['to']}/{path.removeprefix(f'{source}/')}"
            if not place_file(facts, root, "paths", path, place.strip("/")):
                facts.drop(where, f"packages: {package}", "no such folder")
        return
    module = str(package["include"]).removesuffix("/**/*").removesuffix("/**").strip("/")
    facts.packages = [*(facts.packages or []), module.removesuffix(".py").replace("/", ".")]


def _read_item(root: Path, item: Any) -> tuple[str, Any]:
    """Read an item of `include` or `exclude`: its glob and its formats."""
    path = str(item if isinstance(item, str) else item.get("path", "")).strip("/")
    glob = f"{path}/**" if (root / path).is_dir() else path
    return glob, item.get("format") if isinstance(item, dict) else None


def _is_inside_packages(facts: Facts, root: Path, glob: str) -> bool:
    """Whether all files of a glob are in the packages, so that the wheel has them."""
    sources = facts.settings.get("source", ["src"] if (root / "src").is_dir() else [])
    names = facts.packages or [escape_for_filename(str(facts.project.get("name", "")))]
    folders = tuple(
        f"{base}{name.replace('.', '/')}/"
        for name in names
        for base in ("", *(f"{source}/" for source in sources if source))
    )
    found = match_files(root, glob)
    return bool(found) and all(path.startswith(folders) for path in found)


def _read_dependencies(facts: Facts, remaining: dict[str, Any], comment: Comments) -> None:
    table = dict(remaining.pop("dependencies", {}))
    where = f"{_FILE}.dependencies]"
    python = table.pop("python", None)
    if isinstance(python, str):
        try:
            facts.propose(
                "requires-python", convert_poetry_constraint(python, is_python=True), where
            )
        except TwofoldError:
            # poetry-core has an answer of its own, which its wheel holds.
            facts.mark_unread("requires-python", f"{where} python = {python}")
    elif python is not None:
        facts.drop(where, f"python = {python}")
    named: dict[str, list[CommentedRequirement]] = {}
    needed: list[CommentedRequirement] = []
    for name, value in table.items():
        for spec in value if isinstance(value, list) else [value]:
            found = _convert_requirement(facts, where, name, spec, comment("dependencies", name))
            named.setdefault(_normalize(name), []).append(found) if found else None
            if found and not (isinstance(spec, dict) and spec.get("optional")):
                needed.append(found)
    if facts.origins.get("dependencies") != PROJECT_TABLE:  # beside it they say where to look
        facts.propose("dependencies", needed, where)
    extras: dict[str, list[CommentedRequirement]] = {}
    for extra, names in remaining.pop("extras", {}).items():
        extras[extra] = [one for name in names for one in named.get(_normalize(name), [])]
    optional = {n for n, v in table.items() if isinstance(v, dict) and v.get("optional")}
    for name in sorted(optional):
        if not any(one.name == _normalize(name) for listed in extras.values() for one in listed):
            facts.drop(where, f"{name} is optional and in no extra")
    facts.propose("optional-dependencies", extras, where)
    _read_groups(facts, remaining, comment)


def _read_groups(facts: Facts, remaining: dict[str, Any], comment: Comments) -> None:
    groups = {"dev": remaining.pop("dev-dependencies", {})}
    paths: dict[str, tuple[str, ...]] = {"dev": ("dev-dependencies",)}
    for name, group in remaining.pop("group", {}).items():
        groups[name] = {**groups.get(name, {}), **group.get("dependencies", {})}
        paths[name] = ("group", name, "dependencies")
    for name, table in groups.items():
        where = f"{_FILE}.{'.'.join(paths[name])}]"
        for package, value in table.items():
            for spec in value if isinstance(value, list) else [value]:
                found = _convert_requirement(
                    facts, where, package, spec, comment(*paths[name], package)
                )
                if found:
                    facts.add_to_group(name, [found])


def _normalize(name: str) -> str:
    return CommentedRequirement.with_comment(name).name


def _convert_requirement(
    facts: Facts, where: str, name: str, spec: Any, comment: str
) -> CommentedRequirement | None:
    """Convert one dependency to PEP 508; None (and dropped) if that cannot express it."""
    rule = {"version": spec} if isinstance(spec, str) else dict(spec)
    known = ("version", "extras", "markers", "python", "platform", "optional")
    places = [key for key in ("path", "git", "url") if key in rule]
    for key in (k for k in rule if k not in (*known, *places)):
        if key not in ("branch", "rev", "tag", "develop", "subdirectory"):
            facts.drop(where, f"{name}: {key} = {rule[key]!r}")
    extras = f"[{','.join(rule['extras'])}]" if rule.get("extras") else ""
    try:
        version = convert_poetry_constraint(rule.get("version", "*"))
        markers = _convert_markers(rule)
    except TwofoldError as error:
        facts.drop(where, f"{name} = {spec!r}", f"{error}; it is left without a version")
        version, markers = "", [rule["markers"]] if rule.get("markers") else []
    text = f"{name}{extras}{version}"
    if places == ["path"]:
        facts.drop(
            where, f"{name} is at {rule['path']}", "a package requires a version, not a path"
        )
    elif places:
        prefix = "git+" if "git" in rule else ""
        revision = next((f"@{rule[k]}" for k in ("rev", "tag", "branch") if k in rule), "")
        part = f"#subdirectory={rule['subdirectory']}" if rule.get("subdirectory") else ""
        text = f"{name}{extras} @ {prefix}{rule[places[0]]}{revision}{part}"
        markers = [f" {marker}" for marker in markers]
    joined = " and ".join(f"({m.strip()})" if " or " in m else m.strip() for m in markers)
    separator = " ; " if places else "; "
    return CommentedRequirement.with_comment(
        f"{text}{separator}{joined}" if joined else text, comment
    )


def _convert_markers(rule: Mapping[str, Any]) -> list[str]:
    """Convert poetry's own markers: `python`, `platform`."""
    markers = [str(rule["markers"])] if rule.get("markers") else []
    if rule.get("python"):
        alternatives = [_convert_python_marker(a) for a in split_alternatives(str(rule["python"]))]
        if len(alternatives) == 1:
            markers += alternatives[0]
        elif all(alternatives):
            markers.append(" or ".join(" and ".join(clauses) for clauses in alternatives))
    if rule.get("platform"):
        markers.append(f"sys_platform == '{rule['platform']}'")
    return markers


def _convert_python_marker(constraint: str) -> list[str]:
    markers = []
    for clause in convert_poetry_constraint(constraint).split(","):
        found = re.fullmatch(r"(>=|<=|==|!=|<|>)(.+)", clause)
        if found:
            short = found[2].count(".") <= 1 or found[2].endswith(".*")
            name = "python_version" if short else "python_full_version"
            markers.append(f"{name} {found[1]} '{found[2]}'")
    return markers
