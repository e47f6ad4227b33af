"""Globs of pyproject.toml and .gitignore: `*`, `?`, `[...]`, `**`, always with `/`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


def translate(glob: str) -> str:
    """Translate a glob to the text of a regular expression for whole paths.

    `*` and `?` stop at `/`. `**` as a whole segment matches any number of folders; a trailing
    `/**` matches everything below.
    """
    out = ""
    at = 0
    while at < len(glob):
        mark = glob[at]
        if mark == "*":
            # git reads more than two stars as two, and more than one within a segment as one.
            end = len(glob) - len(glob[at:].lstrip("*"))
            is_segment = end - at > 1 and (at == 0 or glob[at - 1] == "/")
            if is_segment and glob[end : end + 1] == "/":
                out += "(?:[^/]+/)*"
                end += 1
            else:
                out += ".+" if is_segment and end == len(glob) else "[^/]*"
            at = end
        elif mark == "?":
            out += "[^/]"
            at += 1
        elif mark == "[":
            members, at = _translate_set(glob, at)
            out += members
        elif mark == "\\" and at + 1 < len(glob):
            out += escape_regex(glob[at + 1])
            at += 2
        else:
            out += escape_regex(mark)
            at += 1
    return out


def _translate_set(glob: str, at: int) -> tuple[str, int]:
    end = glob.find("]", at + 2 if glob[at + 1 : at + 2] not in ("!", "^") else at + 3)
    if end < 0:
        return escape_regex("["), at + 1
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


def escape_regex(text: str) -> str:
    """Escape a text for use in a regular expression."""
    return "".join(mark if mark.isalnum() or mark in "_/" else f"\\{mark}" for mark in text)


def find_glob_problem(glob: str) -> str:
    """Return what is wrong with a glob of pyproject.toml, or ''."""
    if not glob:
        return "the pattern is empty"
    if "\0" in glob or "\n" in glob:
        return f"{glob!r} holds a character that file names cannot have"
    if glob.startswith("!"):
        return f"'{glob}' begins with '!', which negates nothing here"
    if "[^" in glob:
        return f"'{glob}' has a set with '^', which negates nothing here: write '[!'"
    if "{" in glob and "," in glob.partition("{")[2].partition("}")[0]:
        return f"'{glob}' has alternatives in braces, which are letters here"
    if "\\" in glob:
        return f"'{glob}' holds a backslash: write '/'"
    if glob.startswith("/") or glob[1:2] == ":":
        return f"'{glob}' is absolute: write it relative to the project's folder"
    if ".." in glob.split("/"):
        return f"'{glob}' leaves the project"
    if "[" in glob:
        import re

        try:
            re.compile(translate(glob))
        except re.error:
            return f"'{glob}' is not a valid pattern"
    return ""


def get_glob_hint(glob: str, usual: str) -> str:
    """Return the hint for a list of globs of which this one is wrong."""
    if glob.startswith("!"):
        return "take it out, and name the files that the patterns before it mean one by one"
    return "write one pattern for each" if "{" in glob else usual


def is_plain(text: str) -> bool:
    """Whether a glob has no wildcards."""
    return not any(mark in text for mark in "*?[\\")


class Globs:
    """Several globs, matched against paths below the project's root.

    A glob that names a folder (`docs` or `docs/`) matches everything below it. Plain names and
    `folder/**` are compared as strings; only other patterns cost a regular expression.
    """

    __slots__ = ("_folders", "_patterns", "globs")

    def __init__(self, globs: list[str]) -> None:
        self.globs = globs
        self._folders: list[tuple[str, str]] = []
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for glob in globs:
            inner = glob.strip("/").removeprefix("./")
            folder = inner.removesuffix("/**")
            if is_plain(folder):
                self._folders.append((glob, folder + "/" * (folder != inner)))
            else:
                import re

                pattern = re.compile(translate(inner) + r"(?:/.*)?\Z", re.DOTALL)
                self._patterns.append((glob, pattern))

    def __bool__(self) -> bool:
        return bool(self.globs)

    def match(self, path: str) -> str:
        """Return a glob that matches the path, or ''."""
        for glob, folder in self._folders:
            if path == folder or path.startswith(folder if folder[-1:] == "/" else f"{folder}/"):
                return glob
        for glob, pattern in self._patterns:
            if pattern.match(path):
                return glob
        return ""

    def iter_folders(self) -> Iterator[str]:
        """Yield for each glob the deepest folder that holds all its matches ('' is the root)."""
        for glob in self.globs:
            fixed = []
            for part in glob.strip("/").removeprefix("./").split("/"):
                if not is_plain(part):
                    break
                fixed.append(part)
            yield "/".join(fixed)
