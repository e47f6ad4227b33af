"""Collects every mistake of a pyproject.toml, to raise them together, each with its location."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from twofold_build.errors import Problem


class Diagnostics:
    """The mistakes found so far in one file.

    The line of a key is only searched when there is a mistake to report: a correct project never
    pays for it.
    """

    def __init__(self, name: str, text: str, path: str = "") -> None:
        self.name = name
        self.text = text
        self._path = path
        self.found: list[tuple[str, str, str, str, str]] = []

    @classmethod
    def for_project(cls, root: str) -> Diagnostics:
        """Return the diagnostics of a project that was read before; its file is read on demand."""
        return cls("pyproject.toml", "", os.path.join(root, "pyproject.toml"))

    def add(
        self,
        message: str,
        hint: str = "",
        *,
        table: str = "project",
        key: str = "",
        value: str = "",
    ) -> None:
        """Add a mistake. `value` is a text inside the key's value, to find its own line."""
        self.found.append((message, hint, table, key, value))

    def add_unknown(self, key: str, known: Iterable[str], *, table: str, hint: str = "") -> None:
        """Add an unknown key, with the nearest known one as the hint."""
        self.add(
            f"unknown key '{key}'",
            suggest(key, known) or hint or f"known keys: {', '.join(sorted(known))}",
            table=table,
            key=key,
        )

    def raise_all(self) -> None:
        """Raise ProjectErrors with all mistakes, in the order of the file, if there are any."""
        if not self.found:
            return
        from twofold_build.errors import ProjectErrors

        raise ProjectErrors(self.to_problems())

    def raise_one(self, problem: tuple[str, str, int]) -> NoReturn:
        """Raise for a file that cannot be read at all: message, hint and line."""
        from twofold_build.errors import Problem, ProjectErrors

        message, hint, line = problem
        raise ProjectErrors([Problem(message, hint, f"{self.name}:{line}")])

    def to_problems(self) -> list[Problem]:
        """Return the mistakes as problems, in the order of the file."""
        from twofold_build.errors import Problem
        from twofold_build.toml_lines import find_line

        if self._path and not self.text:
            with open(self._path, encoding="utf-8") as file:
                self.text = file.read()
        placed = []
        for message, hint, table, key, value in self.found:
            line = find_line(self.text, table, key, value)
            where = f"{self.name}:{line}" if line else self.name
            if table:
                where += f": [{table}]" + (f" {key}" if key else "")
            placed.append((line or 0, Problem(message, hint, where)))
        placed.sort(key=lambda pair: pair[0])
        return [problem for _, problem in placed]


def suggest(word: str, known: Iterable[str]) -> str:
    """Return 'did you mean ...?' for an unknown word, or '' if no known one is similar."""
    import difflib

    spelt = {name.lower(): name for name in known}
    plain = word.lower().replace("_", "-")
    close = [plain] if plain in spelt else difflib.get_close_matches(plain, spelt, n=1, cutoff=0.6)
    return f"did you mean '{spelt[close[0]]}'?" if close else ""
