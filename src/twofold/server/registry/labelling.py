"""Labels and promotion: which files a label shows, and files carried to another channel.

No bytes move: a label is a mark, and a file in two channels is two records on one blob. A locked
label takes no files and gives none away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server.model import Action, Actor, Project, Stored
from twofold.server.registry import Change, Registry, reachable
from twofold.server.registry.admission import have_room, may_begin, may_grow
from twofold.server.registry.holding import hold
from twofold.server.registry.looking import demand_offered, not_found
from twofold.server.registry.twin_names import reason_against
from twofold.server.store import channels, files

LabelRule = Callable[[set[str]], set[str]]

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True)
class Selection:
    """Files of a project: all of them, a version's, or the one of a basename."""

    project: str
    version: str | None = None
    basename: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.project, self.version, self.basename) if part)


def labels(registry: Registry, actor: Actor, channel: str) -> dict[str, bool]:
    """Every label of a channel -> whether it is locked; `main` is always there."""
    with registry.database.read() as db:
        found = reachable(db, actor, channel, Action.READ)
        return {"main": False, **files.labels_of(db, found.id)}


def labelled(registry: Registry, actor: Actor, channel: str, label: str) -> list[Stored]:
    """The files under a label. Raises Refused (404) when there is no such label."""
    with registry.database.read() as db:
        found = reachable(db, actor, channel, Action.READ)
        if label != "main" and label not in files.labels_of(db, found.id):
            raise not_found(f"label '{label[:100]}' in channel '{channel}'")
        return files.files_labelled(db, found.id, label)


def label(
    registry: Registry, actor: Actor, channel: str, name: str, wanted: Selection | None = None
) -> list[Stored]:
    """Put files under a label, made when it is not there; without a selection only make it."""
    check_label(name)
    with registry.changing(actor, channel, Action.UPLOAD, _key(wanted)) as change:
        demand_unlocked(change, [name])
        files.add_label(change.db, change.channel.id, name)
        found = _selected(change, wanted) if wanted else []
        changed = _relabel(change, found, lambda own: own | {name})
        change.note("label", f"{name}: {wanted or ''}")
        return changed


def unlabel(
    registry: Registry, actor: Actor, channel: str, name: str, wanted: Selection
) -> list[Stored]:
    """Take files out of a label; a file without labels is shown nowhere but stays stored."""
    with registry.changing(actor, channel, Action.UPLOAD, _key(wanted)) as change:
        demand_unlocked(change, [name])
        found = [file for file in _selected(change, wanted) if name in file.labels]
        changed = _relabel(change, found, lambda own: own - {name})
        change.note("unlabel", f"{name}: {wanted}")
        return changed


def copy_label(
    registry: Registry, actor: Actor, channel: str, source: str, target: str
) -> list[Stored]:
    """Put every file of one label under another one too."""
    check_label(target)
    with registry.changing(actor, channel, Action.UPLOAD) as change:
        demand_unlocked(change, [target])
        found = files.files_labelled(change.db, change.channel.id, source)
        files.add_label(change.db, change.channel.id, target)
        changed = _relabel(change, found, lambda own: own | {target})
        change.note("copy-label", f"{source} -> {target}")
        return changed


def remove_label(registry: Registry, actor: Actor, channel: str, name: str) -> list[Stored]:
    """Remove a label; its files keep their other labels."""
    with registry.changing(actor, channel, Action.UPLOAD) as change:
        demand_unlocked(change, [name])
        found = files.files_labelled(change.db, change.channel.id, name)
        changed = _relabel(change, found, lambda own: own - {name})
        files.remove_label(change.db, change.channel.id, name)
        change.note("remove-label", name)
        return changed


def lock_label(
    registry: Registry, actor: Actor, channel: str, name: str, locked: bool = True
) -> None:
    """Close a label to changes, or open it again."""
    check_label(name)
    with registry.changing(actor, channel, Action.ADMIN) as change:
        files.add_label(change.db, change.channel.id, name)
        files.lock_label(change.db, change.channel.id, name, locked)
        change.note("lock" if locked else "unlock", name)


@dataclass(frozen=True)
class Promotion:
    """Files to carry from a label of one channel to a label of another one.

    `existing` says what to do with files that are there already: 'refuse' (409), 'keep' the
    target's labels as they are, or 'replace' the target's labels by the new one.
    """

    source: str
    target: str
    wanted: Selection
    from_label: str | None = "main"
    to_label: str = "main"
    existing: str = "refuse"


def promote(registry: Registry, actor: Actor, promotion: Promotion) -> list[Stored]:
    """Carry files with their twins to another channel (or label) without copying bytes."""
    check_label(promotion.to_label)
    key = normalised(promotion.wanted.project)
    with registry.changing(actor, promotion.target, Action.UPLOAD, key) as change:
        demand_unlocked(change, [promotion.to_label])
        source = reachable(change.db, actor, promotion.source, Action.READ)
        known = channels.project_by_key(change.db, source.id, key)
        if known is None:
            raise not_found(f"project '{key[:100]}' in channel '{promotion.source}'")
        demand_offered(known)
        found = [
            file
            for file in _of_project(change, known, promotion.wanted)
            if promotion.from_label is None or promotion.from_label in file.labels
        ]
        if not found:
            raise not_found(f"file for {promotion.wanted} under '{promotion.from_label}'")
        carried = _carry(change, known, found, promotion)
        change.note("promote", f"{promotion.source}/{promotion.wanted} -> {promotion.to_label}")
        return carried


