"""Which hash functions a process uses: Python's own only while OpenSSL is not loaded."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
from twofold_build.archive import choose_hashes, new_sha256
choose_hashes(10)
first = type(new_sha256(b"x")).__module__
import hashlib
second = type(new_sha256(b"x")).__module__
print(first, second, new_sha256(b"x").hexdigest() == hashlib.sha256(b"x").hexdigest())
"""


def test_a_small_build_does_not_slow_down_what_the_process_hashes_later() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    first, second, is_same = done.stdout.split()
    assert first in ("_sha2", "_sha256", "_hashlib")
    assert (second, is_same) == ("_hashlib", "True")
