"""Links that leave docs/: to a page of the project that is part of the site, or to none.

The pages are read in a checkout too, where such links lead to files beside docs/.
"""

from __future__ import annotations

import posixpath
import re

#: Files of the repository that are pages of the site -> their place in it.
PROJECT_PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "SECURITY.md": "project/security.md",
}
LINK = re.compile(r"(?<!\!)\[([^\]]+)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^[ ]*```.*?^[ ]*```$)", re.MULTILINE | re.DOTALL)


def rewrite(text: str, source: str, target: str) -> str:
    """The text of the file `source` of the repository, with its links as the page `target` of the
    site needs them; both are paths with `/`, `target` below docs/."""

    def place(match: re.Match[str]) -> str:
        label, link, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if path in PROJECT_PAGES:
            page = PROJECT_PAGES[path]
        elif path.startswith("docs/") and path.endswith(".md"):
            page = path.removeprefix("docs/")
        elif path.startswith("docs/") and "." in posixpath.basename(path):
            page = path.removeprefix("docs/")  # a picture
        else:
            return f"{label} (`{path}` in the repository)" if label.strip("`") != path else label
        return f"[{label}]({posixpath.relpath(page, posixpath.dirname(target) or '.')}{anchor})"

    parts = FENCE.split(text)
    return "".join(
        part if number % 2 else LINK.sub(place, part) for number, part in enumerate(parts)
    )
