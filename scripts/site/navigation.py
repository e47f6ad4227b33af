"""The site's navigation: the lists of docs/README.md, in their order.

A heading of the second level is a tab, one of the third a group in it, and each link below them a
page, titled by the link's text. A page that README.md does not link stands at the end of its
folder's tab, under its own heading; so do pages that are generated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

HEADING = re.compile(r"^(##+) (.+)$")
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s:]+\.md)\)")


def make_navigation(start: str, pages: Iterable[str]) -> list[object]:
    """The `nav` of MkDocs from the text of docs/README.md and the pages' paths below docs/."""
    tabs: list[tuple[str, list[object]]] = []
    group: list[object] = []
    homes: dict[str, list[object]] = {}
    unlinked = dict.fromkeys(sorted(set(pages) - {"README.md"}))
    for line in start.splitlines():
        heading = HEADING.match(line)
        if heading and heading[1] == "##":
            group = []
            tabs.append((heading[2], group))
        elif heading and tabs:
            group = []
            tabs[-1][1].append({heading[2]: group})
        for title, page in LINK.findall(line) if tabs else []:
            if page not in unlinked:
                continue  # linked twice, or outside of the site
            del unlinked[page]
            group.append({title[:1].upper() + title[1:]: page})
            homes.setdefault(str(PurePosixPath(page).parent), tabs[-1][1])
    for page in sorted(unlinked, key=lambda page: (page.count("/"), page)):
        _home(page, homes).append(page)
    return [{"Start": "README.md"}, *({title: entries} for title, entries in tabs)]


def _home(page: str, homes: dict[str, list[object]]) -> list[object]:
    """Where a page goes that is not linked: to its folder's tab; a deeper folder is a group."""
    folder = PurePosixPath(page).parent
    if folder.name == "checks":
        return _group("Rules of twofold check", homes["reference"])
    return homes.get(str(folder), homes["reference"])


def _group(title: str, tab: list[object]) -> list[object]:
    for entry in tab:
        if isinstance(entry, dict) and title in entry:
            found = entry[title]
            assert isinstance(found, list)
            return found
    tab.append({title: []})
    return _group(title, tab)
