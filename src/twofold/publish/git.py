"""What a release needs of git: is the tree clean, is the tag free; a commit, a tag, both undone."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from twofold.errors import Problem, SubprocessFailed, TwofoldError
from twofold.publish.release import VersionPlan


def is_repository(root: Path) -> bool:
    """Whether the folder is in a git repository, and git is there to ask."""
    try:
        return _run_git(root, "rev-parse", "--is-inside-work-tree").stdout.strip() == "true"
    except FileNotFoundError:
        return False


def has_commit(root: Path) -> bool:
    return _run_git(root, "rev-parse", "-q", "--verify", "HEAD").returncode == 0


def is_on_branch(root: Path) -> bool:
    return _run_git(root, "symbolic-ref", "-q", "HEAD").returncode == 0


def has_identity(root: Path) -> bool:
    """Whether a commit would have an author and a committer."""
    roles = ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
    return all(_run_git(root, "var", role).returncode == 0 for role in roles)


def is_tracked(root: Path, path: Path) -> bool:
    """Whether git keeps a file."""
    return _run_git(root, "ls-files", "--error-unmatch", "--", str(path.absolute())).returncode == 0


def find_changed_files(root: Path) -> list[Path]:
    """Tracked files that differ from the last commit, resolved."""
    top = Path(_check_git(root, "rev-parse", "--show-toplevel").strip()).resolve()
    entries = iter(_check_git(root, "status", "--porcelain", "-z", "-uno").split("\0"))
    found = []
    for entry in entries:
        if entry:
            found.append(top / entry[3:])
            if entry[0] in "RC":
                next(entries)  # the name before
    return found


def find_tag(root: Path, tag: str) -> str:
    """The commit a tag stands for; '' where there is no such tag."""
    done = _run_git(root, "rev-parse", "--verify", "-q", f"refs/tags/{tag}^{{commit}}")
    return done.stdout.strip() if done.returncode == 0 else ""


def has_tags(root: Path, prefix: str) -> bool:
    """Whether a tag of a version is there: the prefix and a digit."""
    try:
        return bool(_run_git(root, "tag", "--list", f"{prefix}[0-9]*").stdout.strip())
    except FileNotFoundError:
        return False


def get_remote(root: Path) -> str:
    """The address of `origin`, else of the first remote; '' where there is none, or no git."""
    try:
        names = _run_git(root, "remote").stdout.split()
        name = "origin" if "origin" in names else next(iter(names), "origin")
        return _run_git(root, "remote", "get-url", name).stdout.strip()
    except FileNotFoundError:
        return ""


def find_root(root: Path) -> Path | None:
    """The folder that the repository begins at; None outside of one, or without git."""
    try:
        told = _run_git(root, "rev-parse", "--show-toplevel").stdout.strip()
    except FileNotFoundError:
        return None
    return Path(told) if told else None


def get_head(root: Path) -> str:
    return _check_git(root, "rev-parse", "HEAD").strip()


def commit(root: Path, paths: Sequence[Path], message: str) -> None:
    """Commit these files and no others."""
    _check_git(root, "commit", "-q", "-m", message, "--", *[str(path.absolute()) for path in paths])


def make_tag(root: Path, tag: str, message: str) -> None:
    _check_git(root, "tag", "-a", tag, "-m", message)


def remove_tag(root: Path, tag: str) -> None:
    _check_git(root, "tag", "-d", tag)


def _run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def _check_git(root: Path, *arguments: str) -> str:
    try:
        done = _run_git(root, *arguments)
    except FileNotFoundError as error:
        raise TwofoldError(
            "git is not installed", "install git, or leave it to --no-git"
        ) from error
    if done.returncode != 0:
        raise SubprocessFailed(
            f"git {arguments[0]} failed", "see its words above", output=done.stderr
        )
    return done.stdout


NO_GIT_HINT = "or leave git to yourself with --no-git"


def find_git_problems(root: Path, planned: VersionPlan, places: Sequence[Path]) -> list[Problem]:
    """Why a release could not be committed and tagged, or its tag would stand for something else.

    `places` are folders that releases go to: one may lie in the project, and what is there is no
    change of it.
    """
    if not has_commit(root):
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
    missing = [_relative_path(path, root) for path in files if not is_tracked(root, path)]
    if not missing:
        return None
    return Problem(f"not in git: {', '.join(missing)}", f"commit the project, {NO_GIT_HINT}")


def _find_uncommitted(root: Path, planned: VersionPlan, places: Sequence[Path]) -> Problem | None:
    # Going on after an interruption, files that say the new version already are ours.
    ours = {path.resolve() for path in planned.already_current}
    dirty = [
        path
        for path in find_changed_files(root)
        if path not in ours and not any(path.is_relative_to(place) for place in places)
    ]
    if not dirty:
        return None
    told = ", ".join(_relative_path(path, root) for path in dirty[:5])
    return Problem(f"there are changes that are not committed: {told}", "commit them")


def _find_tag_conflict(root: Path, planned: VersionPlan) -> Problem | None:
    place = find_tag(root, planned.tag)
    hint = "choose another version, or remove the tag if nothing was released with it"
    if place and place != get_head(root):
        return Problem(f"the tag {planned.tag} stands for another commit", hint)
    if place and planned.changes:
        told = f"the tag {planned.tag} stands for a commit whose version is {planned.old}"
        return Problem(told, hint)
    return None


def _find_missing_identity(root: Path) -> Problem | None:
    if has_identity(root):
        return None
    hint = 'run git config user.name "Your Name" and git config user.email you@example.org'
    return Problem("git does not know who commits here", f"{hint}, {NO_GIT_HINT}")


def _find_detached_head(root: Path, planned: VersionPlan) -> Problem | None:
    if not planned.changes or is_on_branch(root):
        return None
    told = "HEAD is detached: the commit of the release would be on no branch"
    return Problem(told, f"git switch BRANCH first, {NO_GIT_HINT}")


def _relative_path(path: Path, root: Path) -> str:
    """A path as the user of the project's folder writes it."""
    base, path = root.resolve(), path.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()
