"""A folder that py-rattler works in for a while, gone afterwards whatever happens."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: py-rattler's threads go on linking for a moment after an interruption: so long it is tried to
#: remove what they write, and so long it is waited for what they write late (seconds).
REMOVAL_TIMEOUT = 15.0
LATE_WRITES = 0.3


@contextmanager
def temporary_folder(prefix: str = "twofold-try-") -> Iterator[Path]:
    """An empty folder; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    except BaseException:
        _remove(folder)
        time.sleep(LATE_WRITES)
        _remove(folder)
        raise
    _remove(folder)


def _remove(folder: Path) -> None:
    until = time.monotonic() + REMOVAL_TIMEOUT
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
