"""Promotion of several projects at once: a whole channel, or a project with what it requires.

Every project is tried before any is carried, so that a refusal leaves the target as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import sort_newest_first
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel, StoredFile
from twofold.server.registry.labels import DryRun, Promotion, Selection, promote
from twofold.server.store import Connection, channels, files

#: What a promotion did with a file: copied it, gave it a label, or found it so.
NEW, LABELLED, THERE = "new", "labelled", "there"

_Key = tuple[str, str]


@dataclass(frozen=True)
class PromotedFile:
    """A file of the target, and what the promotion did with it."""

    file: StoredFile
    state: str


@dataclass(frozen=True)
class Scope:
    """What is promoted beside the selection: everything, or what it requires."""

    whole_channel: bool = False
    with_dependencies: bool = False
    dry_run: bool = False


def promote_all(
    registry: Registry, actor: Actor, promotion: Promotion, scope: Scope
) -> list[PromotedFile]:
    """Promote a project, with its dependencies, or the whole channel; return every file.

    A dry run makes every check and changes nothing. Raises Refused for the first project that is
    refused, before anything was carried.
    """
    wanted = _list_promotions(registry, actor, promotion, scope)
    planned = [_promote_one(registry, actor, one, dry_run=True) for one in wanted]
    if not scope.dry_run:
        planned = [_promote_one(registry, actor, one, dry_run=False) for one in wanted]
    return [promoted for one in planned for promoted in one]


def _promote_one(
    registry: Registry, actor: Actor, promotion: Promotion, dry_run: bool
) -> list[PromotedFile]:
    key = normalize_name(promotion.selection.project)
    with registry.database.read() as db:
        target = require_channel(db, actor, promotion.target, Action.READ)
        known = channels.find_project(db, target.id, key)
        there = files.list_project_files(db, known.id) if known else []
    before = {(file.subdir, file.filename): file.labels for file in there}
    try:
        carried = promote(registry, actor, promotion, dry_run)
    except DryRun as done:
        carried = done.files
    return [PromotedFile(file, _compare(before, file)) for file in carried]


def _compare(before: dict[_Key, frozenset[str]], file: StoredFile) -> str:
    labels = before.get((file.subdir, file.filename))
    if labels is None:
        return NEW
    return THERE if labels == file.labels else LABELLED


def _list_promotions(
    registry: Registry, actor: Actor, promotion: Promotion, scope: Scope
) -> list[Promotion]:
    with registry.database.read() as db:
        source = require_channel(db, actor, promotion.source, Action.READ)
        target = require_channel(db, actor, promotion.target, Action.READ)
        if scope.whole_channel:
            keys = [project.key for project in channels.list_projects(db, source.id)]
            found = [replace(promotion, selection=Selection(key)) for key in keys]
            return [one for one in found if _list_selected(db, source, one)]
        if not scope.with_dependencies:
            return [promotion]
        return [*_list_dependencies(db, source, target, promotion), promotion]


def _list_selected(db: Connection, source: Channel, promotion: Promotion) -> list[StoredFile]:
    key = normalize_name(promotion.selection.project)
    known = channels.find_project(db, source.id, key)
    if known is None or known.status == "quarantined":
        return []
    return [file for file in files.list_project_files(db, known.id) if promotion.selects(file)]


def _list_dependencies(
    db: Connection, source: Channel, target: Channel, promotion: Promotion
) -> list[Promotion]:
    """Return promotions of what is required and in the source, but not in the target."""
    by_conda_name = {
        project.conda_name or project.key: project.key
        for project in channels.list_projects(db, source.id)
    }
    seen = {normalize_name(promotion.selection.project)}
    found: list[Promotion] = []
    waiting = [promotion]
    while waiting:
        one = waiting.pop()
        selected = _list_selected(db, source, one)
        version = one.selection.version
        chosen = [file for file in selected if version in (None, file.version)] or selected
        for name, specifier in _list_requirements(chosen, by_conda_name):
            if name in seen:
                continue
            seen.add(name)
            wanted = replace(promotion, selection=Selection(name))
            if _find_version(_list_offered(db, target, name), specifier) is not None:
                continue
            newest = _find_version(_list_selected(db, source, wanted), specifier)
            if newest is not None:
                wanted = replace(promotion, selection=Selection(name, newest))
                found.append(wanted)
                waiting.append(wanted)
    return found


def _list_offered(db: Connection, channel: Channel, key: str) -> list[StoredFile]:
    known = channels.find_project(db, channel.id, key)
    every = files.list_project_files(db, known.id) if known else []
    return [file for file in every if file.labels and file.yanked is None]


def _list_requirements(
    selected: Iterable[StoredFile], by_conda_name: dict[str, str]
) -> Iterator[tuple[str, SpecifierSet]]:
    """Yield (normalized name, versions) of what files require, extras apart."""
    for file in selected:
        if file.made_from is not None:
            continue
        for text in file.depends:
            if file.kind.is_conda:
                name = text.split()[0].partition("::")[2] or text.split()[0]
                if name in by_conda_name:
                    yield by_conda_name[name], SpecifierSet()
                continue
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise Refused("invalid-requirement", f"{file.filename}: {error}") from error
            if requirement.marker is None or "extra" not in str(requirement.marker):
                yield normalize_name(requirement.name), requirement.specifier


def _find_version(found: Iterable[StoredFile], specifier: SpecifierSet) -> str | None:
    """Return the newest version that fits, a pre-release only where nothing else does."""
    python = {file.version for file in found if not file.kind.is_conda}
    every = {file.version for file in found}
    for version in sort_newest_first(python, every):
        try:
            if specifier.contains(version, prereleases=True):
                return version
        except InvalidVersion:
            if not specifier:
                return version
    return None
