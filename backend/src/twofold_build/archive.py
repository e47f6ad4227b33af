"""What goes into an archive, and what can take it: entries, their content, and writers.

A file of the project is read once and hashed once (`Content`) and then handed to every
writer, so that sdist, wheel and conda package are written side by side.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Writer(Protocol):
        """Takes entries in order and makes an archive of them.

        The file stands under its final name only after `close`; `abort` leaves nothing.
        The dry run is the real run with a writer that only lists.
        """

        def add(self, entry: Entry, content: Content) -> None: ...

        def close(self) -> None: ...

        def abort(self) -> None: ...


class Entry:
    """One file to pack.

    `path` is relative, with `/`, already checked to stay inside. The bytes come from
    `source` (a file) or from `data` (generated). `reason` says why the file is in, for
    `twofold build --list`.
    """

    __slots__ = ("data", "executable", "path", "reason", "source")

    def __init__(
        self,
        path: str,
        source: str | os.PathLike[str] | None = None,
        data: bytes | None = None,
        executable: bool = False,
        reason: str = "",
    ) -> None:
        self.path = path
        self.source = source
        self.data = data
        self.executable = executable
        self.reason = reason


class Content:
    """An entry's bytes and their SHA-256 (32 raw bytes), computed once for all writers."""

    __slots__ = ("data", "sha256")

    def __init__(self, data: bytes, sha256: bytes) -> None:
        self.data = data
        self.sha256 = sha256
