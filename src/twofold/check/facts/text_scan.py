"""Searches through the text of many modules, by another process beside the reading of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from twofold.check.facts.compiling import SourceFile

#: Bytes of source above which another Python, which starts in some 50 ms, pays.
SCAN_BYTES = 4 << 20
#: What is found in a module: the compiler may refuse what ruff takes; there may be a secret.
_SURPRISES_RUFF, _HOLDS_SECRET = 1, 2


class TextScan:
    """The search, which begins at once. `files` are modules by the SHA-256 of each (hex).

    Of a module that has changed since it was read nothing is known.
    """

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        from twofold.check.facts.processes import Call

        self._digests = list(files)
        paths = [file.path for file in files.values()]
        self._call: Call | None = Call(scan_files, list(zip(paths, files, strict=True)))
        self._marks: dict[str, int | None] = {}

    def surprises_ruff(self, digest: str) -> bool | None:
        """Whether the compiler may refuse what ruff takes; None where that is not known."""
        mark = self._read_marks().get(digest)
        return None if mark is None else bool(mark & _SURPRISES_RUFF)

    def may_hold_secret(self, digest: str) -> bool:
        """Whether a module may hold one of the forms of TF201."""
        mark = self._read_marks().get(digest)
        return mark is None or bool(mark & _HOLDS_SECRET)

    def close(self) -> None:
        """End the search."""
        if self._call is not None:
            self._call.close()

    def _read_marks(self) -> dict[str, int | None]:
        if self._call is not None:
            marks = self._call.result()
            self._call = None
            self._marks = dict(zip(self._digests, marks, strict=True))
        return self._marks


def start_scan(files: Mapping[str, SourceFile]) -> TextScan | None:
    """Start the search where there is much to search, and a second processor for it."""
    if sum(len(file.source) for file in files.values()) < SCAN_BYTES:
        return None
    from twofold.check.facts.processes import count_processors

    if count_processors() < 2 or not all(file.path for file in files.values()):
        return None
    return TextScan(files)


def scan_files(files: list[tuple[str, str]]) -> list[int | None]:
    """Search modules on disk, given with their SHA-256 (hex); None for one that has changed."""
    from twofold.check.facts.compiling import may_surprise_ruff
    from twofold.check.rules.secrets import holds_form
    from twofold_build.archive import read_content

    marks: list[int | None] = []
    for path, digest in files:
        try:
            content = read_content(path)
        except OSError:
            marks.append(None)
            continue
        mark = _SURPRISES_RUFF if may_surprise_ruff(content.data) else 0
        mark |= _HOLDS_SECRET if holds_form(content.data) else 0
        marks.append(mark if content.sha256.hex() == digest else None)
    return marks
