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
    from collections.abc import Sequence
    from threading import Thread
    from typing import Any

    from twofold.programs import StartedProgram

#: Bytes of source above which starting the reader costs less than the parser.
READER_BYTES = 4 << 10
#: Bytes of source above which a thread writes them, while the caller goes on.
_THREAD_BYTES = 32 << 10


def find_reader() -> str | None:
    """The program beside this Python; None where it is not installed."""
    folder = os.path.dirname(sys.executable or "")
    if os.name != "nt":
        places = [os.path.join(folder, "twofold-reader")]
    else:  # in an environment of conda Python itself is one folder above the programs
        places = [os.path.join(folder, *sub, "twofold-reader.exe") for sub in ((), ("Scripts",))]
    return next((place for place in places if os.path.exists(place)), None)


class Reading:
    """Modules that the reader reads beside this process; `finish` or `close` must be called.

    It says of each whether one of the `words` (two bytes at least) is in it.
    """

    def __init__(self, sources: Sequence[bytes], words: Sequence[str]) -> None:
        self._count = len(sources)
        self._program: StartedProgram | None = None
        self._feeder: Thread | None = None
        path = find_reader()
        size = sum(map(len, sources))
        if path is None or size < READER_BYTES:
            return
        from twofold.programs import StartedProgram

        command = [path, *words]
        try:
            program = StartedProgram(command, os.environ, with_errors=False, has_input=True)
        except OSError:
            return  # another machine's program: all is parsed then
        self._program = program
        frames = (piece for one in sources for piece in (b"%d\n" % len(one), one))
        if size < _THREAD_BYTES:
            program.write_input(frames)
            return
        from threading import Thread

        self._feeder = Thread(target=program.write_input, args=(frames,), daemon=True)
        self._feeder.start()

    @property
    def is_beside(self) -> bool:
        """Whether there is so much to read that other work should be done meanwhile."""
        return self._feeder is not None

    def finish(self) -> list[Any] | None:
        """The answer for each module (see `reader/src/main.rs`); None where it cannot run."""
        program, self._program = self._program, None
        if program is None:
            return None
        data, code = program.wait_for_bytes()
        import json

        try:
            answers = json.loads(data) if code == 0 else None
        except ValueError:
            return None  # another program of this name
        return answers if isinstance(answers, list) and len(answers) == self._count else None

    def close(self) -> None:
        """End the program if nobody has waited for it."""
        if self._program is not None:
            self._program.end()
            self._program = None
