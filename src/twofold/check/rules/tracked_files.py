"""TF213: the sdist against what git tracks, as check-manifest compares them."""

from __future__ import annotations

import os
import re

from twofold.check.rule_table import Violation
from twofold_build.globs import Globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Iterator

    from twofold.check.context import ProjectContext

#: Files for git, editors, services and locked environments: no sdist is worse without them.
_FOR_DEVELOPERS = re.compile(
    r"\.[^/]*(?:/.*)?|(?:.*/)?\.(?:git\w+|mailmap|hgignore)|Jenkinsfile|(?:uv|pixi|poetry|pdm)\.lock"
    r"|(?:appveyor|azure-pipelines|bitbucket-pipelines|codecov|readthedocs)\.ya?ml|renovate\.json"
)
#: What backends write into an sdist, whether git tracks a file of that name or not.
_GENERATED = re.compile(r"PKG-INFO|setup\.cfg|(?:.*/)?[^/]+\.egg-info/.*")
#: So many paths a message lists.
_MAX_LISTED = 6


class GitListing:
    """What git knows of the files below a folder, read while something else is done.

    Empty outside a repository, without git, and where git tracks none of them.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        if _is_in_repository(root):
            import subprocess  # costs 5 ms, which a build outside a repository does not pay

            command = ["git", "-C", root, "ls-files", "-ztco", "--exclude-standard"]
            try:
                self._process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            except FileNotFoundError:  # no git: there is nothing to compare with
                self._process = None

    def read(self) -> tuple[set[str], set[str]]:
        """Wait for git; return the tracked files that exist, and the untracked, unignored ones."""
        if self._process is None:
            return set(), set()
        output, _ = self._process.communicate()
        tracked, others = set(), set()
        for line in output.decode("utf-8", "surrogateescape").split("\0"):
            tag, _, path = line.partition(" ")
            if tag == "?":
                others.add(path)
            # A submodule is a folder here; a deleted file is in no sdist.
            elif path and os.path.isfile(os.path.join(self._root, path)):
                tracked.add(path)
        return (tracked, others) if tracked else (set(), set())


def unlike_git(context: ProjectContext) -> Iterator[Violation]:
    """TF213: of our own backend's project; of another's only a build shows what it packs."""
    if context.is_complete:
        packed = {file.path for file in context.pack.files}
        settings = context.project.settings
        excluded = [*settings.exclude, *settings.sdist_exclude]
        yield from compare_with_git(GitListing(context.project.root), packed, excluded)


def compare_with_git(
    listing: GitListing, packed: Collection[str], excluded: Collection[str] = ()
) -> Iterator[Violation]:
    """Compare the files of an sdist, by their paths in the project, with what git tracks.

    `excluded` are globs of files that are left out on purpose.
    """
    tracked, others = listing.read()
    globs = Globs(list(excluded))
    missing = [
        path
        for path in sorted(tracked - set(packed))
        if not _FOR_DEVELOPERS.fullmatch(path)
        and not _GENERATED.fullmatch(path)
        and not (globs and globs.match(path))
    ]
    if missing:
        shown = _fold(missing, {path for path in packed if path in tracked})
        yield Violation(
            f"git tracks {_count(missing)} that the sdist lacks: {shown}",
            "name them in [tool.twofold.sdist] include, or in its exclude if they are to stay out; "
            "another backend has settings of its own",
            "pyproject.toml",
        )
    extra = sorted(path for path in others.intersection(packed) if not _GENERATED.fullmatch(path))
    if extra:
        yield Violation(
            f"the sdist holds {_count(extra)} that git does not track: {_fold(extra, tracked)}",
            "add them to git, or leave them out with [tool.twofold] exclude",
            "pyproject.toml",
        )


def _is_in_repository(root: str) -> bool:
    here = os.path.abspath(root)
    while not os.path.exists(os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here:
            return False
        here = above
    return True


def _count(paths: Collection[str]) -> str:
    return f"{len(paths)} file{'' if len(paths) == 1 else 's'}"


def _fold(paths: Collection[str], beside: Collection[str]) -> str:
    """List paths, a folder in place of its files where none of the others is in it."""
    from pathlib import PurePosixPath

    used = {str(parent) for path in beside for parent in PurePosixPath(path).parents}
    counts: dict[str, int] = {}
    for path in paths:
        outer = [str(p) for p in PurePosixPath(path).parents if str(p) not in (*used, ".")]
        name = f"{outer[-1]}/" if outer else path
        counts[name] = counts.get(name, 0) + 1
    listed = [f"{n} ({count})" if n.endswith("/") else n for n, count in counts.items()]
    more = len(listed) - _MAX_LISTED
    return ", ".join(listed[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
