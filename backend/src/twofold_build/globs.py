"""Globs as pyproject.toml and .gitignore write them: `*`, `?`, `[...]`, `**`, always with `/`."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def translate(glob: str) -> str:
    """A glob as the text of a regular expression for whole paths.

    `*` and `?` stop at `/`. `**` as a whole segment stands for any number of folders; a trailing
    `/**` for everything below.
    """
    out = ""
    at = 0
    while at < len(glob):
        mark = glob[at]
        if glob.startswith("**/", at) and (at == 0 or glob[at - 1] == "/"):
            out += "(?:[^/]+/)*"
            at += 3
        elif glob[at:] == "**" and (at == 0 or glob[at - 1] == "/"):
            out += ".+"
            at += 2
        elif mark == "*":
            out += "[^/]*"
            at += 1
        elif mark == "?":
            out += "[^/]"
            at += 1
        elif mark == "[":
            members, at = _members(glob, at)
            out += members
        elif mark == "\\" and at + 1 < len(glob):
            out += re.escape(glob[at + 1])
            at += 2
        else:
            out += re.escape(mark)
            at += 1
    return out


def _members(glob: str, at: int) -> tuple[str, int]:
    end = glob.find("]", at + 2 if glob[at + 1 : at + 2] not in ("!", "^") else at + 3)
    if end < 0:
        return re.escape("["), at + 1
    inner = glob[at + 1 : end]
    negated = inner[:1] in ("!", "^")
    inner = inner[1:] if negated else inner
    inner = inner.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("^", "\\^")
    inner = (
        inner.replace("&&", "&\\&")
        .replace("~~", "~\\~")
        .replace("||", "|\\|")
        .replace("--", "-\\-")
    )
    return f"(?!/)[{'^' if negated else ''}{inner}]", end + 1


def problem(glob: str) -> str:
    """What is wrong with a glob in pyproject.toml, or ''."""
    if not glob:
        return "the pattern is empty"
    if "\\" in glob:
        return f"'{glob}' holds a backslash: write '/'"
    if glob.startswith("/") or re.match(r"[A-Za-z]:", glob):
        return f"'{glob}' is absolute: write it from the project's folder"
    if ".." in glob.split("/"):
        return f"'{glob}' leads out of the project"
    try:
        re.compile(translate(glob))
    except re.error:
        return f"'{glob}' is not a pattern"
    return ""


class Globs:
    """Several globs, matched against paths below the project's root.

    A glob that names a folder (`docs` or `docs/`) takes everything below it.
    """

    __slots__ = ("_matchers", "globs")

    def __init__(self, globs: list[str]) -> None:
        self.globs = globs
        self._matchers = [
            (
                glob,
                re.compile(
                    translate(glob.strip("/").removeprefix("./")) + r"(?:/.*)?\Z", re.DOTALL
                ),
            )
            for glob in globs
        ]

    def __bool__(self) -> bool:
        return bool(self._matchers)

    def match(self, path: str) -> str:
        """The first glob that takes the path, or ''."""
        for glob, matcher in self._matchers:
            if matcher.match(path):
                return glob
        return ""

    def folders(self) -> Iterator[str]:
        """For each glob the deepest folder that holds all it can match ('' is the root)."""
        for glob in self.globs:
            fixed = []
            for part in glob.strip("/").removeprefix("./").split("/"):
                if re.search(r"[*?\[]", part):
                    break
                fixed.append(part)
            yield "/".join(fixed)
