"""What git has to say before a release is made: everything that would fail after the upload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twofold.errors import Problem
from twofold.publish import git
from twofold.publish.release import VersionPlan

NO_GIT_HINT = "or leave git to yourself with --no-git"


def find_git_problems(root: Path, planned: VersionPlan, places: Sequence[Path]) -> list[Problem]:
    """Why a release could not be committed and tagged, or its tag would stand for something else.

    `places` are folders that releases go to: one may lie in the project, and what is there is no
    change of it.
    """
    if not git.has_commit(root):
        return [Problem("git has no commit yet", f"commit the project, {NO_GIT_HINT}")]
    found = [_find_untracked(root, planned), _find_uncommitted(root, planned, places)]
    found += [
        _find_tag_conflict(root, planned),
        _find_missing_identity(root),
        _find_detached_head(root, planned),
    ]
    return [problem for problem in found if problem]


def _find_untracked(root: Path, planned: VersionPlan) -> Problem | None:
    """A repository around the project that does not hold it (a home folder's, above all)."""
    files = dict.fromkeys([root / "pyproject.toml", *planned.files])
    missing = [_relative_path(path, root) for path in files if not git.is_tracked(root, path)]
    if not missing:
        return None
    return Problem(f"not in git: {', '.join(missing)}", f"commit the project, {NO_GIT_HINT}")


def _find_uncommitted(root: Path, planned: VersionPlan, places: Sequence[Path]) -> Problem | None:
    # Going on after an interruption, files that say the new version already are ours.
    ours = {path.resolve() for path in planned.already_current}
    dirty = [
        path
        for path in git.find_changed_files(root)
        if path not in ours and not any(path.is_relative_to(place) for place in places)
    ]
    if not dirty:
        return None
    told = ", ".join(_relative_path(path, root) for path in dirty[:5])
    return Problem(f"there are changes that are not committed: {told}", "commit them")


def _find_tag_conflict(root: Path, planned: VersionPlan) -> Problem | None:
    place = git.find_tag(root, planned.tag)
    hint = "choose another version, or remove the tag if nothing was released with it"
    if place and place != git.get_head(root):
        return Problem(f"the tag {planned.tag} stands for another commit", hint)
    if place and planned.changes:
        told = f"the tag {planned.tag} stands for a commit whose version is {planned.old}"
        return Problem(told, hint)
    return None


def _find_missing_identity(root: Path) -> Problem | None:
    if git.has_identity(root):
        return None
    hint = 'run git config user.name "Your Name" and git config user.email you@example.org'
    return Problem("git does not know who commits here", f"{hint}, {NO_GIT_HINT}")


def _find_detached_head(root: Path, planned: VersionPlan) -> Problem | None:
    if not planned.changes or git.is_on_branch(root):
        return None
    told = "HEAD is detached: the commit of the release would be on no branch"
    return Problem(told, f"git switch BRANCH first, {NO_GIT_HINT}")


def _relative_path(path: Path, root: Path) -> str:
    """A path as the user of the project's folder writes it."""
    base, path = root.resolve(), path.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()
