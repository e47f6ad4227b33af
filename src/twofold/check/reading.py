"""The facts of many modules: from the cache, or read by several processes at once."""

from __future__ import annotations

import gc
import os

from twofold.check.cache import FactsStore
from twofold.check.facts import Facts, parse_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.archive import Content

#: Bytes of new source above which starting processes (some 150 ms each) is worth it.
PARALLEL_BYTES = 3 << 20


def load_facts(root: str, contents: dict[str, Content]) -> dict[str, Facts]:
    """Path -> facts, of modules given as path -> content. What was new is kept in the cache."""
    store = FactsStore(root)
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
    if workers < 2 or sum(map(len, sources)) < PARALLEL_BYTES:
        return [parse_facts(source) for source in sources]
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
