"""What was sent where, kept beside the files: an interrupted publication goes on from here.

The target itself is asked first; the journal answers where it cannot be (an index without
pages), and keeps a name from being used for other bytes after a rebuild. It holds addresses,
file names and hashes, never a secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from twofold.errors import TwofoldError
from twofold_build.atomic import write_atomically

JOURNAL_NAME = ".twofold-publish.json"

#: Of the file's form.
VERSION = 1

State = Literal["sending", "sent", "verified"]

#: Target and file.
Key = tuple[str, str]


@dataclass(frozen=True)
class JournalRecord:
    """One file at one target. `sending`: begun, and the end was not seen."""

    target: str
    file: str
    sha256: str
    state: State


class Journal:
    """The journal of one folder; every note is on disk before the next request goes out.

    Several publications of one folder may go on at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = _read(path)

    def get(self, target: str, file: str) -> JournalRecord | None:
        return self._entries.get((target, file))

    def contains(self, file: str) -> bool:
        """Whether a file of that name was begun or sent anywhere."""
        return any(name == file for _, name in self._entries)

    def remove(self, target: str, file: str) -> None:
        """Nothing was sent after all: the target refused the file."""
        if (target, file) in self._entries:
            self._change((target, file), None)

    def record(self, target: str, file: str, sha256: str, state: State) -> None:
        entry = JournalRecord(target, file, sha256, state)
        if self._entries.get((target, file)) != entry:
            self._change((target, file), entry)

    def _change(self, key: Key, entry: JournalRecord | None) -> None:
        """Change one entry on disk; what another publication noted meanwhile stays."""
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
            "remove it: what the targets have is asked again",
            str(path),
        )
    return {(entry.target, entry.file): entry for entry in entries}


def _is_valid(entry: JournalRecord) -> bool:
    texts = (entry.target, entry.file, entry.sha256)
    return all(isinstance(text, str) for text in texts) and entry.state in get_args(State)
