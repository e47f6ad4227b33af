"""Labels and promotion: which files a label lists, and copying files to another channel.

No bytes are copied: a file in two channels is two records of one blob. Files can be neither added
to nor removed from a locked label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions
from twofold.server.admission.names import conda_name_conflict
from twofold.server.admission.policy import check_new_file, check_quota
from twofold.server.auth import permissions
from twofold.server.context import Registry, Transaction, not_found, require_channel
from twofold.server.model import Action, Actor, Project, StoredFile
from twofold.server.pages.page_updates import MAIN, PRE
from twofold.server.registry import replacement
from twofold.server.registry.queries import check_not_quarantined
from twofold.server.store import channels, files
from twofold.server.store.blob_refs import protect_blobs

LabelRule = Callable[[set[str]], set[str]]

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True)
class Selection:
    """A selection of a project's files: all, of one version, or one by its basename."""

    project: str
    version: str | None = None
    basename: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.project, self.version, self.basename) if part)


def list_labels(registry: Registry, actor: Actor, channel: str) -> dict[str, bool]:
    """Return every label of a channel -> whether it is locked; always includes `main`."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        return {"main": False, **files.list_labels(db, found.id)}


def list_labelled_files(
    registry: Registry, actor: Actor, channel: str, label: str
) -> list[StoredFile]:
    """Return the files under a label. Raises Refused (404) for an unknown label."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        if label != "main" and label not in files.list_labels(db, found.id):
            raise not_found(f"label '{label[:100]}' in channel '{channel}'")
        return files.list_labelled_files(db, found.id, label)


def add_label(
    registry: Registry, actor: Actor, channel: str, name: str, selection: Selection | None = None
) -> list[StoredFile]:
    """Add files to a label, creating it if necessary; without a selection only create it."""
    check_label(name)
    with registry.transaction(actor, channel, Action.UPLOAD, _project_key(selection)) as change:
        if selection is not None:
            permissions.check_may_change(actor)
        check_unlocked(change, [name])
        files.add_label(change.db, change.channel.id, name)
        found = _select_files(change, selection) if selection else []
        changed = _relabel(change, found, lambda own: own | {name})
        change.audit("label", f"{name}: {selection or ''}")
        return changed


def unlabel(
    registry: Registry, actor: Actor, channel: str, name: str, selection: Selection
) -> list[StoredFile]:
    """Remove files from a label; a file without labels is not listed but stays stored."""
    with registry.transaction(actor, channel, Action.UPLOAD, _project_key(selection)) as change:
        permissions.check_may_change(actor)
        check_unlocked(change, [name])
        found = [file for file in _select_files(change, selection) if name in file.labels]
        changed = _relabel(change, found, lambda own: own - {name})
        change.audit("unlabel", f"{name}: {selection}")
        return changed


def copy_label(
    registry: Registry, actor: Actor, channel: str, source: str, target: str
) -> list[StoredFile]:
    """Add every file of one label to another label as well."""
    check_label(target)
    with registry.transaction(actor, channel, Action.UPLOAD) as change:
        permissions.check_may_change(actor)
        check_unlocked(change, [target])
        found = files.list_labelled_files(change.db, change.channel.id, source)
        files.add_label(change.db, change.channel.id, target)
        changed = _relabel(change, found, lambda own: own | {target})
        change.audit("copy-label", f"{source} -> {target}")
        return changed


def remove_label(registry: Registry, actor: Actor, channel: str, name: str) -> list[StoredFile]:
    """Remove a label; its files keep their other labels."""
    with registry.transaction(actor, channel, Action.UPLOAD) as change:
        permissions.check_may_change(actor)
        check_unlocked(change, [name])
        found = files.list_labelled_files(change.db, change.channel.id, name)
        changed = _relabel(change, found, lambda own: own - {name})
        files.remove_label(change.db, change.channel.id, name)
        change.audit("remove-label", name)
        return changed


def lock_label(
    registry: Registry, actor: Actor, channel: str, name: str, locked: bool = True
) -> None:
    """Lock a label against changes, or unlock it."""
    check_label(name)
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        permissions.check_may_change(actor)
        files.add_label(change.db, change.channel.id, name)
        files.lock_label(change.db, change.channel.id, name, locked)
        change.audit("lock" if locked else "unlock", name)


