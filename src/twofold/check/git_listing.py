"""What git knows of a project's files. Every build runs it, so each import counts here."""

from __future__ import annotations

import os

from twofold.programs import StartedProgram, find_program


class GitListing:
    """What git knows of the files below a folder, read while something else is done.

    Empty outside a repository, without git, and where git tracks none of them.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._process: StartedProgram | None = None
        git = find_program("git") if _is_in_repository(root) else None
        if git is not None:
            command = [git, "-C", root, "ls-files", "-ztco", "--exclude-standard"]
            self._process = StartedProgram(command, os.environ, with_errors=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._process is None

    def read(self) -> tuple[set[str], set[str]]:
        """Wait for git; return the tracked files that exist, and the untracked, unignored ones."""
        if self._process is None:
            return set(), set()
        output, _ = self._process.wait_for_bytes()
        tracked, others = set(), set()
        for line in output.decode("utf-8", "surrogateescape").split("\0"):
            tag, _, path = line.partition(" ")
            if tag == "?":
                others.add(path)
            # A submodule is a folder here; a deleted file is in no sdist.
            elif path and os.path.isfile(os.path.join(self._root, path)):
                tracked.add(path)
        return (tracked, others) if tracked else (set(), set())


def _is_in_repository(root: str) -> bool:
    here = os.path.abspath(root)
    while not os.path.exists(os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here:
            return False
        here = above
    return True
