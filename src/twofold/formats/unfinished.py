"""A file that stands under its final name only when it is whole."""

from __future__ import annotations

import contextlib
import os

from twofold_build.atomic import hold


class Unfinished:
    """`stream` writes to a hidden name beside `target`; `keep` moves it there, in one step.

    A process that is killed leaves at most the hidden file, never half of `target`; the
    next build or conversion into that folder removes it (`twofold_build.atomic`).
    """

    def __init__(self, target: str) -> None:
        folder, name = os.path.split(os.path.abspath(target))
        os.makedirs(folder, exist_ok=True)
        self.target = target
        self._path = os.path.join(folder, f".{name}.{os.getpid()}-{id(self):x}.part")
        self.stream = open(self._path, "w+b")  # noqa: SIM115  (closed by keep or discard)
        hold(self.stream)

    def commit(self) -> None:
        self.stream.close()
        os.replace(self._path, self.target)

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # a full disk: what still waits need not be written
            self.stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path)
