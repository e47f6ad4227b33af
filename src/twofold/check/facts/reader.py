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
    from typing import Any

#: Bytes of source above which starting the reader costs less than the parser.
READER_BYTES = 24 << 10


def find_reader() -> str | None:
    """The program beside this Python; None where it is not installed."""
    name = "twofold-reader.exe" if os.name == "nt" else "twofold-reader"
    path = os.path.join(os.path.dirname(sys.executable or ""), name)
    return path if os.path.exists(path) else None


def read_answers(sources: Sequence[bytes], words: Sequence[str]) -> list[Any] | None:
    """What the reader says of each module (see `reader/src/main.rs`); None where it cannot run.

    Of each it says whether one of the `words` is in it.
    """
    program = find_reader()
    if program is None or sum(map(len, sources)) < READER_BYTES:
        return None
    import json
    import subprocess

    frames = b"".join(piece for one in sources for piece in (b"%d\n" % len(one), one))
    try:
        done = subprocess.run([program, *words], input=frames, capture_output=True, check=False)
        answers = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError):
        return None  # another machine's program, or one that was ended: all is parsed then
    return answers if isinstance(answers, list) and len(answers) == len(sources) else None
