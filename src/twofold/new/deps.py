"""Compare a project's imports with its declared dependencies, under their PyPI and conda names.

Declared is what [project] lists, or, in a project without that table, what its older files list
(`declared` is given by the caller). Imports are read, never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from twofold.errors import TwofoldError
from twofold.names import find_on_conda_forge, normalize_name, requirement_name, to_conda_name
from twofold.new.migrate import MigrationTools, read_declared_project, read_static_facts
from twofold.new.migrate.hatch import read_hatch_file
from twofold.new.migrate.schema import validate
from twofold.new.source_tree import (
    ImportUse,
    SourceTree,
    find_uses,
    is_project,
    read_source_tree,
)
from twofold.source_analysis import (
    Import,
    InstalledDistributions,
    find_distribution,
    find_import_names,
    required_module,
)
from twofold_build.names import escape_for_filename
from twofold_build.pyproject import read_document

_IGNORE = re.compile(rb"#\s*twofold:\s*ignore\b")


class Status(StrEnum):
    """The status of a dependency, the most urgent first."""

    MISSING = "missing"
    UNUSED = "unused"
    #: Imported only inside `try`, a function or for type checkers, and declared nowhere.
    OPTIONAL = "optional"
    USED = "used"
    #: Missing, unused or optional, and the project says that this is meant.
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class DeclaredDependency:
    """One requirement of a project. `group` is '' for what every user needs, else the extra or
    the dependency group that has it; `is_extra` distinguishes the two.
    """

    requirement: str
    group: str = ""
    is_extra: bool = False

    @property
    def name(self) -> str:
        """The PyPI name, as the requirement spells it."""
        return requirement_name(self.requirement) or self.requirement


@dataclass(frozen=True, slots=True)
class Dependency:
    """A distribution that is imported, declared or both.

    `imports` are the modules as imported, `places` where (`path:line`, first of each module);
    `is_test`: only tests import it.
    """

    status: Status
    name: str
    conda: str
    declared: tuple[DeclaredDependency, ...]
    imports: tuple[str, ...]
    places: tuple[str, ...]
    is_test: bool = False


class Declared(NamedTuple):
    """What a project declares; `computed` are the keys whose values a program computes, and where:
    what they add is not known."""

    dependencies: list[DeclaredDependency]
    computed: dict[str, str]


def read_declared(root: Path) -> Declared:
    """Read what a project declares: dependencies, extras and groups.

    From [project] of pyproject.toml, and where that leaves them to the backend (`dynamic`) or is
    missing, from what setup.py, setup.cfg, the tables of setuptools, poetry or flit,
    requirements.txt and environment.yml list, as far as they can be read.
    """
    document = _read_pyproject(root)
    groups = _read_groups(root, document)
    project = document.get("project")
    if isinstance(project, dict) and (
        document.get("build-system", {}).get("build-backend") == "twofold_build"
    ):
        needed = project.get("dependencies", ())
        poetry = document.get("tool", {}).get("poetry", {})
        tables = {
            name: group.get("dependencies", {}) for name, group in poetry.get("group", {}).items()
        }
        for name, table in [("dev", poetry.get("dev-dependencies", {})), *tables.items()]:
            groups.setdefault(name, []).extend(table)
        extras = project.get("optional-dependencies", {})
        return Declared(_collect_declared(needed, extras, groups), {})
    facts = read_static_facts(root, MigrationTools()).facts
    for name, listed in facts.groups.items():
        groups[name] = [*groups.get(name, ()), *listed]
    computed = {key: at for key, at in facts.unread.items() if key.endswith("dependencies")}
    extras = facts.project.get("optional-dependencies", {})
    needed = facts.project.get("dependencies", ())
    return Declared(_collect_declared(needed, extras, groups), computed)


def _read_groups(root: Path, document: Mapping[str, Any]) -> dict[str, list[object]]:
    """Read the developers' groups: [dependency-groups], and those of pdm, uv, rye and hatch."""
    tool = document.get("tool", {})
    found = {name: list(listed) for name, listed in document.get("dependency-groups", {}).items()}
    for owner in ("pdm", "uv", "rye"):
        table = tool.get(owner, {}).get("dev-dependencies", ())
        groups = table if isinstance(table, dict) else {"dev": table}
        for name, listed in groups.items():
            found.setdefault(name, []).extend(_keep_requirements(listed))
    environments = [tool.get("hatch", {}).get("envs", {})]
    if (root / "hatch.toml").is_file():
        environments.append(read_hatch_file(root).get("envs", {}))
    for envs in environments:
        for name, environment in envs.items() if isinstance(envs, dict) else ():
            for key in ("dependencies", "extra-dependencies"):
                listed = environment.get(key, ()) if isinstance(environment, dict) else ()
                found.setdefault(name, []).extend(_keep_requirements(listed))
    return found


