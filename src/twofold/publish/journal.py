"""The journal of uploads beside the files; an interrupted publication resumes from it.

The target is queried first; the journal counts if it cannot be (an index without pages), and
prevents reusing a file name for other contents after a rebuild. It contains URLs, file names and
hashes, never a secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from twofold.errors import TwofoldError
from twofold_build.atomic import write_atomically

JOURNAL_NAME = ".twofold-publish.json"

#: The version of the file format.
VERSION = 1

State = Literal["sending", "sent", "verified"]

#: (target, file)
Key = tuple[str, str]


@dataclass(frozen=True)
class JournalRecord:
    """One file at one target. `sending`: started, and its end is not known."""

    target: str
    file: str
    sha256: str
    state: State


class Journal:
    """The journal of one folder; every record is on disk before the next request is sent.

    Several publications of one folder may run at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = _read(path)

    def get(self, target: str, file: str) -> JournalRecord | None:
        """Return the record of a file at a target, if any."""
        return self._entries.get((target, file))

    def contains(self, file: str) -> bool:
        """Whether the upload of a file of that name was started anywhere."""
        return any(name == file for _, name in self._entries)

    def remove(self, target: str, file: str) -> None:
        """Remove the record of a file that the target refused."""
        if (target, file) in self._entries:
            self._change((target, file), None)

    def record(self, target: str, file: str, sha256: str, state: State) -> None:
        """Write the state of a file at a target."""
        entry = JournalRecord(target, file, sha256, state)
        if self._entries.get((target, file)) != entry:
            self._change((target, file), entry)

    def _change(self, key: Key, entry: JournalRecord | None) -> None:
        """Change one record on disk; records of concurrent publications are kept."""
        self._entries = _read(self.path)
        self._entries.pop(key, None)
        if entry is not None:
            self._entries[key] = entry
        value = {"version": VERSION, "files": [asdict(e) for e in self._entries.values()]}
        write_atomically(self.path, f"{json.dumps(value, indent=1)}\n".encode())


def _read(path: Path) -> dict[Key, JournalRecord]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
        entries = [JournalRecord(**entry) for entry in value["files"]]
        is_ours = value.get("version") == VERSION and all(map(_is_valid, entries))
    except (ValueError, KeyError, TypeError, AttributeError):
        is_ours = False
    if not is_ours:
        raise TwofoldError(
            "the journal of earlier publications cannot be read",
            "remove it: the targets are then queried again",
            str(path),
        )
    return {(entry.target.rstrip("/"), entry.file): entry for entry in entries}


def _is_valid(entry: JournalRecord) -> bool:
    texts = (entry.target, entry.file, entry.sha256)
    return all(isinstance(text, str) for text in texts) and entry.state in get_args(State)
