"""What two files of a project differ in: members added, removed and changed, and their texts."""

from __future__ import annotations

import difflib
import re
import time
from dataclasses import dataclass

from twofold.errors import Refused
from twofold.names.version_order import find_versions
from twofold.server.context import Registry, not_found
from twofold.server.model import Actor, Channel, Project, StoredFile
from twofold.server.registry import queries
from twofold.server.registry.browsing.inside import (
    MAX_FILE,
    decode_text,
    opened,
    show_controls,
)
from twofold.server.registry.browsing.members import Content, hash_members, read_members

#: The most bytes of a text that are compared line by line, and lines of it.
MAX_TEXT, MAX_LINES = 128 << 10, 2000

#: The most lines of all differences together, and seconds for finding them.
MAX_DIFF_LINES, MAX_SECONDS = 4000, 5.0

#: Members of each kind that are listed.
MAX_LISTED = 1000

#: Lists of hashes, which change with everything else.
_LISTS = re.compile(r"[^/]+\.dist-info/RECORD|info/(?:paths\.json|files|hash_input\.json)")


@dataclass(frozen=True, slots=True)
class ChangedMember:
    """A member that both files have; `diff` is '' where it is not shown, and `note` says why."""

    path: str
    old_size: int
    new_size: int
    diff: str
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of two files: paths and sizes of what came and went, and what changed.

    `left_out` counts members beyond the limit of each list.
    """

    old: StoredFile
    new: StoredFile
    added: tuple[tuple[str, int], ...]
    removed: tuple[tuple[str, int], ...]
    changed: tuple[ChangedMember, ...]
    unchanged: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Comparable:
    """A project's files that can be compared, and the two that are."""

    channel: Channel
    project: Project
    files: list[StoredFile]
    versions: list[str]
    old: StoredFile | None
    new: StoredFile | None


def choose_files(
    registry: Registry, actor: Actor, channel: str, name: str, chosen: tuple[str, str]
) -> Comparable:
    """Return the files that two words choose: versions or basenames of a project's files.

    Of versions the files that are most alike are taken: wheels or packages of the same platform,
    else wheels, sdists, packages. '' means the newest release, or the one before the other.
    Raises Refused (404).
    """
    found = queries.get_channel(registry, actor, channel)
    project = queries.get_project(registry, actor, channel, name)
    queries.check_not_quarantined(project)
    files = queries.list_files(registry, project)
    versions = queries.list_versions_newest_first(files)
    wanted_old, wanted_new = chosen
    if not wanted_new and versions:
        wanted_new = versions[0]
    if not wanted_old:
        named = {file.version for file in files if file.basename == wanted_new}
        version = next(iter(named), wanted_new)
        older = versions[versions.index(version) + 1 :] if version in versions else []
        wanted_old = older[0] if older else ""
    pairs = [
        (old, new)
        for old in _choose(files, wanted_old)
        for new in _choose(files, wanted_new)
        if old.kind.is_conda is new.kind.is_conda and old.id != new.id
    ]
    if (chosen[0] or chosen[1]) and not pairs:
        raise not_found(f"pair of files for {wanted_old[:100]!r} and {wanted_new[:100]!r}")
    old, new = min(pairs, key=_rank_pair, default=(None, None))
    return Comparable(found, project, files, versions, old, new)


def _choose(files: list[StoredFile], wanted: str) -> list[StoredFile]:
    exact = [file for file in files if file.basename == wanted]
    named = find_versions({file.version for file in files}, wanted)
    return exact or [file for file in files if file.version in named]


def _rank_pair(pair: tuple[StoredFile, StoredFile]) -> tuple[object, ...]:
    """Rank pairs of the same form and platform first; then wheels, sdists, packages."""
    old, new = pair
    same_place = (old.subdir, old.tags) == (new.subdir, new.tags)
    order = 2 if new.kind.is_conda else 0 if new.tags else 1
    return old.kind is not new.kind, not same_place, order, new.id, -old.id


