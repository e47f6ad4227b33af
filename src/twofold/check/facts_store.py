"""The facts of modules: from the cache, or read by several processes at once."""

from __future__ import annotations

import gc
import json
import os
from hashlib import sha256

from twofold.check.cache import checks_folder, make_folder, write_entry
from twofold.check.facts import Facts, from_json, interpreter_key, parse_facts, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.archive import Content


class FactsStore:
    """The facts of modules, by the SHA-256 of each (hex), in one file for each project's name.

    The file depends on content alone, so another checkout and a cache of CI serve as well.
    """

    def __init__(self, project: str) -> None:
        name = sha256(f"{interpreter_key()} {project}".encode()).hexdigest()[:32]
        self._path = os.path.join(checks_folder(), "facts", f"{name}.json")
        self._known = self._read()
        self._used: dict[str, Facts] = {}
        self._is_new = False

    def _read(self) -> dict[str, Facts]:
        try:
            with open(self._path, encoding="utf-8") as file:
                return {key: from_json(value) for key, value in json.load(file).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return {}  # damaged or unreadable: the facts are read again

    def get(self, digest: str) -> Facts | None:
        """The facts of a module with this SHA-256, or None."""
        facts = self._used.get(digest) or self._known.get(digest)
        if facts is not None:
            self._used[digest] = facts
        return facts

    def put(self, digest: str, facts: Facts) -> None:
        """Store the facts of a module for `save`."""
        self._used[digest] = facts
        self._is_new = True

    def save(self) -> None:
        """Save the facts that this run used, and as many that another checkout may use."""
        if not self._is_new or not make_folder(os.path.dirname(self._path)):
            return
        others = [digest for digest in self._known if digest not in self._used]
        del others[len(self._used) :]
        found = {**self._used, **{digest: self._known[digest] for digest in others}}
        kept = {digest: to_json(facts) for digest, facts in found.items()}
        write_entry(self._path, json.dumps(kept, separators=(",", ":")).encode())


#: Bytes of new source above which starting processes (some 150 ms each) is worth it.
PARALLEL_BYTES = 3 << 20


def load_facts(project: str, contents: dict[str, Content]) -> dict[str, Facts]:
    """Path -> facts, of modules given as path -> content. What was new is kept in the cache.

    `project` is the project's name, normalized.
    """
    store = FactsStore(project)
    found: dict[str, Facts] = {}
    new: dict[str, bytes] = {}
    for content in contents.values():
        digest = content.sha256.hex()
        if digest not in found and store.get(digest) is None:
            new[digest] = content.data
    for digest, facts in zip(new, read_all_facts(list(new.values())), strict=True):
        store.put(digest, facts)
    for path, content in contents.items():
        facts_there = store.get(content.sha256.hex())
        assert facts_there is not None  # put above
        found[path] = facts_there
    store.save()
    return found


def read_all_facts(sources: list[bytes]) -> list[Facts]:
    """The facts of modules, in their order; in several processes when there is much to read."""
    workers = min(os.cpu_count() or 1, 8)
    is_collecting = gc.isenabled()
    gc.disable()  # syntax trees hold no circles: a search for them costs a twentieth of the time
    try:
        if workers < 2 or sum(map(len, sources)) < PARALLEL_BYTES:
            return [parse_facts(source) for source in sources]
        return _read_in_processes(sources, workers)
    finally:
        if is_collecting:
            gc.enable()


def _read_in_processes(sources: list[bytes], workers: int) -> list[Facts]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    share = max(1, len(sources) // (workers * 4))
    try:
        # 'spawn' on every system: a fork of a process with threads may hang.
        # There is nothing in cycles to collect: half a second in six is saved without the search.
        with ProcessPoolExecutor(workers, get_context("spawn"), gc.disable) as pool:
            return list(pool.map(parse_facts, sources, chunksize=share))
    except BrokenProcessPool:
        # A script that calls us without `if __name__ == "__main__"` cannot start processes.
        return [parse_facts(source) for source in sources]
