"""`load_file_regex`: a pattern looked for in a file, within a bounded time.

Python's `re` has no limit of its own: a pattern such as `(a+)+$` takes years on 40 letters. The
search runs in a process of its own, which is ended when it takes longer than a search may.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twofold.errors import TwofoldError

#: Seconds for all searches of one reading, the start of their processes included.
MAX_SECONDS = 5.0
#: Letters of a pattern.
MAX_PATTERN = 1000
_SEARCH = """\
import json, re, sys
asked = json.loads(sys.stdin.buffer.read())
try:
    found = re.search(asked["pattern"], asked["text"])
except (re.error, OverflowError, RecursionError) as error:
    print(json.dumps({"error": str(error)}))
else:
    told = found and {"all": found.group(), "groups": found.groups(), "named": found.groupdict()}
    print(json.dumps({"found": told}))
"""


class Match:
    """What was found, with as much of `re.Match` as recipes use."""

    offered = ("group", "groups", "groupdict")

    def __init__(self, found: dict[str, Any]) -> None:
        self._groups = [found["all"], *found["groups"]]
        self._named = found["named"]

    def group(self, *which: int | str) -> object:
        """The whole for no argument or 0; several arguments give a list."""
        found = [self[one] for one in which or (0,)]
        return found if len(found) > 1 else found[0]

    def groups(self) -> list[str | None]:
        return self._groups[1:]

    def groupdict(self) -> dict[str, str | None]:
        return dict(self._named)

    def __getitem__(self, which: int | str) -> str | None:
        found: str | None = self._named[which] if isinstance(which, str) else self._groups[which]
        return found


def search_file(
    path: Path, pattern: object, shown_name: str, seconds: float = MAX_SECONDS
) -> Match:
    """Raises TwofoldError for a pattern that is none, finds nothing or takes too long."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise TwofoldError(f"load_file_regex: the pattern must be a text of {MAX_PATTERN} letters")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps({"pattern": pattern, "text": text}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TwofoldError(
            f"load_file_regex: looking for '{pattern}' in {shown_name} takes too long",
            "write a pattern without repeats inside repeats",
        ) from error
    told: dict[str, Any] = {"error": "the search broke off"}
    if done.returncode == 0:
        told = json.loads(done.stdout)
    if "error" in told:
        raise TwofoldError(f"load_file_regex: '{pattern}' is no pattern: {told['error']}")
    if told["found"] is None:
        raise TwofoldError(
            f"load_file_regex: '{pattern}' is not found in {shown_name}", "compare it with the file"
        )
    return Match(told["found"])