def _carry(
    change: Change, known: Project, found: list[Stored], promotion: Promotion
) -> list[Stored]:
    if promotion.source == promotion.target:
        return _relabel(change, found, lambda own: own | {promotion.to_label})
    db, channel_id = change.db, change.channel.id
    project = _project_there(change, known)
    found = _those_that_may_stand(change, project, found)
    taken_names = {(one.subdir, one.filename) for one in files.files_of_project(db, project.id)}
    coming = [file for file in found if (file.subdir, file.filename) not in taken_names]
    have_room(change, (file.size for file in coming))
    hold(change, coming)
    carried: list[Stored] = []
    new_ids: dict[int, int] = {}
    for file in sorted(found, key=lambda file: file.id):
        taken = files.file_named(db, channel_id, file.subdir, file.filename)
        if taken is None:
            made_from = new_ids.get(file.made_from or 0)
            new = files.copy_file(db, file, channel_id, project.id, made_from, change.at)
            files.set_labels(db, channel_id, new, [promotion.to_label])
        else:
            new = taken.id
            _take_again(change, taken, file, promotion)
        new_ids[file.id] = new
        there = files.file_by_id(db, new)
        assert there is not None
        carried.append(there)
    change.show(project, *carried)
    return carried


def _those_that_may_stand(change: Change, project: Project, found: list[Stored]) -> list[Stored]:
    """Without the twins whose name is another project's there, which is not the actor's."""
    names = {file.name for file in found if file.made_from is not None}
    others = {
        name
        for name in names
        if reason_against(change, change.actor, project, name, is_fetched=False) is not None
    }
    return [file for file in found if file.made_from is None or file.name not in others]


def _project_there(change: Change, known: Project) -> Project:
    """The target's project of that name, begun by the same gates as an upload's."""
    found = channels.project_by_key(change.db, change.channel.id, known.key)
    if found is not None:
        may_grow(found)
        return found
    may_begin(change, known.key)
    names = known.key, known.name, change.at
    return channels.add_project(change.db, change.channel.id, *names, conda_name=known.conda_name)


def _take_again(change: Change, taken: Stored, file: Stored, promotion: Promotion) -> None:
    """The target has a file of that name: only the same bytes may be carried there again."""
    if promotion.existing == "refuse" or taken.deleted_at or taken.sha256 != file.sha256:
        raise Refused("file-exists", f"File already exists ({file.filename!r})", status=409)
    if promotion.existing == "replace":
        names = {promotion.to_label}
        demand_unlocked(change, taken.labels - names)
        files.set_labels(change.db, change.channel.id, taken.id, names)
        change.show(
            channels.project_by_id(change.db, taken.project_id), taken, labels=taken.labels | names
        )


def _relabel(change: Change, found: Iterable[Stored], rule: LabelRule) -> list[Stored]:
    changed = []
    for file in found:
        names = frozenset(rule(set(file.labels)))
        if names == file.labels:
            continue
        files.set_labels(change.db, change.channel.id, file.id, names)
        changed.append((file, replace(file, labels=names)))
    for project_id in {file.project_id for file, _ in changed}:
        project = channels.project_by_id(change.db, project_id)
        mine = [new for old, new in changed if old.project_id == project_id]
        gone = frozenset().union(*(old.labels for old, _ in changed))
        change.show(project, *mine, labels=gone)
    return [new for _, new in changed]


def _selected(change: Change, wanted: Selection) -> list[Stored]:
    known = channels.project_by_key(change.db, change.channel.id, normalised(wanted.project))
    if known is None:
        raise not_found(f"project '{wanted.project[:100]}' in channel '{change.channel.name}'")
    return _of_project(change, known, wanted)


def _of_project(change: Change, known: Project, wanted: Selection) -> list[Stored]:
    """The selected files; a wheel's twins go where the wheel goes."""
    every = files.files_of_project(change.db, known.id)
    chosen = {
        file.id
        for file in every
        if wanted.version in (None, file.version) and wanted.basename in (None, file.basename)
    }
    if not chosen:
        raise not_found(f"file for {wanted}")
    return [file for file in every if file.id in chosen or file.made_from in chosen]


def check_label(name: str) -> None:
    """Raises Refused when a label cannot be named so."""
    if not _LABEL.fullmatch(name):
        raise Refused(
            "invalid-label",
            f"{name[:80]!a} cannot be a label",
            "letters, digits and . _ : -, at most 64",
        )


def demand_unlocked(change: Change, names: Iterable[str]) -> None:
    """Raises Refused when one of the labels is locked."""
    known = files.labels_of(change.db, change.channel.id)
    for name in names:
        if known.get(name):
            raise Refused(
                "label-locked",
                f"The label '{name}' is locked",
                "an administrator of the channel can unlock it",
                403,
            )


def _key(wanted: Selection | None) -> str | None:
    return normalised(wanted.project) if wanted else None
