"""The version from the git tag, read by the library `dunamai` (only such projects need it)."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dunamai import Version

    from twofold_build.diagnostics import Diagnostics

#: What get_requires_for_build_* returns for such a project.
REQUIREMENT = "dunamai>=1.23"


def read_git_version(root: str, prefix: str, diagnostics: Diagnostics) -> str:
    """Return the version of the nearest tag; `.post3.dev0+1234abc` counts commits after it.

    Changed tracked files add `+dirty`: the build differs from the tag. Without a tag there is no
    version: otherwise CI that fetches no tags would release a 0.0.0.
    """
    where = {"table": "tool.twofold.version", "key": "from"}
    from pathlib import Path

    try:
        from dunamai import Version
    except ImportError:
        diagnostics.add(
            "a version from the git tag needs the library dunamai",
            f"pip install '{REQUIREMENT}' (an isolated build installs it automatically)",
            **where,
        )
        return ""
    pattern = (
        rf"^{re.escape(prefix)}(?P<base>\d+(\.\d+)*)"
        r"([-._]?((?P<stage>[a-zA-Z]+)[-._]?(?P<revision>\d+)?))?$"
    )
    try:
        found = Version.from_git(
            pattern=pattern, path=Path(root), strict=True, ignore_untracked=True
        )
        found = _pick_highest_tag(root, pattern, found)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        if "tags" in reason:
            reason = f"no tag of this branch has the form {prefix}1.0.0"
        diagnostics.add(
            f"cannot determine the version from git: {reason}",
            f"tag a commit, as in: git tag {prefix}1.0.0; "
            "a shallow clone lacks the tags: git fetch --tags --unshallow",
            **where,
        )
        return ""
    return found.serialize(dirty=True)


def _pick_highest_tag(root: str, pattern: str, found: Version) -> Version:
    """Return the version of the highest tag of the commit that dunamai chose.

    dunamai takes the newest tag, and an arbitrary one of those created in the same second.
    """
    from subprocess import run

    from dunamai import Version

    names = "%(refname:strip=2) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    command = ["git", "for-each-ref", "--merged", "HEAD", f"--format={names}", "refs/tags"]
    done = run(command, cwd=root, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        return found  # no repository: dunamai read what `git archive` left (.git_archival.json)
    tagged: dict[str, list[Version]] = {}
    for line in done.stdout.splitlines():
        tag, commit = line.rsplit(" ", 1)
        if re.match(pattern, tag):
            tagged.setdefault(commit, []).append(Version.parse(tag, pattern))

    def number(version: Version) -> tuple[object, ...]:
        return version.base, version.stage, version.revision

    for versions in tagged.values():
        if number(found) in map(number, versions):
            top = max(versions)
            found.base, found.stage, found.revision = top.base, top.stage, top.revision
            break
    return found
