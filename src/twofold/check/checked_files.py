"""The findings of built files that were checked before.

`findings/KEY.json` in the checks' folder of the user's cache. KEY is computed from the files' names
and bytes, from the allowed files, and from everything of this installation that may judge
otherwise, other distributions included. So neither a rebuilt file nor another version of a rule
gets an old answer.
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import file_digest, sha256

from twofold import __version__
from twofold.check.cache import checks_folder, make_folder, prune, write_entry
from twofold.check.finding import Finding
from twofold.check.rule_table import GROUP
from twofold.plugins import find_extensions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def make_key(paths: Sequence[Path], allow: Sequence[str]) -> str | None:
    """The key of these files; None where nothing may be kept.

    Rules of other distributions may depend on anything, and a file that cannot be read has no
    hash.
    """
    if find_extensions(GROUP):
        return None
    import packaging

    from twofold.check.facts.model import interpreter_key

    versions = [interpreter_key(), __version__, packaging.__version__, *_list_installed()]
    try:
        files = sorted((path.name, _hash_file(path)) for path in paths)
    except OSError:
        return None
    return sha256(json.dumps([versions, sorted(allow), files]).encode()).hexdigest()


def load_findings(key: str) -> list[Finding] | None:
    """The findings under a key; None when they are not known."""
    try:
        with open(_make_path(key), encoding="utf-8") as file:
            rows = json.load(file)["findings"]
        return [Finding(str(c), str(s), str(m), str(h), str(w)) for c, s, m, h, w in rows]
    except (OSError, ValueError, TypeError, LookupError):
        return None  # missing or damaged: the files are checked


def save_findings(key: str, findings: Sequence[Finding]) -> None:
    """Keep the findings of files. Their `fix` is None, as of every finding of a built file."""
    path = _make_path(key)
    folder = os.path.dirname(path)
    if make_folder(folder):
        prune(folder)
        rows = [[f.code, f.severity, f.message, f.hint, f.where] for f in findings]
        write_entry(path, json.dumps({"findings": rows}).encode())


def _list_installed() -> list[str]:
    """`NAME-VERSION.dist-info` of what is installed: a module that it has is not missing."""
    found: list[str] = []
    for folder in sys.path:
        try:
            found += [name for name in os.listdir(folder) if name.endswith("-info")]
        except OSError:  # a zip file, or a folder that is missing
            continue
    return sorted(found)


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _make_path(key: str) -> str:
    return os.path.join(checks_folder(), "findings", f"{key}.json")