def _keep_requirements(listed: object) -> list[str]:
    """Keep the requirements of a tool's own list, without options such as `-e`."""
    texts = listed if isinstance(listed, list) else ()
    return [text for text in texts if isinstance(text, str) and requirement_name(text)]


def _collect_declared(
    needed: Iterable[object],
    extras: Mapping[str, Iterable[object]],
    groups: Mapping[str, Iterable[object]],
) -> list[DeclaredDependency]:
    found = [DeclaredDependency(str(text)) for text in needed]
    for is_extra, table in ((True, extras), (False, groups)):
        for group, texts in table.items():
            found += [
                DeclaredDependency(str(t), group, is_extra) for t in texts if isinstance(t, str)
            ]
    return found


def read_conda_names(root: Path) -> dict[str, str]:
    """Read [tool.twofold.conda.names]: normalised PyPI name -> conda name."""
    settings = _read_pyproject(root).get("tool", {}).get("twofold", {}).get("conda", {})
    return {normalize_name(name): str(conda) for name, conda in settings.get("names", {}).items()}


def read_ignored(root: Path) -> frozenset[str]:
    """Read [tool.twofold.deps] ignore: the normalised names that are not judged."""
    table = _read_pyproject(root).get("tool", {}).get("twofold", {}).get("deps", {})
    unknown = sorted(set(table) - {"ignore"})
    if unknown:
        raise TwofoldError(
            f"unknown key '{unknown[0]}'",
            "known keys: ignore",
            "pyproject.toml [tool.twofold.deps]",
        )
    return frozenset(normalize_name(name) for name in table.get("ignore", ()))


