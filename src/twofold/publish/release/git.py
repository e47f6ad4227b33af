"""Git commands of a release: status, commit and tag."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from twofold.errors import Problem, SubprocessFailed, TwofoldError
from twofold.publish.release.version import VersionPlan
from twofold_build.globs import Globs


def is_repository(root: Path) -> bool:
    """Whether the folder is in a git repository; False if git is not installed."""
    try:
        return _run_git(root, "rev-parse", "--is-inside-work-tree").stdout.strip() == "true"
    except FileNotFoundError:
        return False


def has_commit(root: Path) -> bool:
    """Whether the repository has a commit."""
    return _run_git(root, "rev-parse", "-q", "--verify", "HEAD").returncode == 0


def is_on_branch(root: Path) -> bool:
    """Whether HEAD is on a branch."""
    return _run_git(root, "symbolic-ref", "-q", "HEAD").returncode == 0


def has_identity(root: Path) -> bool:
    """Whether a commit would have an author and a committer."""
    roles = ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
    return all(_run_git(root, "var", role).returncode == 0 for role in roles)


def is_tracked(root: Path, path: Path) -> bool:
    """Whether git tracks a file."""
    return _run_git(root, "ls-files", "--error-unmatch", "--", str(path.absolute())).returncode == 0


def find_changed_files(root: Path) -> list[Path]:
    """Find the tracked files that differ from the last commit, as resolved paths."""
    top = Path(_check_git(root, "rev-parse", "--show-toplevel").stdout.strip()).resolve()
    entries = iter(_check_git(root, "status", "--porcelain", "-z", "-uno").stdout.split("\0"))
    found = []
    for entry in entries:
        if entry:
            found.append(top / entry[3:])
            if entry[0] in "RC":
                next(entries)  # the old name
    return found


def find_tag(root: Path, tag: str) -> str:
    """The commit of a tag; '' if there is no such tag."""
    done = _run_git(root, "rev-parse", "--verify", "-q", f"refs/tags/{tag}^{{commit}}")
    return done.stdout.strip() if done.returncode == 0 else ""


def has_tags(root: Path, prefix: str) -> bool:
    """Whether there is a version tag: the prefix followed by a digit."""
    try:
        return bool(_run_git(root, "tag", "--list", f"{prefix}[0-9]*").stdout.strip())
    except FileNotFoundError:
        return False


def get_remote(root: Path) -> str:
    """The URL of `origin`, else of the first remote; '' without a remote or git."""
    try:
        names = _run_git(root, "remote").stdout.split()
        name = "origin" if "origin" in names else next(iter(names), "origin")
        return _run_git(root, "remote", "get-url", name).stdout.strip()
    except FileNotFoundError:
        return ""


def find_root(root: Path) -> Path | None:
    """The top folder of the repository; None outside one, or without git."""
    try:
        found = _run_git(root, "rev-parse", "--show-toplevel").stdout.strip()
    except FileNotFoundError:
        return None
    return Path(found) if found else None


def get_head(root: Path) -> str:
    """Return the commit of HEAD."""
    return _check_git(root, "rev-parse", "HEAD").stdout.strip()


def commit(root: Path, paths: Sequence[Path], message: str) -> None:
    """Commit these files only."""
    _check_git(root, "commit", "-q", "-m", message, "--", *[str(path.absolute()) for path in paths])


def make_tag(root: Path, tag: str, message: str, *, signed: bool = False) -> None:
    """Create an annotated tag on HEAD, signed with the user's key if wanted."""
    done = _check_git(root, "tag", "-s" if signed else "-a", tag, "-m", message)
    if signed and "\n-----BEGIN " not in _run_git(root, "cat-file", "tag", tag).stdout:
        remove_tag(root, tag)  # git 2.39 makes an unsigned tag where an SSH key is missing
        raise SubprocessFailed("git could not sign the tag", SIGNING_HINT, output=done.stderr)


def push(root: Path, tag: str) -> str:
    """Push the branch and the tag together; returns the remote's name."""
    remote, head = _find_push_target(root)
    _check_git(root, "push", "-q", "--atomic", remote, head, f"refs/tags/{tag}")
    return remote


def find_push_problem(root: Path, tag: str) -> SubprocessFailed | None:
    """Why the remote would not take the branch or the tag, found before the upload."""
    remote, head = _find_push_target(root)
    # --no-verify: the user's hooks judge the release's commit, which is not made yet.
    done = _run_git(root, "push", "--dry-run", "--no-verify", remote, head)
    if done.returncode != 0:
        message, hint = (
            f"nothing can be pushed to {remote}",
            "fix git's error above, or do not push",
        )
        return SubprocessFailed(message, hint, output=done.stderr)
    listed = _run_git(root, "ls-remote", remote, f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}")
    commits = [line.partition("\t")[0] for line in listed.stdout.splitlines()]
    if commits and commits[-1] != find_tag(root, tag):
        message, hint = (
            f"{remote} has the tag {tag} already",
            f"choose another version: git fetch {remote}",
        )
        return SubprocessFailed(message, hint)
    return None


def _find_push_target(root: Path) -> tuple[str, str]:
    """The remote of the branch, and what is pushed there."""
    branch = _run_git(root, "rev-parse", "--abbrev-ref", "@{upstream}").stdout.strip()
    remote, _, where = branch.partition("/")
    return remote or "origin", f"HEAD:{where}" if where else "HEAD"


def stage(root: Path, path: Path) -> None:
    """Add a file to the index, if git does not ignore it."""
    if _run_git(root, "check-ignore", "-q", "--", str(path)).returncode != 0:
        _check_git(root, "add", "--", str(path))


def unstage(root: Path, paths: Sequence[Path]) -> None:
    """Take files out of the index again; the files stay as they are."""
    _check_git(root, "reset", "-q", "--", *map(str, paths))


