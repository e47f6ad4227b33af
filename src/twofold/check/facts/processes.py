"""A function over many modules, in several processes."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")


def run_in_processes(
    function: Callable[[bytes], Result], sources: list[bytes], workers: int
) -> list[Result]:
    """The results in the order of the sources."""
    share = max(1, len(sources) // (workers * 4))
    try:
        # 'spawn' on every system: a fork of a process with threads may hang.
        # There is nothing in cycles to collect: half a second in six is saved without the search.
        with ProcessPoolExecutor(workers, get_context("spawn"), gc.disable) as pool:
            return list(pool.map(function, sources, chunksize=share))
    except BrokenProcessPool:
        # A script that calls us without `if __name__ == "__main__"` cannot start processes.
        return [function(source) for source in sources]
