"""Several packages in one repository: `[tool.twofold.workspace]`, their order and what changed.

    [tool.twofold.workspace]
    members = ["packages/*", "backend"]     # folders with a project of their own

The folder of this table is a member too if it has a version. Members come in the order of their
dependencies; each has its own version, changelog and tag.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.names import normalize_name, requirement_name
from twofold.publish.release.version import (
    format_tag,
    get_current_version,
    list_version_tags,
    read_version,
)
from twofold.publish.release.version_place import get_texts, parse_toml, read_text
from twofold.publish.release.version_places import find_version
from twofold_build.atomic import write_atomically
from twofold_build.globs import find_glob_problem, get_glob_hint

_WHERE = "pyproject.toml: [tool.twofold.workspace]"


@dataclass(frozen=True)
class Member:
    """A project of a workspace.

    `requires` are the names of the members it needs to run and to be built, `extras` those that
    its extras add.
    """

    name: str
    version: str
    folder: Path
    requires: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()


def find_workspace(start: Path) -> Path | None:
    """The folder of the workspace that a folder belongs to; None outside one."""
    for folder in (start, *start.parents):
        if _read_table(folder) is not None:
            return folder
        if (folder / ".git").exists():
            return None
    return None


def read_members(
    root: Path, read_declared: Callable[[Path], Iterable[tuple[str, bool]]]
) -> list[Member]:
    """Read the members in the order of their dependencies.

    `read_declared` returns the requirements that a project of any backend declares, and of each
    whether an extra has it. Raises ProjectErrors for an invalid table, a pattern without a project,
    two members of one name, and members that depend on each other.
    """
    table = _read_table(root)
    patterns = table.get("members") if isinstance(table, dict) else None
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        raise ProjectErrors(
            [Problem("'members' is missing", 'write members = ["packages/*"]', _WHERE)]
        )
    assert table is not None
    problems = [
        Problem(f"unknown key '{key}'", "the key is: members", _WHERE)
        for key in table
        if key != "members"
    ]
    folders = [root] if find_version(root).name else []
    for pattern in patterns:
        if not pattern or pattern.startswith(
            ("!", "/")
        ):  # a folder beside this one may be a member
            hint = get_glob_hint(pattern, "name folders from this one on")
            problems.append(Problem(find_glob_problem(pattern), hint, _WHERE))
            continue
        found = [folder for folder in sorted(root.glob(pattern)) if _has_project(folder)]
        if not found:
            problems.append(
                Problem(f"'{pattern}' names no folder with a project", "correct it", _WHERE)
            )
        folders += [folder for folder in found if folder not in folders]
    if problems:
        raise ProjectErrors(problems)
    return _sort(_read_all(folders, read_declared))


def _read_table(folder: Path) -> Any:
    file = folder / "pyproject.toml"
    table: Any = parse_toml(file, read_text(file)) if file.is_file() else {}
    for key in ("tool", "twofold", "workspace"):
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _has_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))


def _read_all(
    folders: Iterable[Path], read_declared: Callable[[Path], Iterable[tuple[str, bool]]]
) -> list[Member]:
    versions = {folder: read_version(folder) for folder in folders}
    names = {normalize_name(found.name) for found in versions.values()}
    if len(names) < len(versions):
        raise ProjectErrors([Problem("two members have one name", "rename one of them", _WHERE)])
    members = []
    for folder, found in versions.items():
        requires, extras = set(_list_build_requirements(folder)), set[str]()
        for requirement, is_extra in read_declared(folder):
            (extras if is_extra else requires).add(normalize_name(requirement_name(requirement)))
        others = names - {normalize_name(found.name)}
        members.append(
            Member(
                found.name,
                get_current_version(folder, found),
                folder,
                frozenset(requires & others),
                frozenset(extras & others),
            )
        )
    return members


def _list_build_requirements(folder: Path) -> list[str]:
    file = folder / "pyproject.toml"
    document = parse_toml(file, read_text(file)) if file.is_file() else {}
    requires = get_texts(document, "build-system", "requires")
    return [normalize_name(requirement_name(one)) for one in requires]


def _sort(members: Sequence[Member]) -> list[Member]:
    """Sort by what members need; by what extras add too, where that makes no circle."""
    by_name = {normalize_name(member.name): member for member in members}

    def order(*, with_extras: bool) -> list[Member]:
        needs = {
            name: sorted(one.requires | one.extras if with_extras else one.requires)
            for name, one in by_name.items()
        }
        return [by_name[name] for name in TopologicalSorter(needs).static_order()]

    try:
        return order(with_extras=True)
    except CycleError:
        pass  # an extra may name a package that needs this one
    try:
        return order(with_extras=False)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        message = f"members depend on each other: {circle}"
        raise ProjectErrors([Problem(message, "remove one of the requirements", _WHERE)]) from None


def select_members(
    members: Sequence[Member], names: Sequence[str], *, changed: bool
) -> list[Member]:
    """The members of these names (all if there are none), and with `changed` only those changed."""
    known = {normalize_name(member.name) for member in members}
    for name in names:
        if normalize_name(name) not in known:
            listed = ", ".join(member.name for member in members)
            raise TwofoldError(f"'{name}' is not a member", f"the members are: {listed}")
    wanted = {normalize_name(name) for name in names} or known
    chosen = [member for member in members if normalize_name(member.name) in wanted]
    return [member for member in chosen if not changed or has_changed(member, members)]


def has_changed(member: Member, members: Sequence[Member]) -> bool:
    """Whether files of a member differ from its last tag; True without a tag.

    Files of other members in folders below count for those alone.
    """
    found = read_version(member.folder)
    prefix = format_tag(member.folder, found, "")
    tags = list_version_tags(member.folder, prefix)
    if not tags:
        return True
    last = max(tags, key=lambda tag: tags[tag])
    inner = [
        f":(exclude){other.folder.relative_to(member.folder).as_posix()}"
        for other in members
        if other is not member and other.folder.is_relative_to(member.folder)
    ]
    command = ["git", "-C", str(member.folder), "diff", "--quiet", last, "--", ".", *inner]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def raise_requirements(members: Sequence[Member], raised: Member, version: str) -> list[Path]:
    """Raise the other members' requirements of a member to its new version; returns the files."""
    from twofold.publish.release.requirement_files import raise_in_files

    changed = []
    for member in members:
        if member.folder == raised.folder:
            continue
        for file, after in raise_in_files(member.folder, raised.name, version):
            data = after.encode("utf-8", errors="surrogateescape")
            write_atomically(file, data, file.stat().st_mode & 0o7777)
            changed.append(file)
    return changed
