"""Replace a converted package by the package that its author uploads or promotes.

A build has one name and two formats, `.conda` and `.tar.bz2`: conda takes both for one package and
installs the `.conda`. So an author's package replaces a converted one of either format.
"""

from __future__ import annotations

from collections.abc import Sequence

from twofold.server.context import Transaction
from twofold.server.model import StoredFile
from twofold.server.store import Connection, files

_FORMATS = (".conda", ".tar.bz2")


def find_other_format(
    db: Connection, channel_id: int, subdir: str, filename: str
) -> StoredFile | None:
    """Return the package of the same build in the other format, None if there is none."""
    for own, other in (_FORMATS, _FORMATS[::-1]):
        if filename.endswith(own):
            found = files.find_file(db, channel_id, subdir, filename.removesuffix(own) + other)
            return found if found is not None and found.deleted_at is None else None
    return None


def find_converted_other(change: Transaction, subdir: str, filename: str) -> StoredFile | None:
    """Return the converted package of the same build in the other format."""
    found = find_other_format(change.db, change.channel.id, subdir, filename)
    return found if found is not None and found.made_from is not None else None


def has_authors_package(db: Connection, channel_id: int, subdir: str, filename: str) -> bool:
    """Whether the channel has its author's package of this name, or of its other format."""
    found = (
        files.find_file(db, channel_id, subdir, filename),
        find_other_format(db, channel_id, subdir, filename),
    )
    return any(one is not None and one.made_from is None for one in found)


def can_replace(taken: StoredFile | None, sha256: str) -> bool:
    """Whether the holder of a name is a converted package, and the other file another one."""
    return taken is not None and taken.made_from is not None and taken.sha256 != sha256


def replace_converted(change: Transaction, converted: StoredFile) -> StoredFile | None:
    """Free the name of a converted package; its record stays, deleted and under another name.

    Returns the file that has the name now: None.
    """
    files.update_file(
        change.db,
        converted.id,
        deleted_at=converted.deleted_at or change.at,
        filename=f"{converted.filename}~{converted.sha256[:12]}",
    )
    change.audit("replace-converted", converted.basename, sha256=converted.sha256)
    return files.find_file(change.db, change.channel.id, converted.subdir, converted.filename)


def replace_converted_other(change: Transaction, subdir: str, filename: str) -> None:
    """Replace the converted package of the same build in the other format, if there is one."""
    other = find_converted_other(change, subdir, filename)
    if other is not None:
        replace_converted(change, other)


def is_new_or_replaces(file: StoredFile, taken: StoredFile | None) -> bool:
    """Whether a promoted file has a free name, or is its author's and replaces a converted one."""
    return taken is None or (file.made_from is None and can_replace(taken, file.sha256))


def select_new(coming: Sequence[StoredFile], present: Sequence[StoredFile]) -> list[StoredFile]:
    """Return the promoted files that are new beside a project's files, or replace one of them."""
    taken = {(file.subdir, file.filename): file for file in present}
    return [one for one in coming if is_new_or_replaces(one, taken.get((one.subdir, one.filename)))]
