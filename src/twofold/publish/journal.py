"""What was sent where, kept beside the files: an interrupted publication goes on from here.

The target itself is asked first; the journal answers where it cannot be (an index without
pages), and keeps a name from being used for other bytes after a rebuild. It holds addresses,
file names and hashes, never a secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from twofold.errors import TwofoldError

NAME = ".twofold-publish.json"

State = Literal["sending", "sent", "verified"]


@dataclass(frozen=True)
class Entry:
    """One file at one target. `sending`: begun, and the end was not seen."""

    target: str
    file: str
    sha256: str
    state: State


class Journal:
    """The journal of one folder; every note is on disk before the next request goes out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = _read(path)

    def get(self, target: str, file: str) -> Entry | None:
        return self._entries.get((target, file))

    def knows(self, file: str) -> bool:
        """Whether a file of that name was begun or sent anywhere."""
        return any(name == file for _, name in self._entries)

    def forget(self, target: str, file: str) -> None:
        """Nothing was sent after all: the target refused the file."""
        if self._entries.pop((target, file), None) is not None:
            self._save()

    def note(self, target: str, file: str, sha256: str, state: State) -> None:
        entry = Entry(target, file, sha256, state)
        if self._entries.get((target, file)) == entry:
            return
        self._entries[target, file] = entry
        self._save()

    def _save(self) -> None:
        value = {"version": 1, "files": [asdict(e) for e in self._entries.values()]}
        unfinished = self.path.with_name(self.path.name + ".part")
        unfinished.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="\n")
        unfinished.replace(self.path)


def _read(path: Path) -> dict[tuple[str, str], Entry]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
        entries = [Entry(**entry) for entry in value["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise TwofoldError(
            "the journal of earlier publications cannot be read",
            "remove it: what the targets have is asked again",
            str(path),
        ) from error
    return {(entry.target, entry.file): entry for entry in entries}
