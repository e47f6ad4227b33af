"""A function in further Pythons, whose arguments and results go through pipes.

Nothing of the calling program is run again there, as `multiprocessing` would have it: a script
that calls twofold needs no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from threading import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Result = TypeVar("Result")

#: The path comes first: what is in the working folder is not imported.
_PROGRAM = """
import sys, pickle
sys.path = pickle.load(sys.stdin.buffer)
from twofold.check.facts.processes import answer_call
answer_call()
"""


class Call:
    """A call of a function that runs beside the caller's own work; `close` gives it up."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._call = (function, arguments)
        self._answer = b""
        self._process: subprocess.Popen[bytes] | None = None
        if not os.path.basename(sys.executable or "").lower().startswith(("python", "pypy")):
            return  # a program that holds a Python, and would run itself again
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return  # no further process may be started
        data = pickle.dumps(list(sys.path)) + pickle.dumps(self._call)
        self._thread = Thread(target=self._exchange, args=(self._process, data), daemon=True)
        self._thread.start()

    def _exchange(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None and process.stdout is not None
        # Few calls of many bytes: between two of them the caller's work may take the interpreter.
        with suppress(BrokenPipeError), process.stdin as target:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(target.fileno(), rest) :]
        with process.stdout as source:
            self._answer = source.read()
        process.wait()

    def result(self) -> Any:
        """What the function returns; where its process ended early, it is called here."""
        if self._process is not None:
            self._thread.join()
            if self._process.returncode == 0:
                return pickle.loads(self._answer)
        function, arguments = self._call
        return function(*arguments)

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._thread.join()


def count_processors() -> int:
    """The processors that this process may use, eight at most."""
    allowed = getattr(os, "sched_getaffinity", None)
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, 8)


def answer_call() -> None:
    """Call the function that comes through stdin, and write its result to stdout."""
    import gc

    gc.disable()  # there is nothing in circles: half a second in six is saved without the search
    answer, sys.stdout = sys.stdout.buffer, sys.stderr
    function, arguments = pickle.load(sys.stdin.buffer)
    answer.write(pickle.dumps(function(*arguments)))
    answer.flush()
    os._exit(0)


def run_in_processes(function: Callable[[bytes], Result], sources: list[bytes]) -> list[Result]:
    """The results in the order of the sources; this process takes a share of them too."""
    workers = count_processors()
    calls = [Call(_call_each, function, sources[n::workers]) for n in range(1, workers)]
    try:
        shares = [_call_each(function, sources[::workers]), *(call.result() for call in calls)]
    finally:
        for call in calls:
            call.close()
    results: list[Any] = list(sources)
    for number, share in enumerate(shares):
        results[number::workers] = share
    return results


def _call_each(function: Callable[[bytes], Result], sources: list[bytes]) -> list[Result]:
    return [function(source) for source in sources]
