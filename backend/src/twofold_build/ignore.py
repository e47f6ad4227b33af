"""`.gitignore`, read as git reads it: the files from the repository's root down to each folder.

`.git/info/exclude` and the user's own ignore file do not count: two machines would build different
files. Tracked files that match a pattern are left out too, because an export does not show what
git tracks; [tool.twofold] include names them.
"""

from __future__ import annotations

import os

from twofold_build.globs import escape_regex, is_plain, translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


class IgnoreRule:
    """One line of a .gitignore. `where` is its file and line, for `--list`."""

    __slots__ = ("_regex", "anchored", "folders_only", "glob", "negated", "where")

    def __init__(self, line: str, where: str) -> None:
        self.where = where
        self.negated = line.startswith("!")
        glob = line[1:] if self.negated else line
        self.folders_only = glob.endswith("/")
        glob = glob.removesuffix("/")
        self.anchored = "/" in glob
        self.glob = glob.removeprefix("/")
        self._regex: re.Pattern[str] | None = None

    def match(self, path: str, name: str, is_folder: bool) -> bool:
        """Whether the rule matches a path, which is relative to the folder of its .gitignore."""
        if self.folders_only and not is_folder:
            return False
        seen = path if self.anchored else name
        if is_plain(self.glob):
            return seen == self.glob
        if self.glob[0] == "*" and not self.anchored and is_plain(self.glob[1:]):
            return name.endswith(self.glob[1:])
        endings = () if self.anchored else _list_endings(self.glob)
        if endings:
            return name.endswith(endings)
        if self._regex is None:
            import re

            try:
                regex = _translate_anchored(self.glob) if self.anchored else translate(self.glob)
                self._regex = re.compile(regex + r"\Z", re.DOTALL)
            except re.error:  # a range such as [z-a], which matches nothing
                self._regex = re.compile(r"(?!)")
        return self._regex.match(seen) is not None


def _list_endings(glob: str) -> tuple[str, ...]:
    """Return the endings that `*.py[cod]` means, without a regular expression; else ()."""
    before, _, after = glob[1:].partition("[")
    marks = after[:-1]
    if glob[0] != "*" or not is_plain(before) or not marks.isalnum() or after[-1] != "]":
        return ()
    return tuple(before + mark for mark in marks)


def _translate_anchored(glob: str) -> str:
    """Translate as git does: compare the part before the first wildcard as text, then the glob.

    So the stars of `src**` begin a glob and cross `/`, although gitignore(5) says otherwise.
    """
    literal = min((at for mark in "*?[\\" if (at := glob.find(mark)) >= 0), default=len(glob))
    rest = glob[literal:].lstrip("*")
    stars = len(glob) - literal - len(rest)
    if not literal or glob[literal - 1] == "/" or stars < 2 or rest[:1] not in ("", "/"):
        return translate(glob)
    return escape_regex(glob[:literal]) + (f"(?:.*/)?{translate(rest[1:])}" if rest else ".*")


class IgnoreRules:
    """The rules that apply in one folder: its own .gitignore takes precedence over its parents'."""

    __slots__ = ("base", "parent", "rules")

    def __init__(self, base: str, rules: list[IgnoreRule], parent: IgnoreRules | None) -> None:
        self.base = base  # the prefix of paths below this folder: "" or "folder/"
        self.rules = rules
        self.parent = parent

    def explain(self, path: str, is_folder: bool) -> str:
        """Return why git ignores a path (relative to the same root as `base`), or ''."""
        name = path.rpartition("/")[2]
        seen = self.relative_path(path)
        for rule in reversed(self.rules):
            if rule.match(seen, name, is_folder):
                return "" if rule.negated else f"ignored by {rule.where}"
        return self.parent.explain(path, is_folder) if self.parent else ""

    def relative_path(self, path: str) -> str:
        """Return a path relative to the folder of these rules."""
        return path[len(self.base) :]

    def enter(self, folder: str, absolute: str) -> IgnoreRules:
        """Return the rules that apply in a folder below."""
        rules = _read_rules(absolute, f"{folder}/.gitignore")
        return IgnoreRules(f"{folder}/", rules, self) if rules else self


class IgnoredFolder(IgnoreRules):
    """The rules below a folder that is left out: so is all in it, as git does not look there."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__("", [], None)
        self.reason = reason

    def explain(self, path: str, is_folder: bool) -> str:
        """Return why the folder is left out."""
        del path, is_folder
        return self.reason

    def enter(self, folder: str, absolute: str) -> IgnoreRules:
        """Return the same rules, which hold at any depth."""
        del folder, absolute
        return self


def load_ignore_rules(root: str) -> IgnoreRules:
    """Return the rules of a project's root, including those of the git repository around it.

    An unpacked sdist (PKG-INFO at its root) ignores nothing: everything in it was packed.
    """
    if os.path.exists(os.path.join(root, "PKG-INFO")):
        return IgnoreRules("", [], None)
    chain: list[str] = []
    here = root
    while not os.path.exists(os.path.join(here, ".git")):
        parent = os.path.dirname(here)
        if parent == here:
            chain = []
            break
        chain.append(os.path.basename(here))
        here = parent
    # Paths are relative to the project's root; a parent's rules need its folders before them.
    ignore: IgnoreRules | None = None
    folders = list(reversed(chain))
    for depth in range(len(folders)):
        above = os.path.join(here, *folders[:depth])
        rules = _read_rules(above, "../" * (len(folders) - depth) + ".gitignore")
        if rules:
            ignore = _ParentRules("/".join(folders[depth:]) + "/", rules, ignore)
    return IgnoreRules("", _read_rules(root, ".gitignore"), ignore)


class _ParentRules(IgnoreRules):
    """Rules of a folder above the project: they see paths with the folders in between."""

    __slots__ = ()

    def relative_path(self, path: str) -> str:
        """Return a path relative to the folder of these rules."""
        return self.base + path


def _read_rules(folder: str, where: str) -> list[IgnoreRule]:
    try:
        with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="replace") as file:
            lines = file.read().removeprefix("\ufeff").splitlines()
    except (FileNotFoundError, IsADirectoryError):
        return []
    rules = []
    for number, line in enumerate(lines, 1):
        kept = line.rstrip() if not line.endswith("\\ ") else line
        if kept and not kept.startswith("#"):
            rules.append(IgnoreRule(kept, f"{where}:{number}"))
    return rules