def _read_pyproject(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    text, document = read_document(root)
    validate(document, text)
    return document


def read_dependencies(
    root: Path,
    declared: Sequence[DeclaredDependency],
    environment: InstalledDistributions,
    conda_names: Mapping[str, str],
    ignored: frozenset[str] = frozenset(),
) -> list[Dependency]:
    """Compare imports and declarations of a project; missing first, then unused, optional, used.

    `conda_names`: normalised PyPI name -> conda name, as the project's settings have it. `ignored`
    are normalised names that are not judged; an undeclared import is not either on a line with
    the comment `# twofold: ignore`.
    """
    by_name: dict[str, list[ImportUse]] = {}
    provides = _ImportResolver(declared, environment)
    for use in find_uses(_read_project_tree(root)):
        by_name.setdefault(provides.find_distribution(use.found), []).append(use)
    found = []
    written = {normalize_name(one.name): one.name for one in reversed(declared)}
    written |= {key: provides.spelled[key] for key in by_name if key not in written}
    for key, name in written.items():
        mine = tuple(one for one in declared if normalize_name(one.name) == key)
        uses = by_name.get(key, [])
        judged = uses if mine else [use for use in uses if not _has_ignore_comment(use)]
        one = _make_dependency(root, name, mine, judged or uses, conda_names)
        is_ignored = key in ignored or (bool(uses) and not judged)
        if is_ignored and one.status is not Status.USED:
            one = replace(one, status=Status.IGNORED)
        found.append(one)
    order = list(Status)
    return sorted(found, key=lambda d: (order.index(d.status), d.is_test, normalize_name(d.name)))


def _read_project_tree(root: Path) -> SourceTree:
    """Find the project's modules, where [tool.twofold] or another backend's settings place them."""
    name, settings = _read_layout(root)
    own = {escape_for_filename(name), *(m.partition(".")[0] for m in settings.get("modules", ()))}
    declared = settings.get("source")
    sources = [declared] if isinstance(declared, str) else list(declared or ())
    tree = read_source_tree(root, sources[0] if sources else None, own)
    modules = dict(tree.modules)
    for source in sources[1:]:
        modules |= read_source_tree(root, source, own).modules
    for path, place in settings.get("wheel", {}).get("paths", {}).items():
        if isinstance(place, str) and list((root / path).glob("*.py")):
            modules.setdefault(place.strip("/").replace("/", "."), root / path)
    return replace(tree, modules=modules)


def _read_layout(root: Path) -> tuple[str, dict[str, Any]]:
    """The project's name, and [tool.twofold] as it is or would be written."""
    document = _read_pyproject(root)
    project = document.get("project", {})
    settings = document.get("tool", {}).get("twofold", {})
    backend = document.get("build-system", {}).get("build-backend")
    is_other = backend != "twofold_build" and not {"source", "modules", "wheel"} & settings.keys()
    if is_other and is_project(root):
        with suppress(TwofoldError):  # there is no module where its backend looks
            project, settings, *_ = read_declared_project(root)
    return str(project.get("name", "")), settings


def _has_ignore_comment(use: ImportUse) -> bool:
    return use.found.line in _find_ignored_lines(use.path)


@cache
def _find_ignored_lines(path: Path) -> frozenset[int]:
    lines = path.read_bytes().splitlines()
    return frozenset(n for n, line in enumerate(lines, 1) if _IGNORE.search(line))


class _ImportResolver:
    """Maps an import to a normalised distribution, preferably a declared one."""

    def __init__(
        self, declared: Sequence[DeclaredDependency], environment: InstalledDistributions
    ) -> None:
        self.environment = environment
        self.spelled: dict[str, str] = {}
        self.declared = {
            module: normalize_name(one.name)
            for one in declared
            for module in _list_import_names(one.name, environment)
        }

    def find_distribution(self, found: Import) -> str:
        for name in found.names:  # `from google.cloud import storage`
            if f"{found.module}.{name}" in self.declared:
                return self.declared[f"{found.module}.{name}"]
        return self._find_by_name(required_module(found.module, found.names))

    def _find_by_name(self, module: str) -> str:
        parts = module.split(".")
        for length in range(len(parts), 0, -1):
            found = self.declared.get(".".join(parts[:length]))
            if found:
                return found
        name = find_distribution(module, self.environment)
        self.spelled[normalize_name(name)] = name
        return normalize_name(name)


def _list_import_names(name: str, environment: InstalledDistributions) -> list[str]:
    known = find_on_conda_forge(normalize_name(name))
    plain = normalize_name(name).replace("-", "_")
    names = [*find_import_names(name, environment), plain, plain.replace("_", ".")]
    return [*names, known.imported] if known else names


def _make_dependency(
    root: Path,
    name: str,
    declared: tuple[DeclaredDependency, ...],
    found: Sequence[ImportUse],
    conda_names: Mapping[str, str],
) -> Dependency:
    first: dict[str, ImportUse] = {}
    for use in found:
        first.setdefault(use.found.module, use)
    shipped = [use for use in found if not use.is_test]
    return Dependency(
        _choose_status(declared, found, shipped),
        name,
        to_conda_name(name, conda_names),
        declared,
        tuple(first),
        tuple(f"{u.path.relative_to(root).as_posix()}:{u.found.line}" for u in first.values()),
        bool(found) and not shipped,
    )


def _choose_status(
    declared: Sequence[DeclaredDependency], found: Sequence[ImportUse], shipped: Sequence[ImportUse]
) -> Status:
    if not found:
        # An extra or a group may name programs and plug-ins that nothing imports.
        return Status.UNUSED if any(not one.group for one in declared) else Status.USED
    if not declared:
        needed = any(use.is_needed for use in found)
        return Status.MISSING if needed else Status.OPTIONAL
    # Who installs the package can ask for an extra, but never gets a dependency group.
    if any(use.is_needed for use in shipped) and all(d.group and not d.is_extra for d in declared):
        return Status.MISSING
    return Status.USED
