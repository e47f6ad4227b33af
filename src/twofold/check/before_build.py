"""The rules that stop a build, on the path of every `twofold build`: so each import counts here.

Unchanged projects are recognised by the hash of everything packed, and only read and hashed.
"""

from __future__ import annotations

import gc
import os
import sys

from twofold.check.packed_files import read_files, select_packed
from twofold_build.archive import new_sha256, read_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twofold.check.finding import Finding
    from twofold.check.projects import StoppingErrors
    from twofold_build.archive import Content
    from twofold_build.files import FileSelection
    from twofold_build.model import Project


class StartedCheck:
    """The check of what would be packed, beside the caller's own work.

    `finish` or `close` must be called. Raises ProjectErrors for mistakes in its settings.
    """

    def __init__(
        self, project: Project, pack: FileSelection | None, known: Mapping[str, Content]
    ) -> None:
        from twofold.check import cache

        if pack is None:
            pack = select_packed(project)
        contents = read_files(pack, known)
        self._key = _cache_key(project, pack, contents)
        self._errors: StoppingErrors | None = None
        self._is_collecting = gc.isenabled()
        if not cache.is_clean(self._key):
            from twofold.check.projects import StoppingErrors

            gc.disable()  # nothing here holds circles: a search costs a tenth of the time
            try:
                self._errors = StoppingErrors(project, pack, contents)
            except BaseException:
                self._collect()
                raise

    @property
    def is_beside(self) -> bool:
        """Whether another process reads the modules."""
        return self._errors is not None and self._errors.is_beside

    @property
    def wants_reader(self) -> bool:
        """Whether the compiled reader, which is not installed, would be much quicker."""
        return self._errors is not None and self._errors.wants_reader

    def finish(self) -> list[Finding]:
        """The errors found, in the order of files and lines."""
        if self._errors is None:
            return []
        from twofold.check import cache

        try:
            found = self._errors.finish()
        finally:
            self.close()
        if not found:
            cache.mark_clean(self._key)
        return found

    def close(self) -> None:
        """Give the check up if it has not finished."""
        if self._errors is not None:
            self._errors.close()
            self._errors = None
            self._collect()

    def _collect(self) -> None:
        if self._is_collecting:
            gc.enable()


def find_errors(
    project: Project, pack: FileSelection | None, known: Mapping[str, Content]
) -> list[Finding]:
    """The errors found in what would be packed, in the order of files and lines."""
    return StartedCheck(project, pack, known).finish()


def find_built_errors(
    root: str | os.PathLike[str], paths: Sequence[str | os.PathLike[str]]
) -> list[Finding]:
    """The errors in what another backend built; files with the bytes of clean ones are not read."""
    from twofold.check import cache
    from twofold.check.checked_files import make_key, may_keep

    files = make_key(paths, ())
    settings = os.path.join(root, "pyproject.toml")
    key = new_sha256(f"errors\0{files}\0".encode())
    key.update(read_content(settings).data if os.path.exists(settings) else b"")
    if files is not None and cache.is_clean(key.hexdigest()):
        return []
    from pathlib import Path

    from twofold.check import artifacts

    found = artifacts.find_built_errors(Path(root), [Path(path) for path in paths])
    if files is not None and not found and may_keep():
        cache.mark_clean(key.hexdigest())
    return found


def _cache_key(project: Project, pack: FileSelection, contents: dict[str, Content]) -> str:
    """A hash of all that the verdict depends on: files, version, interpreter, rules.

    The settings are in it, because pyproject.toml is packed.
    """
    from twofold.check.cache import RULES_VERSION

    digest = new_sha256()
    python = f"{sys.implementation.cache_tag}-{sys.version_info[2]}"
    digest.update(f"{python}\0{RULES_VERSION}\0{project.version}\0".encode())
    for file in pack.files:
        content = contents.get(file.path)
        identity = content.sha256 if content else str(file.size).encode()
        digest.update(f"{file.path}\0{' '.join(file.wheel)}\0".encode("utf-8", "surrogateescape"))
        digest.update(identity)
    return str(digest.hexdigest())
