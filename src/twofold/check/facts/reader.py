"""The compiled reader: what modules import and name, without their syntax trees.

It is a program of its own, in Rust (the distribution twofold-reader, in `reader/`), so that no
byte of a module can harm this process. It answers only where it is sure, and then as `parse`
would; `tests/check/test_reader.py` compares the two. Without it every module is parsed.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from typing import Any

#: Bytes of source above which starting the reader costs less than the parser.
READER_BYTES = 24 << 10


def find_reader() -> str | None:
    """The program beside this Python; None where it is not installed."""
    name = "twofold-reader.exe" if os.name == "nt" else "twofold-reader"
    path = os.path.join(os.path.dirname(sys.executable or ""), name)
    return path if os.path.exists(path) else None


class Reading:
    """Modules that the reader reads beside this process.

    It says of each whether one of the `words` (two bytes at least) is in it.
    """

    def __init__(self, sources: Sequence[bytes], words: Sequence[str]) -> None:
        self._count = len(sources)
        self._process: subprocess.Popen[bytes] | None = None
        program = find_reader()
        if program is None or sum(map(len, sources)) < READER_BYTES:
            return
        import subprocess
        from threading import Thread

        try:
            self._process = subprocess.Popen(
                [program, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return  # another machine's program: all is parsed then
        self._feeder = Thread(target=_feed, args=(self._process, sources), daemon=True)
        self._feeder.start()

    @property
    def is_beside(self) -> bool:
        """Whether the program reads."""
        return self._process is not None

    def finish(self) -> list[Any] | None:
        """The answer for each module (see `reader/src/main.rs`); None where it cannot run."""
        if self._process is None or self._process.stdout is None:
            return None
        with self._process:
            data = self._process.stdout.read()
            self._feeder.join()
        import json

        try:
            answers = json.loads(data)
        except ValueError:
            return None  # it was ended: all is parsed
        return answers if isinstance(answers, list) and len(answers) == self._count else None

    def close(self) -> None:
        """End the program if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self._process.wait()


def _feed(process: subprocess.Popen[bytes], sources: Sequence[bytes]) -> None:
    """Write the modules, which the program reads to their end before it answers."""
    assert process.stdin is not None
    try:
        with process.stdin as target:
            for source in sources:
                target.write(b"%d\n" % len(source))
                target.write(source)
    except OSError:
        return  # it has ended, and has no answer
