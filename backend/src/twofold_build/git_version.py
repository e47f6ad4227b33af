"""The version out of the git tag, by the library `dunamai` (asked for only by such projects)."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dunamai import Version

    from twofold_build.diagnostics import Diagnostics

#: What get_requires_for_build_* names for such a project.
REQUIREMENT = "dunamai>=1.23"


def read_git_version(root: str, prefix: str, mistakes: Diagnostics) -> str:
    """The version of the nearest tag; after it `.post3.dev0+1234abc` counts the commits.

    Tracked files that were changed since add `+dirty`: what is built is not what was tagged.
    Without a tag there is no version: CI that fetches no tags would release a 0.0.0.
    """
    where = {"table": "tool.twofold.version", "key": "from"}
    from pathlib import Path

    try:
        from dunamai import Version
    except ImportError:
        mistakes.add(
            "a version from the git tag needs the library dunamai",
            f"pip install '{REQUIREMENT}' (a frontend with isolation does it by itself)",
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
        said = str(error).splitlines()[0]
        if "tags" in said:
            said = f"no tag of this branch reads like {prefix}1.0.0"
        mistakes.add(
            f"no version can be had from git: {said}",
            f"tag a commit, as in: git tag {prefix}1.0.0; "
            "a shallow clone lacks the tags: git fetch --tags --unshallow",
            **where,
        )
        return ""
    return found.serialize(dirty=True)


def _pick_highest_tag(root: str, pattern: str, found: Version) -> Version:
    """The version with the highest of the tags that stand for the commit of its tag.

    dunamai takes the newest one, and none in particular of those made in one second.
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