@dataclass(frozen=True)
class Promotion:
    """A request to copy files from a label of one channel to a label of another.

    Without a label, files under `main` and `pre` are copied; without a label of the target, those
    under `pre` alone stay so, and the others come under `main`. Files without a label are copied
    only when their version and the target's label are named. `existing` decides about files that
    the target already has: 'add' the label to theirs, 'keep' the target's labels, 'replace' them
    by the label, or 'refuse' (409).
    """

    source: str
    target: str
    selection: Selection
    from_label: str | None = None
    to_label: str | None = None
    existing: str = "refuse"

    def selects(self, file: StoredFile) -> bool:
        """Whether a file is under the label that is copied."""
        if self.from_label is not None:
            return self.from_label in file.labels
        if not file.labels:
            return self.selection.version is not None and self.to_label is not None
        return bool(file.labels & {MAIN, PRE})

    def label_for(self, file: StoredFile) -> str:
        """Return the label under which a file comes."""
        if self.to_label is not None:
            return self.to_label
        is_early = PRE in file.labels and MAIN not in file.labels
        return PRE if is_early and self.source != self.target else MAIN


class DryRun(Exception):
    """Rolls a promotion back; `files` are those that it would have carried."""

    def __init__(self, files: list[StoredFile]) -> None:
        super().__init__(f"{len(files)} files")
        self.files = files


def promote(
    registry: Registry, actor: Actor, promotion: Promotion, dry_run: bool = False
) -> list[StoredFile]:
    """Copy files with their converted packages to another channel or label.

    A dry run does all of it, with every check, and raises DryRun instead of keeping it.
    """
    check_label(promotion.to_label or MAIN)
    key = normalize_name(promotion.selection.project)
    with registry.transaction(actor, promotion.target, Action.UPLOAD, key) as change:
        permissions.check_may_change(actor)
        source = require_channel(change.db, actor, promotion.source, Action.READ)
        known = channels.find_project(change.db, source.id, key)
        if known is None:
            raise not_found(f"project '{key[:100]}' in channel '{promotion.source}'")
        check_not_quarantined(known)
        found = [
            file
            for file in _select_project_files(change, known, promotion.selection)
            if promotion.selects(file)
        ]
        if not found:
            label = promotion.from_label or f"{MAIN}' or '{PRE}"
            raise not_found(f"file for {promotion.selection} under '{label}'")
        labels = {promotion.label_for(file) for file in found}
        check_unlocked(change, sorted(labels))
        carried = _copy_files(change, known, found, promotion)
        subject = f"{promotion.source}/{promotion.selection} -> {', '.join(sorted(labels))}"
        change.audit("promote", subject, files=sorted(file.basename for file in carried))
        if dry_run:
            raise DryRun(carried)
        return carried


def _copy_files(
    change: Transaction, known: Project, sources: list[StoredFile], promotion: Promotion
) -> list[StoredFile]:
    if promotion.source == promotion.target:
        return _relabel(change, sources, lambda own: own | {promotion.to_label or MAIN})
    db, channel_id = change.db, change.channel.id
    project = _target_project(change, known)
    sources = _without_foreign_names(change, project, sources)
    coming = replacement.select_new(sources, files.list_project_files(db, project.id))
    check_quota(db, change.channel, (file.size for file in coming))
    protect_blobs(db, change.registry.blobs, coming, change.at)
    carried: list[StoredFile] = []
    new_ids: dict[int, int] = {}
    for file in sorted(sources, key=lambda file: file.id):
        name = (file.subdir, file.filename)
        taken = files.find_file(db, channel_id, *name)
        if file.made_from is not None and replacement.has_authors_package(db, channel_id, *name):
            continue
        if taken is not None and replacement.is_new_or_replaces(file, taken):
            taken = replacement.replace_converted(change, taken)
        if taken is None:
            replacement.replace_converted_other(change, *name)
            made_from = new_ids.get(file.made_from or 0)
            new = files.copy_file(db, file, channel_id, project.id, made_from, change.at)
            files.set_labels(db, channel_id, new, [promotion.label_for(file)])
        else:
            new = taken.id
            _repeat_promotion(change, taken, file, promotion)
        new_ids[file.id] = new
        now = files.find_file_by_id(db, new)
        assert now is not None
        carried.append(now)
    change.rerender(project, *carried)
    return carried


