"""Which releases of a project a retention rule leaves, each side by its own order of versions.

A release counts when it is installable: one of its files is not yanked and has a label. The newest
`keep` of these stay, and so does whatever is newer than the oldest of them, so that a yanked
release never takes the place of a good one. Pre-releases are apart, as pip installs none unless
asked to: the newest `keep` of those that are newer than every release stay, and older ones go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from twofold.names.version_order import is_prerelease, sort_versions
from twofold.server.model import StoredFile

#: The reason with which a quarantine yanks a project's files; ending it unyanks them.
WITHHELD = "withheld: the project is quarantined"


def beyond_retention(
    files: Sequence[StoredFile], keep: int, limit: datetime, label: str = ""
) -> list[StoredFile]:
    """Return the files of the releases that do not stay and whose files are all older.

    With a label, only files under this label alone count and go.
    """
    if label:
        files = [file for file in files if file.labels == {label}]
    own = [file for file in files if file.made_from is None]
    python = [file for file in own if not file.kind.is_conda]
    conda = [file for file in own if file.kind.is_conda]
    due = [
        *_releases_beyond(python, keep, is_prerelease),
        *_releases_beyond(conda, keep, lambda _: False),
    ]
    gone: list[StoredFile] = []
    for release in due:
        ids = {file.id for file in release}
        every = [file for file in files if file.id in ids or file.made_from in ids]
        if all(file.uploaded_at < limit for file in every):
            gone += every
    return gone


def beyond_size(
    projects: Iterable[Sequence[StoredFile]], keep: int, excess: int
) -> list[StoredFile]:
    """Return the oldest releases, at least `excess` bytes of them, or all that may go.

    The newest `keep` releases of each project stay.
    """
    latest = datetime.max.replace(tzinfo=UTC)
    due: list[list[StoredFile]] = []
    for files in projects:
        releases: dict[tuple[bool, str], list[StoredFile]] = {}
        for file in beyond_retention(files, keep, latest):
            releases.setdefault((file.kind.is_conda and not file.made_from, file.version), [])
            releases[file.kind.is_conda and not file.made_from, file.version].append(file)
        due += releases.values()
    gone: list[StoredFile] = []
    for release in sorted(due, key=lambda files: max(file.uploaded_at for file in files)):
        if sum(file.size for file in gone) >= excess:
            break
        gone += release
    return gone


def _releases_beyond(
    files: Sequence[StoredFile], keep: int, is_early: Callable[[str], bool]
) -> list[list[StoredFile]]:
    """Return the files of each release of one side that does not stay, newest first."""
    releases: dict[str, list[StoredFile]] = {}
    for file in files:
        releases.setdefault(file.version, []).append(file)
    python = () if any(file.kind.is_conda for file in files) else releases
    ordered = sort_versions(python, releases)[::-1]
    installable = {version for version in ordered if any(map(_is_installable, releases[version]))}
    final = [version for version in ordered if not is_early(version)]
    newest = next((version for version in final if version in installable), None)
    ahead = ordered[: ordered.index(newest)] if newest is not None else ordered
    early = [version for version in ahead if is_early(version)]
    stay = {*_take(final, installable, keep), *_take(early, installable, keep)}
    return [releases[version] for version in ordered if version not in stay]


def _take(ordered: Sequence[str], installable: Collection[str], keep: int) -> Sequence[str]:
    """Return the versions, newest first, up to the installable one number `keep`."""
    if not keep:
        return ()
    count = 0
    for number, version in enumerate(ordered, 1):
        count += version in installable
        if count == keep:
            return ordered[:number]
    return ordered


def _is_installable(file: StoredFile) -> bool:
    return file.yanked in (None, WITHHELD) and bool(file.labels)
