"""The findings of built files that were checked before.

`findings/KEY.json` in the checks' folder of the user's cache. KEY is computed from the files' names
and bytes, from the allowed files, and from everything of this installation that may judge
otherwise, other distributions included. So neither a rebuilt file nor another version of a rule
gets an old answer.
"""

from __future__ import annotations

import os
import sys

from twofold import __version__
from twofold.check.cache import checks_folder, interpreter_key, make_folder, prune, write_entry
from twofold.check.finding import Finding
from twofold.formats.light.plain_archives import (
    MAX_WHOLE,
    clear_tar_dates,
    clear_zip_dates,
    unpack_whole,
)
from twofold_build.archive import new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def make_key(paths: Sequence[str | os.PathLike[str]], allow: Sequence[str]) -> str | None:
    """The key of these files; None for a file that cannot be read.

    Under it is only what was kept while `may_keep`.
    """
    try:
        files = sorted(f"{os.path.basename(path)}\0{_hash_file(path)}" for path in paths)
    except OSError:
        return None
    versions = [interpreter_key(), __version__, *_list_installed()]
    text = "\n\0".join(("\0".join(versions), "\0".join(sorted(allow)), "\0".join(files)))
    return new_sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def may_keep() -> bool:
    """Whether findings may be kept: rules of other distributions may depend on anything."""
    from twofold.check.rule_table import GROUP
    from twofold.plugins import find_extensions

    return not find_extensions(GROUP)


def load_findings(key: str) -> list[Finding] | None:
    """The findings under a key; None when they are not known."""
    import json

    try:
        with open(_make_path(key), encoding="utf-8") as file:
            rows = json.load(file)["findings"]
        return [Finding(str(c), str(s), str(m), str(h), str(w)) for c, s, m, h, w in rows]
    except (OSError, ValueError, TypeError, LookupError):
        return None  # missing or damaged: the files are checked


def save_findings(key: str, findings: Sequence[Finding]) -> None:
    """Keep the findings of files. Their `fix` is None, as of every finding of a built file."""
    import json

    path = _make_path(key)
    folder = os.path.dirname(path)
    if make_folder(folder):
        prune(folder)
        rows = [[f.code, f.severity, f.message, f.hint, f.where] for f in findings]
        write_entry(path, json.dumps({"findings": rows}).encode())


def _list_installed() -> list[str]:
    """`NAME-VERSION.dist-info` of what is installed, and when: a module that it has is not missing,
    and it may have rules.
    """
    found: list[str] = []
    for folder in sys.path:
        try:
            with os.scandir(folder) as entries:
                found += [
                    f"{entry.name} {entry.stat().st_mtime_ns}"
                    for entry in entries
                    if entry.name.endswith("-info")
                ]
        except OSError:  # a zip file, or a folder that is missing
            continue
    return sorted(found)


def _hash_file(path: str | os.PathLike[str]) -> str:
    """A hash of all that a rule may look at, without the dates that make each build another one."""
    digest = new_sha256()
    with open(path, "rb", buffering=0) as stream:
        if os.fstat(stream.fileno()).st_size <= MAX_WHOLE:
            digest.update(_clear_dates(os.fspath(path), stream.readall()))
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _clear_dates(path: str, data: bytes) -> bytes:
    if path.endswith(".whl"):
        return clear_zip_dates(data)
    unpacked = unpack_whole(data) if path.endswith(".tar.gz") else None
    return data if unpacked is None else data[:4] + data[8:10] + clear_tar_dates(unpacked)


def _make_path(key: str) -> str:
    return os.path.join(checks_folder(), "findings", f"{key}.json")