def _without_foreign_names(
    change: Transaction, project: Project, files: list[StoredFile]
) -> list[StoredFile]:
    """Leave out converted packages whose conda name belongs to a project of others."""
    names = {file.name for file in files if file.made_from is not None}
    others = {
        name
        for name in names
        if conda_name_conflict(change, change.actor, project, name, is_fetched=False) is not None
    }
    return [file for file in files if file.made_from is None or file.name not in others]


def _target_project(change: Transaction, known: Project) -> Project:
    """Return the target's project of that name; create it with the checks of an upload."""
    found = check_new_file(change.db, change.channel, change.actor, known.key)
    if found is not None:
        return found
    names = known.key, known.name, change.at
    return channels.add_project(change.db, change.channel.id, *names, conda_name=known.conda_name)


def _repeat_promotion(
    change: Transaction, taken: StoredFile, file: StoredFile, promotion: Promotion
) -> None:
    """Handle a file that the target already has. Raises Refused for different content."""
    if promotion.existing == "refuse" or taken.deleted_at or taken.sha256 != file.sha256:
        raise Refused("file-exists", f"File already exists ({file.filename!r})", status=409)
    if promotion.existing in ("replace", "add"):
        names = {promotion.label_for(file)}
        if promotion.existing == "add":
            names |= taken.labels
        check_unlocked(change, taken.labels - names)
        files.set_labels(change.db, change.channel.id, taken.id, names)
        change.rerender(
            channels.get_project(change.db, taken.project_id), taken, labels=taken.labels | names
        )


def _relabel(
    change: Transaction, targets: Iterable[StoredFile], rule: LabelRule
) -> list[StoredFile]:
    changed = []
    for file in targets:
        names = frozenset(rule(set(file.labels)))
        if names == file.labels:
            continue
        files.set_labels(change.db, change.channel.id, file.id, names)
        changed.append((file, replace(file, labels=names)))
    for project_id in {file.project_id for file, _ in changed}:
        project = channels.get_project(change.db, project_id)
        mine = [new for old, new in changed if old.project_id == project_id]
        gone = frozenset().union(*(old.labels for old, _ in changed))
        change.rerender(project, *mine, labels=gone)
    return [new for _, new in changed]


def _select_files(change: Transaction, selection: Selection) -> list[StoredFile]:
    known = channels.find_project(change.db, change.channel.id, normalize_name(selection.project))
    if known is None:
        raise not_found(f"project '{selection.project[:100]}' in channel '{change.channel.name}'")
    return _select_project_files(change, known, selection)


def _select_project_files(
    change: Transaction, known: Project, selection: Selection
) -> list[StoredFile]:
    """Return the selected files and the packages converted from them."""
    every = files.list_project_files(change.db, known.id)
    versions = {file.version for file in every}
    if selection.version is not None:
        versions = find_versions(versions, selection.version)
    chosen = {
        file.id
        for file in every
        if file.version in versions and selection.basename in (None, file.basename)
    }
    if not chosen:
        raise not_found(f"file for {selection}")
    return [file for file in every if file.id in chosen or file.made_from in chosen]


def check_label(name: str) -> None:
    """Check the name of a label. Raises Refused."""
    if not _LABEL.fullmatch(name):
        raise Refused(
            "invalid-label",
            f"{name[:80]!a} cannot be a label",
            "letters, digits and . _ : -, at most 64",
        )


def check_unlocked(change: Transaction, names: Iterable[str]) -> None:
    """Check that none of the labels is locked. Raises Refused."""
    known = files.list_labels(change.db, change.channel.id)
    for name in names:
        if known.get(name):
            raise Refused(
                "label-locked",
                f"The label '{name}' is locked",
                "an administrator of the channel can unlock it",
                403,
            )


def _project_key(selection: Selection | None) -> str | None:
    return normalize_name(selection.project) if selection else None
