"""What checks remember from run to run, in the user's cache: never needed, only quicker.

`clean/KEY` is an empty file: a project whose files and settings hash to KEY has no errors.
`facts/HASH.json` holds what was read from the modules of one project, by the hash of each.
The names depend on the interpreter and on the rules' version, so nothing stale is read.
"""

from __future__ import annotations

import os

from twofold.cache_dir import get_cache_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.facts import Facts

#: As many verdicts are kept; each costs a directory entry.
_MAX_VERDICTS = 2000


def checks_folder() -> str:
    """The checks' part of the user's cache."""
    return os.path.join(get_cache_dir(), "check")


def is_clean(key: str) -> bool:
    return os.path.exists(os.path.join(checks_folder(), "clean", key))


def mark_clean(key: str) -> None:
    """Remember that nothing stops the build of what hashes to `key`."""
    place = os.path.join(checks_folder(), "clean")
    if not _make_folder(place):
        return
    known = os.listdir(place)
    if len(known) >= _MAX_VERDICTS:
        for old in sorted(known, key=lambda name: _modified_at(os.path.join(place, name)))[
            : _MAX_VERDICTS // 2
        ]:
            _remove(os.path.join(place, old))
    _write(os.path.join(place, key), b"")


class FactsStore:
    """The facts of one project's modules, by the SHA-256 of each (hex)."""

    def __init__(self, root: str) -> None:
        from hashlib import sha256

        from twofold.check.facts import interpreter_key

        name = sha256(f"{interpreter_key()} {os.path.realpath(root)}".encode()).hexdigest()[:32]
        self._path = os.path.join(checks_folder(), "facts", f"{name}.json")
        self._known = self._read()
        self._used: dict[str, Facts] = {}
        self._is_new = False

    def _read(self) -> dict[str, Facts]:
        import json

        from twofold.check.facts import from_json

        try:
            with open(self._path, encoding="utf-8") as file:
                return {key: from_json(value) for key, value in json.load(file).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return {}  # damaged or unreadable: what it said is found anew

    def get(self, digest: str) -> Facts | None:
        facts = self._used.get(digest) or self._known.get(digest)
        if facts is not None:
            self._used[digest] = facts
        return facts

    def put(self, digest: str, facts: Facts) -> None:
        self._used[digest] = facts
        self._is_new = True

    def save(self) -> None:
        """Keep what was asked for in this run, and only that."""
        if not self._is_new or not _make_folder(os.path.dirname(self._path)):
            return
        import json

        from twofold.check.facts import to_json

        kept = {digest: to_json(facts) for digest, facts in self._used.items()}
        _write(self._path, json.dumps(kept, separators=(",", ":")).encode())


def _make_folder(place: str) -> bool:
    """Whether there is a folder to write to: a read-only home is no reason to fail."""
    try:
        os.makedirs(place, exist_ok=True)
    except OSError:
        return False
    return True


def _write(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        _remove(temporary)  # a full disk costs the cache, not the build


def _modified_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        return
    except OSError:
        return  # Windows: another process has it open; it goes next time
