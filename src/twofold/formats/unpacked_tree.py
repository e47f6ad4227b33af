"""What a tar's members would make on disk, together: links, and what goes through them.

A member that is harmless alone can leave the folder through links before or after it, since each
system resolves a path through the links that are there (CVE-2007-4559 and its followers). Here the
links are resolved as a file system does, and no member may be below one.
"""

from __future__ import annotations

import unicodedata

from twofold.formats.tar_safety import TarMember, find_member_problem

#: Links that one path may lead through; systems give up at about this many.
_MAX_HOPS = 40
#: Links followed for a whole archive, for each link in it: honest archives need three.
_HOPS_PER_LINK = 10


class UnpackedTree:
    """Collects the members of one tar; links must stay below `root`, '' for the archive itself.

    `find_problem` is called with each member in order, `find_problems_together` after the last.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._hardlinks: set[str] = set()
        self._links: dict[str, tuple[str, str]] = {}  # by path, folded
        self._doubled: set[str] = set()  # links that differ in case alone, and lead elsewhere
        self._hops = 0

    def find_problem(self, member: TarMember) -> str:
        """Return what makes a member unsafe to unpack, or ''."""
        problem = find_member_problem(member, self.root)
        if problem or member.path in (".", "./"):
            return problem
        path = member.path.rstrip("/")
        self._add_folders(path)
        if member.kind == "folder":
            self._folders.add(path)
        elif member.kind == "symlink":
            return self._add_link(path, member.link)
        elif member.kind == "hardlink" and _without_dots(member.link) not in self._files:
            return f"a hard link leads to no file before it: {path} -> {member.link}"
        elif path in self._hardlinks or (member.kind == "hardlink" and path in self._files):
            return f"a member appears twice: {path}"
        else:
            self._files.add(path)
            if member.kind == "hardlink":
                self._hardlinks.add(path)
        return ""

    def _add_link(self, path: str, target: str) -> str:
        folded = _fold(path)
        other, other_target = self._links.setdefault(folded, (path, target))
        if other_target != target:
            if other == path:
                return f"a member appears twice: {path}"
            self._doubled.add(folded)
        return ""

    def find_problems_together(self) -> list[str]:
        """Return what is wrong with all the members of the archive together."""
        found = [
            f"a member is both a file and a folder: {path}"
            for path in sorted(self._files & self._folders)
        ]
        return found + (self._find_link_problems() if self._links else [])

    def _find_link_problems(self) -> list[str]:
        folders = {_fold(path) for path in self._folders}
        found = []
        for folded, (path, link) in self._links.items():
            if folded in folders:
                found.append(f"a member is below a link: {path} -> {link}")
            elif path in self._files:
                found.append(f"a member is both a link and a file: {path}")
            elif not self._stays_inside(path, link):
                found.append(f"a link leaves the archive through others: {path} -> {link}")
        return found

    def _add_folders(self, path: str) -> None:
        """Remember the folders that a path goes through."""
        parent = path.rpartition("/")[0]
        while parent and parent not in self._folders:
            self._folders.add(parent)
            parent = parent.rpartition("/")[0]

    def _stays_inside(self, path: str, link: str) -> bool:
        """Whether a link's target, resolved through the other links, is in the archive."""
        place = _fold(path).split("/")[:-1]
        waiting = _fold(link).split("/")[::-1]
        hops = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not place:
                    return False
                place.pop()
                continue
            place.append(part)
            other = self._links.get("/".join(place))
            if other is not None:
                if "/".join(place) in self._doubled:
                    return False
                hops += 1
                self._hops += 1
                if hops > _MAX_HOPS or self._hops > _HOPS_PER_LINK * len(self._links) + 1000:
                    return False  # a circle, or made to take long
                place.pop()
                waiting += _fold(other[1]).split("/")[::-1]
        return not self.root or place[:1] == [_fold(self.root)]


def _fold(path: str) -> str:
    """A path as the systems see it that ignore case and the Unicode normalization form."""
    return path if path.isascii() and path.islower() else _normalize(path)


def _normalize(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _without_dots(path: str) -> str:
    while path.startswith("./"):
        path = path[2:]
    return path
