"""The version out of the git tag, by the library `dunamai` (asked for only by such projects)."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.mistakes import Mistakes

#: What get_requires_for_build_* names for such a project.
REQUIREMENT = "dunamai>=1.23"


def from_git(root: str, prefix: str, mistakes: Mistakes) -> str:
    """The version of the nearest tag; after it `.post3.dev0+1234abc` counts the commits.

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
        found = Version.from_git(pattern=pattern, path=Path(root), strict=True)
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
    return found.serialize()
