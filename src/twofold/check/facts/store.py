"""The facts of modules: from the cache, or read."""

from __future__ import annotations

import gc
import os

from twofold.check.cache import checks_folder, interpreter_key, make_folder, write_entry
from twofold.check.facts.model import Facts, from_json, to_json
from twofold.check.facts.quick import read_quick_facts
from twofold.check.facts.reader import READER_BYTES, Reading
from twofold_build.archive import new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from twofold.check.facts.quick import QuickFacts
    from twofold_build.archive import Content


#: Bytes of source above which starting further Pythons (some 150 ms each) is worth it.
PARALLEL_BYTES = 3 << 20
#: Bytes of source whose parsing takes some seconds.
MISSED_BYTES = 1 << 20


class FactsStore:
    """The facts of modules, by the SHA-256 of each (hex), in one file for each project's name.

    `None` is stored for a module that compiles, where nothing more is known. The file depends
    on content alone, so another checkout and a cache of CI serve as well.
    """

    def __init__(self, project: str) -> None:
        digest = new_sha256()
        digest.update(f"{interpreter_key()} {project}".encode())
        name = digest.hexdigest()[:32]
        self._path = os.path.join(checks_folder(), "facts", f"{name}.json")
        self._known = self._read()
        self._used: dict[str, list[Any] | None] = {}
        self._is_new = False

    def _read(self) -> dict[str, list[Any] | None]:
        if not os.path.exists(self._path):
            return {}
        import json

        try:
            with open(self._path, encoding="utf-8") as file:
                known = json.load(file)
        except (OSError, ValueError):
            return {}  # damaged or unreadable: the facts are read again
        return known if isinstance(known, dict) else {}

    def get(self, digest: str) -> Facts | None:
        """The facts of a module with this SHA-256, or None."""
        value = self._used.get(digest) or self._known.get(digest)
        if value is None:
            return None
        try:
            facts = from_json(value)
        except (TypeError, ValueError, LookupError, AttributeError):
            return None  # damaged
        self._used[digest] = value
        return facts

    def is_valid(self, digest: str) -> bool:
        """Whether a module with this SHA-256 is known to compile."""
        if digest in self._used:
            return True
        if digest not in self._known or self._known[digest] is not None:
            return False
        self._used[digest] = None
        return True

    def put(self, digest: str, facts: Facts | None) -> None:
        """Store the facts of a module for `save`, or only that it compiles."""
        self._used[digest] = None if facts is None else to_json(facts)
        self._is_new = True

    def save(self) -> None:
        """Save the facts that this run used, and as many that another checkout may use."""
        if not self._is_new or not make_folder(os.path.dirname(self._path)):
            return
        others = [digest for digest in self._known if digest not in self._used]
        del others[len(self._used) :]
        kept = {**self._used, **{digest: self._known[digest] for digest in others}}
        if any(kept.values()):
            import json

            text = json.dumps(kept, separators=(",", ":"))
        else:  # what a build leaves of a project without mistakes
            text = "{" + ",".join(f'"{digest}":null' for digest in kept) + "}"
        write_entry(self._path, text.encode())


def load_facts(project: str, contents: Mapping[str, Content]) -> dict[str, Facts]:
    """Path -> all facts, of modules given as path -> content. What was new is kept in the cache.

    `project` is the project's name, normalized.
    """
    store = FactsStore(project)
    found: dict[str, Facts] = {}
    new: dict[str, bytes] = {}
    for content in contents.values():
        digest = content.sha256.hex()
        if digest not in found and digest not in new:
            known = store.get(digest)
            if known is None:
                new[digest] = content.data
            else:
                found[digest] = known
    for digest, facts in zip(new, read_all_facts(list(new.values())), strict=True):
        store.put(digest, facts)
        found[digest] = facts
    store.save()
    return {path: found[content.sha256.hex()] for path, content in contents.items()}


class QuickLoad:
    """The facts of a project's modules that a build needs, read beside the caller's own work.

    `contents` are by the modules' paths in the project, whose name is normalized; `oldest` is the
    oldest minor version of Python 3 to run on.
    """

    def __init__(
        self, project: str, contents: Mapping[str, Content], oldest: int, words: Sequence[str]
    ) -> None:
        self._store = FactsStore(project)
        self._oldest = oldest
        self._digests = {path: content.sha256.hex() for path, content in contents.items()}
        self._found: dict[str, Facts | QuickFacts] = {}
        self._new: dict[str, bytes] = {}
        for path, digest in self._digests.items():
            if digest not in self._found and digest not in self._new:
                known = self._store.get(digest)
                if known is None:
                    self._new[digest] = contents[path].data
                else:
                    self._found[digest] = known
        self._sources = list(self._new.values())
        self._reading = Reading(self._sources, words)

    @property
    def is_beside(self) -> bool:
        """Whether another process reads."""
        return self._reading.is_beside

    def finish(self) -> tuple[dict[str, Facts | QuickFacts], set[str]]:
        """The facts by path, and the paths of modules in which none of the words is.

        What was new is kept in the cache.
        """
        answers = self._reading.finish()
        # Without the reader much is slow to read again.
        is_slow = answers is None and sum(map(len, self._sources)) >= READER_BYTES
        are_valid = [self._store.is_valid(digest) for digest in self._new]
        read = _read_sources(self._sources, answers, self._oldest, are_valid)
        for digest, facts, is_valid in zip(self._new, read, are_valid, strict=True):
            self._found[digest] = facts
            kept = facts if isinstance(facts, Facts) and (facts.mistake or is_slow) else None
            if kept or not is_valid:
                self._store.put(digest, kept)
        self._store.save()
        pairs = zip(self._new, answers or (), strict=answers is not None)
        wordless = {digest for digest, answer in pairs if answer is not None and not answer[1]}
        return (
            {path: self._found[digest] for path, digest in self._digests.items()},
            {path for path, digest in self._digests.items() if digest in wordless},
        )

    @property
    def wants_reader(self) -> bool:
        """Whether so much is to be parsed that the reader would be missed."""
        return not self.is_beside and sum(map(len, self._sources)) >= MISSED_BYTES

    def close(self) -> None:
        """End the program that may still read."""
        self._reading.close()


def read_all_quick_facts(sources: list[bytes], oldest: int) -> Sequence[Facts | QuickFacts]:
    """The facts of modules that a build needs, in their order."""
    answers = Reading(sources, ()).finish()
    return _read_sources(sources, answers, oldest, [False] * len(sources))


def _read_sources(
    sources: list[bytes], answers: list[Any] | None, oldest: int, are_valid: Sequence[bool]
) -> Sequence[Facts | QuickFacts]:
    if answers is None:
        return read_all_facts(sources)
    return [
        read_quick_facts(source, answer, oldest, is_valid)
        for source, answer, is_valid in zip(sources, answers, are_valid, strict=True)
    ]


def read_all_facts(sources: list[bytes]) -> list[Facts]:
    """All facts of modules, in their order; in several processes when there is much to read."""
    from twofold.check.facts.parse import parse_facts

    is_collecting = gc.isenabled()
    gc.disable()  # syntax trees hold no circles: a search for them costs a twentieth of the time
    try:
        if sum(map(len, sources)) < PARALLEL_BYTES:
            return [parse_facts(source) for source in sources]
        from twofold.check.facts.processes import run_in_processes

        return run_in_processes(parse_facts, sources)
    finally:
        if is_collecting:
            gc.enable()
