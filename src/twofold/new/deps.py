"""What a project imports against what it declares: used, missing, unused, in both worlds' names.

Declared is what [project] says, or, in a project without that table, what its older files say
(`declared` is given by the caller). Imports are read, never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from twofold.imports import Environment, Import, distribution_of, import_names_of, module_needed
from twofold.names import conda_name, known_on_conda_forge, normalised
from twofold.new.adopt import Tools, stated
from twofold.new.adopt.shapes import judge
from twofold.new.code import Use, read_code, uses
from twofold_build.project import read_document

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class Status(StrEnum):
    """What is to be said of a dependency, the most urgent first."""

    MISSING = "missing"
    UNUSED = "unused"
    #: Imported only inside `try`, a function or for type checkers, and declared nowhere.
    OPTIONAL = "optional"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Declared:
    """One requirement of a project. `group` is '' for what every user needs, else the extra or
    the dependency group that has it; `is_extra` says which of the two.
    """

    requirement: str
    group: str = ""
    is_extra: bool = False

    @property
    def name(self) -> str:
        found = _NAME.match(self.requirement)
        return found[1] if found else self.requirement


@dataclass(frozen=True, slots=True)
class Dependency:
    """A distribution that is imported, declared or both.

    `imports` are the modules as imported, `places` where (`path:line`, first of each module);
    `is_test` says that only tests import it.
    """

    status: Status
    name: str
    conda: str
    declared: tuple[Declared, ...]
    imports: tuple[str, ...]
    places: tuple[str, ...]
    is_test: bool = False


def read_declared(root: Path) -> tuple[list[Declared], list[str]]:
    """What a project declares: dependencies, extras and groups; and remarks.

    From [project] of pyproject.toml; without that table from what setup.py, setup.cfg, poetry's
    or flit's tables, requirements.txt and environment.yml say, as far as it can be read.
    """
    document = _document(root)
    project = document.get("project")
    if isinstance(project, dict):
        needed = project.get("dependencies", ())
        extras = project.get("optional-dependencies", {})
        return _declared(needed, extras, document.get("dependency-groups", {})), []
    facts = stated(root, Tools()).facts
    remarks = [
        f"{where} computes its {key}: they are not known here"
        for key, where in facts.unread.items()
        if key.endswith("dependencies")
    ]
    extras = facts.project.get("optional-dependencies", {})
    return _declared(facts.project.get("dependencies", ()), extras, facts.groups), remarks


def _declared(
    needed: Iterable[object],
    extras: Mapping[str, Iterable[object]],
    groups: Mapping[str, Iterable[object]],
) -> list[Declared]:
    found = [Declared(str(text)) for text in needed]
    for is_extra, table in ((True, extras), (False, groups)):
        for group, texts in table.items():
            found += [Declared(str(t), group, is_extra) for t in texts if isinstance(t, str)]
    return found


def conda_names_of(root: Path) -> dict[str, str]:
    """Normalised PyPI name -> conda name, where [tool.twofold.conda.names] says it."""
    settings = _document(root).get("tool", {}).get("twofold", {}).get("conda", {})
    return {normalised(name): str(conda) for name, conda in settings.get("names", {}).items()}


def _document(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    text, document = read_document(root)
    judge(document, text)
    return document


def read_dependencies(
    root: Path,
    declared: Sequence[Declared],
    environment: Environment,
    conda_names: Mapping[str, str],
) -> list[Dependency]:
    """Compare imports and declarations of a project; missing first, then unused, optional, used.

    `conda_names`: normalised PyPI name -> conda name, as the project's settings have it.
    """
    by_name: dict[str, list[Use]] = {}
    provides = _Provides(declared, environment)
    for use in uses(read_code(root)):
        by_name.setdefault(provides.of(use.found), []).append(use)
    found = []
    written = {normalised(one.name): one.name for one in reversed(declared)}
    written |= {key: provides.spelled[key] for key in by_name if key not in written}
    for key, name in written.items():
        mine = tuple(one for one in declared if normalised(one.name) == key)
        found.append(_dependency(root, name, mine, by_name.get(key, []), conda_names))
    order = list(Status)
    return sorted(found, key=lambda d: (order.index(d.status), d.is_test, normalised(d.name)))


class _Provides:
    """Import -> normalised distribution, a declared one where it can be."""

    def __init__(self, declared: Sequence[Declared], environment: Environment) -> None:
        self.environment = environment
        self.spelled: dict[str, str] = {}
        self.declared = {
            module: normalised(one.name)
            for one in declared
            for module in _import_names(one.name, environment)
        }

    def of(self, found: Import) -> str:
        for name in found.names:  # `from google.cloud import storage`
            if f"{found.module}.{name}" in self.declared:
                return self.declared[f"{found.module}.{name}"]
        return self._of(module_needed(found.module, found.names))

    def _of(self, module: str) -> str:
        parts = module.split(".")
        for length in range(len(parts), 0, -1):
            found = self.declared.get(".".join(parts[:length]))
            if found:
                return found
        name = distribution_of(module, self.environment)
        self.spelled[normalised(name)] = name
        return normalised(name)


def _import_names(name: str, environment: Environment) -> list[str]:
    known = known_on_conda_forge(normalised(name))
    plain = normalised(name).replace("-", "_")
    names = [*import_names_of(name, environment), plain, plain.replace("_", ".")]
    return [*names, known.imported] if known else names


def _dependency(
    root: Path,
    name: str,
    declared: tuple[Declared, ...],
    found: Sequence[Use],
    conda_names: Mapping[str, str],
) -> Dependency:
    first: dict[str, Use] = {}
    for use in found:
        first.setdefault(use.found.module, use)
    shipped = [use for use in found if not use.is_test]
    return Dependency(
        _status(declared, found, shipped),
        name,
        conda_name(name, conda_names),
        declared,
        tuple(first),
        tuple(f"{u.path.relative_to(root).as_posix()}:{u.found.line}" for u in first.values()),
        bool(found) and not shipped,
    )


def _status(declared: Sequence[Declared], found: Sequence[Use], shipped: Sequence[Use]) -> Status:
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
