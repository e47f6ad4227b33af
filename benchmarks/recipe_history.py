"""The recipes of a git repository, those of its history too.

conda-forge/staged-recipes removes a recipe when its feedstock is made, so nearly all of them are
in its history: of each path the newest version counts, with the files that were beside it then.
Only git is used, so a checkout and a bare repository serve alike.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Files beside a recipe that are no larger are written beside it: scripts, patches, variants.
LARGEST = 1024 * 1024


@dataclass(frozen=True)
class RecipeFile:
    """A recipe: its path in the repository, and the commit that wrote it last."""

    path: str
    commit: str

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


class RecipeHistory:
    """Recipes of a repository; `cat-file --batch` answers for their content."""

    def __init__(self, repository: Path) -> None:
        self._git = ["git", "-C", str(repository)]
        self._reader = subprocess.Popen(
            [*self._git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def list_recipes(self, *, is_history: bool) -> list[RecipeFile]:
        """List meta.yaml and recipe.yaml of every path, sorted."""
        if not is_history:
            words = ["ls-tree", "-r", "--name-only", "HEAD"]
            found = dict.fromkeys(self._run(words).splitlines(), "HEAD")
        else:
            found = self._list_history()
        names = ("meta.yaml", "recipe.yaml")
        return [
            RecipeFile(path, commit)
            for path, commit in sorted(found.items())
            if PurePosixPath(path).name in names and "/" in path
        ]

    def _list_history(self) -> dict[str, str]:
        words = ["log", "--all", "--raw", "--no-renames", "-m", "--first-parent"]
        words += ["--diff-filter=AM", "--format=%H", "--", "*meta.yaml", "*recipe.yaml"]
        found: dict[str, str] = {}
        commit = ""
        for line in self._run(words).splitlines():
            if line.startswith(":"):
                found.setdefault(line.partition("\t")[2], commit)
            elif line:
                commit = line
        return found

    def write_folder(self, recipe: RecipeFile, target: Path) -> Path:
        """Write a recipe and the files beside it into a new folder; returns the recipe's path."""
        target.mkdir(parents=True)
        self._write_tree(f"{recipe.commit}:{recipe.folder}", target, recipe)
        return target / recipe.name

    def _write_tree(self, name: str, target: Path, recipe: RecipeFile) -> None:
        for entry, is_folder, blob in _read_tree(self.read(name) or b""):
            path = target / entry
            if entry in ("meta.yaml", "recipe.yaml") and (target.name, entry) != (
                target.name,
                recipe.name,
            ):
                continue  # the other form of the same package
            content = None if is_folder else self.read(blob)
            if is_folder:
                path.mkdir()
                self._write_tree(blob, path, recipe)
            elif content is not None and len(content) <= LARGEST:
                path.write_bytes(content)

    def read(self, name: str) -> bytes | None:
        """Read an object; None if the repository lacks it."""
        stdin, stdout = self._reader.stdin, self._reader.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(name.encode() + b"\n")
        stdin.flush()
        words = stdout.readline().rsplit(b" ", 2)
        if not words[-1].strip().isdigit():
            return None
        content = stdout.read(int(words[-1]))
        stdout.read(1)
        return content

    def describe(self) -> str:
        """Return the newest commit and its day."""
        return self._run(["log", "-1", "--format=%h of %cs"]).strip()

    def _run(self, words: list[str]) -> str:
        made = subprocess.run([*self._git, *words], check=True, capture_output=True)
        return made.stdout.decode(errors="surrogateescape")


def _read_tree(content: bytes) -> Iterator[tuple[str, bool, str]]:
    """Read git's tree object: names, whether each is a folder, and the objects' hashes."""
    at = 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        at = end + 21
        if mode in (b"40000", b"100644", b"100755"):
            yield name.decode(errors="replace"), mode == b"40000", content[end + 1 : at].hex()