def compare(registry: Registry, old: StoredFile, new: StoredFile) -> Comparison:
    """Compare the members of two files. Raises BadFile, and Refused for files too large."""
    for file in (old, new):
        if file.size > MAX_FILE:
            text = f"{file.basename} is larger than {MAX_FILE >> 20} MiB"
            raise Refused("too-large-to-open", text, "download both files", 413)
    with opened(registry, old) as path:
        before = _by_place(old, hash_members(path))
    with opened(registry, new) as path:
        after = _by_place(new, hash_members(path))
    added = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    both = sorted(after.keys() & before.keys())
    changed = [place for place in both if before[place][1:] != after[place][1:]]
    changed.sort(key=lambda place: (bool(_LISTS.fullmatch(place)), place))
    shown = changed[:MAX_LISTED]
    left_out = sum(max(0, len(each) - MAX_LISTED) for each in (added, removed, changed))
    return Comparison(
        old,
        new,
        tuple((after[place][0], after[place][1]) for place in added[:MAX_LISTED]),
        tuple((before[place][0], before[place][1]) for place in removed[:MAX_LISTED]),
        tuple(_compare_texts(registry, (old, new), (before, after), shown)),
        len(both) - len(changed),
        left_out,
    )


#: Place -> path, size, SHA-256 of a member.
_Members = dict[str, tuple[str, int, str]]


def _by_place(file: StoredFile, hashes: dict[str, tuple[int, str]]) -> _Members:
    """Return the members by their place, without the version that is in some folders' names."""
    found: _Members = {}
    for path, (size, sha256) in hashes.items():
        place = path
        if not file.kind.is_conda:
            root, slash, rest = path.partition("/")
            if not file.tags and slash:
                place = rest
            elif root.endswith((".dist-info", ".data")):
                place = f"*{root[root.rindex('.') :]}{slash}{rest}"
        found[place] = (path, size, sha256)
    return found


def _compare_texts(
    registry: Registry,
    files: tuple[StoredFile, StoredFile],
    members: tuple[_Members, _Members],
    places: list[str],
) -> list[ChangedMember]:
    texts: list[dict[str, Content]] = []
    for file, own in zip(files, members, strict=True):
        wanted = [own[place][0] for place in places if own[place][1] <= MAX_TEXT]
        with opened(registry, file) as path:
            texts.append(read_members(path, wanted, MAX_TEXT) if wanted else {})
    found = []
    lines_left, until = MAX_DIFF_LINES, time.monotonic() + MAX_SECONDS
    for place in places:
        (old_path, old_size, _), (new_path, new_size, _) = (own[place] for own in members)
        diff, note = "", ""
        if _LISTS.fullmatch(place):
            note = "a list of hashes"
        elif old_path not in texts[0] or new_path not in texts[1]:
            note = "too large to be compared line by line"
        elif lines_left <= 0 or time.monotonic() > until:
            note = "not compared line by line: there are too many differences"
        else:
            diff, note = _diff(old_path, texts[0][old_path], new_path, texts[1][new_path])
        lines = diff.splitlines()
        if len(lines) > lines_left:
            diff, note = "\n".join(lines[:lines_left]), "cut: there are too many differences"
        lines_left = max(0, lines_left - len(lines))
        found.append(ChangedMember(new_path, old_size, new_size, diff, note))
    return found


def _diff(old_path: str, old: Content, new_path: str, new: Content) -> tuple[str, str]:
    """Return a unified diff, or '' and the reason why there is none."""
    before, after = decode_text(old), decode_text(new)
    if before is None or after is None:
        return "", "binary"
    left, right = (show_controls(text).split("\n") for text in (before, after))
    if max(len(left), len(right)) > MAX_LINES:
        return "", f"not compared line by line: it has more than {MAX_LINES} lines"
    lines = list(difflib.unified_diff(left, right, old_path, new_path, lineterm=""))
    return "\n".join(lines), "" if lines else "only the ends of lines differ"
