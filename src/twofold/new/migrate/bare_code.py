"""Read a folder of modules without metadata: everything comes from its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.names import normalize_name
from twofold.names.conda_forge import is_listed
from twofold.new.migrate.facts import CommentedRequirement, Facts, find_readme
from twofold.new.migrate.setup_py import find_version_file
from twofold.new.source_tree import ImportUse, SourceTree, find_uses, is_project, read_source_tree
from twofold.source_analysis import (
    InstalledDistributions,
    find_distribution,
    parse_module,
    required_module,
)
from twofold_build.names import find_requirement_problem

#: A phrase of each licence's text, the more special first.
_LICENSE_FILES = (
    ("MIT", ("permission is hereby granted, free of charge",)),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("BSD-3-Clause", ("redistribution and use", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use", "list of conditions")),
    ("MPL-2.0", ("mozilla public license", "version 2.0")),
)


def read_bare_code(facts: Facts, root: Path, environment: InstalledDistributions) -> None:
    """Read name, version, description, licence and dependencies from the code and its folder."""
    code = read_source_tree(root)
    if not code.modules:
        raise TwofoldError("no Python module found", _suggest_folder(root), str(root))
    facts.remarks += [
        f"{path.name} is not packed: no module can be imported by that name"
        for path in _list_not_importable(root / code.source)
    ]
    packages = [name for name, path in code.modules.items() if path.is_dir()]
    single = list(code.modules) if len(code.modules) == 1 else packages
    name = single[0] if len(single) == 1 else root.resolve().name
    _propose_fallback(facts, "name", name.replace(" ", "-"))
    _read_version_and_description(facts, code, single)
    readme = find_readme(root)
    facts.propose("readme", readme, readme)
    _propose_fallback(facts, "requires-python", ">=3.11")
    _read_license(facts, root)
    if "dependencies" not in facts.project:
        _propose_dependencies(facts, code, environment)
    else:
        _remark_on_missing(facts, code, environment)


def _list_not_importable(folder: Path) -> list[Path]:
    """List Python files and packages whose names cannot be imported."""
    files = [path for path in folder.glob("*.py") if not path.stem.isidentifier()]
    folders = [p.parent for p in folder.glob("*/__init__.py") if not p.parent.name.isidentifier()]
    return sorted(files + folders)


def _suggest_folder(root: Path) -> str:
    """Suggest what to do about a folder without a module."""
    named = _list_not_importable(root) or _list_not_importable(root / "src")
    if named:
        plain = re.sub(r"\W", "_", named[0].stem) + named[0].suffix
        return f"rename {named[0].name} to {plain}: Python cannot import a module of that name"
    folders = [path for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    folders += [inner for folder in folders for inner in folder.iterdir() if inner.is_dir()]
    projects = sorted(path.relative_to(root).as_posix() for path in folders if is_project(path))
    if projects:
        listed = ", ".join(projects[:10]) + (", ..." if len(projects) > 10 else "")
        return f"there are projects in it; migrate each by itself: {listed}"
    if any(root.glob("*.ipynb")):
        return "notebooks are not modules: save their functions in .py files first"
    return "name the folder that holds the code"


def _propose_fallback(facts: Facts, key: str, value: str) -> None:
    """Prefer values found in a metadata file."""
    if key not in facts.project:
        facts.propose(key, value, "the code")


def _read_version_and_description(facts: Facts, code: SourceTree, single: list[str]) -> None:
    names = single if len(single) == 1 else list(code.modules)
    propose_module_version(facts, code, names)
    for file in _list_module_files(code, names):
        text = ast.get_docstring(parse_module(file)) or ""
        _propose_fallback(facts, "description", text.strip().partition("\n")[0].strip())
    if "version" not in facts.project:
        facts.propose("version", "0.1.0", "the usual")
        facts.remarks.append("no version found: using 0.1.0")


def _list_module_files(code: SourceTree, names: Iterable[str]) -> list[Path]:
    paths = (code.modules[name] for name in names)
    files = (path / "__init__.py" if path.is_dir() else path for path in paths)
    return [file for file in files if file.is_file()]


def propose_module_version(facts: Facts, code: SourceTree, names: Iterable[str] = ()) -> None:
    """Propose the version that the first of the modules assigns as `__version__`."""
    for file in _list_module_files(code, names or code.modules):
        place = file.relative_to(code.root).as_posix()
        version_file = "" if "version" in facts.project else find_version_file(code.root, place)
        if version_file:
            facts.propose("version", {"from": "module", "path": version_file}, place)


def _read_license(facts: Facts, root: Path) -> None:
    for path in sorted([*root.glob("LICEN[CS]E*"), *root.glob("COPYING*")]):
        text = " ".join(path.read_text(encoding="utf-8", errors="replace").lower().split())
        for expression, phrases in _LICENSE_FILES:
            if all(phrase in text for phrase in phrases):
                facts.propose("license", expression, path.name)
                return


def _propose_dependencies(
    facts: Facts, code: SourceTree, environment: InstalledDistributions
) -> None:
    """Propose each import as a dependency, at least the installed version; report guesses."""
    needed: dict[str, CommentedRequirement] = {}
    optional: dict[str, CommentedRequirement] = {}
    tests: dict[str, CommentedRequirement] = {}
    for use in sorted(find_uses(code), key=lambda use: not use.is_needed):
        if use.found.is_typing_only:
            continue  # no user needs it to run the code
        name = find_distribution(required_module(use.found.module, use.found.names), environment)
        if find_requirement_problem(name):
            place = f"{use.path.relative_to(code.root).as_posix()}:{use.found.line}"
            facts.remarks.append(
                f"{place}: no distribution can be called '{name}', so it is not in dependencies: "
                "add the one that has this module"
            )
            continue
        held = tests if use.is_test else needed if use.is_needed else optional
        version = environment.version_of(name)
        if version is None and normalize_name(name) not in {normalize_name(one) for one in held}:
            _add_remark(facts, use, name, code)
        bound = f">={version.partition('+')[0]}" if version else ""
        held.setdefault(normalize_name(name), CommentedRequirement.with_comment(f"{name}{bound}"))
    facts.propose("dependencies", [needed[key] for key in sorted(needed)], "the imports")
    rest = [optional[key] for key in sorted(optional) if key not in needed]
    facts.propose("optional-dependencies", {"all": rest} if rest else {}, "the imports")
    facts.add_to_group(
        "test", [tests[k] for k in sorted(tests) if k not in needed]
    ) if tests else None


def _remark_on_missing(facts: Facts, code: SourceTree, environment: InstalledDistributions) -> None:
    """Report imports that no list has; the lists take precedence."""
    listed = {CommentedRequirement(text).name for text in facts.project["dependencies"]}
    listed |= {one.name for group in facts.groups.values() for one in group}
    for use in find_uses(code):
        module = use.found.module
        name = find_distribution(required_module(module, use.found.names), environment)
        if use.is_needed and not {normalize_name(name), normalize_name(use.found.top)} & listed:
            listed.add(normalize_name(name))
            place = f"{use.path.relative_to(code.root).as_posix()}:{use.found.line}"
            facts.remarks.append(
                f"{place}: '{module}' is imported, and no list here names {name}: add it to "
                "dependencies if it is needed"
            )


def _add_remark(facts: Facts, use: ImportUse, name: str, code: SourceTree) -> None:
    place = f"{use.path.relative_to(code.root).as_posix()}:{use.found.line}"
    remark = f"{place}: 'import {use.found.module}' is not installed here: taken to be {name}"
    if name == use.found.top and not is_listed(normalize_name(name)):
        remark += ", a guess: make sure that this project has the module before you install it"
    if remark not in facts.remarks:
        facts.remarks.append(remark)