def remove_tag(root: Path, tag: str) -> None:
    """Delete a local tag."""
    _check_git(root, "tag", "-d", tag)


def _run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def _check_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        done = _run_git(root, *arguments)
    except FileNotFoundError as error:
        raise TwofoldError("git is not installed", "install git, or pass --no-git") from error
    if done.returncode != 0:
        raise SubprocessFailed(
            f"git {arguments[0]} failed", "see its output above", output=done.stderr
        )
    return done


SIGNING_HINT = "set user.signingKey (and gpg.format) of git to a key you have, or release unsigned"
NO_GIT_HINT = "or pass --no-git to release without git"


def find_git_problems(root: Path, planned: VersionPlan, places: Sequence[Path]) -> list[Problem]:
    """Why a release cannot be committed and tagged, or its tag would be on a wrong commit.

    `places` are folders that releases are published to: they may be inside the project, and
    files in them do not count as changes.
    """
    if not has_commit(root):
        return [Problem("the repository has no commit yet", f"commit the project, {NO_GIT_HINT}")]
    found = [_find_untracked(root, planned), _find_uncommitted(root, planned, places)]
    found += [
        find_tag_conflict(root, planned),
        _find_missing_identity(root),
        _find_detached_head(root, planned),
    ]
    return [problem for problem in found if problem]


def _find_untracked(root: Path, planned: VersionPlan) -> Problem | None:
    """Files git does not track: the repository around the project may be another one."""
    files = dict.fromkeys([*_list_project_files(root), *planned.files])
    missing = [_relative_path(path, root) for path in files if not is_tracked(root, path)]
    if not missing:
        return None
    return Problem(f"git does not track {', '.join(missing)}", f"commit the project, {NO_GIT_HINT}")


def _list_project_files(root: Path) -> list[Path]:
    names = ("pyproject.toml", "setup.cfg", "setup.py")
    return [root / name for name in names if (root / name).is_file()][:1]


#: What backends write into the tree while they build, and projects let git ignore.
_WRITTEN_BY_BUILDS = re.compile(r"(.*/)?(_?version\.pyi?|PKG-INFO|[^/]+\.egg-info/.*)")


def find_unknown_files(root: Path, paths: Iterable[str], generated: Sequence[str]) -> list[str]:
    """Those of the paths below `root` that git does not track.

    Of files that git ignores those may be packed that a build writes: version files, metadata, and
    what the globs `generated` name.
    """
    tracked = _list_files(root, "--cached", "--recurse-submodules")
    others = _list_files(root, "--others", "--exclude-standard")
    allowed = Globs(list(generated))

    def is_known(path: str) -> bool:
        if path in others or path in tracked:
            return path in tracked
        real = (root / path).resolve()  # git tracks a link to a folder, and nothing below it
        if real.is_relative_to(root.resolve()):
            path = real.relative_to(root.resolve()).as_posix()
        if path in tracked or _WRITTEN_BY_BUILDS.fullmatch(path):
            return True
        return bool(allowed.match(path))

    return sorted(path for path in set(paths) if not is_known(path))


def _list_files(root: Path, *options: str) -> set[str]:
    return set(_check_git(root, "ls-files", *options, "-z").stdout.split("\0"))


def _find_uncommitted(root: Path, planned: VersionPlan, places: Sequence[Path]) -> Problem | None:
    # After an interruption, files that already have the new version are ours.
    ours = {path.resolve() for path in planned.already_current}
    dirty = [
        path
        for path in find_changed_files(root)
        if path not in ours and not any(path.is_relative_to(place) for place in places)
    ]
    if not dirty:
        return None
    listed = ", ".join(_relative_path(path, root) for path in dirty[:5])
    return Problem(f"there are uncommitted changes: {listed}", "commit them")


def find_tag_conflict(root: Path, planned: VersionPlan) -> Problem | None:
    """The tag of a version stands on another commit, or would not be of what is written there."""
    place = find_tag(root, planned.tag)
    hint = "choose another version"
    if place and place != get_head(root):
        return Problem(f"the tag {planned.tag} already exists, on another commit", hint)
    if place and planned.changes:
        message = (
            f"the tag {planned.tag} already exists, on a commit whose version is {planned.old}"
        )
        return Problem(message, hint)
    return None


def _find_missing_identity(root: Path) -> Problem | None:
    if has_identity(root):
        return None
    hint = 'run git config user.name "Your Name" and git config user.email you@example.org'
    return Problem("git has no user name and e-mail address for commits", f"{hint}, {NO_GIT_HINT}")


def _find_detached_head(root: Path, planned: VersionPlan) -> Problem | None:
    if not planned.changes or is_on_branch(root):
        return None
    message = "HEAD is detached: the release commit would be on no branch"
    return Problem(message, f"git switch BRANCH first, {NO_GIT_HINT}")


def find_signing_problem(root: Path, signed: bool) -> SubprocessFailed | None:
    """Why git cannot sign the tag, or the commit where git is set to; found before the upload.

    An unreferenced commit is signed with the same key, which git removes in time.
    """
    settings = ("commit.gpgSign", "tag.gpgSign")
    is_set = (_run_git(root, "config", "--bool", name).stdout == "true\n" for name in settings)
    if not signed and not any(is_set):
        return None
    done = _run_git(root, "commit-tree", "-S", "HEAD^{tree}", "-m", "Can git sign?")
    if done.returncode == 0:
        return None
    return SubprocessFailed("git cannot sign the release", SIGNING_HINT, output=done.stderr)


def _relative_path(path: Path, root: Path) -> str:
    """A path relative to the project's folder, if it is inside."""
    base, path = root.resolve(), path.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()
