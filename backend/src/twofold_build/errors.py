"""The base class of every error shown to the user, and the problems it consists of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Problem:
    """One mistake: what is wrong, where, and what to do about it.

    `where` names file, line, table and key as far as known, as in
    `pyproject.toml:12: [project] requires-python`. A plain class and not a dataclass:
    importing dataclasses costs more than a small build's whole reading of a project.
    """

    __slots__ = ("hint", "message", "where")

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.message}{hint}"

    def __repr__(self) -> str:
        return f"Problem({self.message!r}, hint={self.hint!r}, where={self.where!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class TwofoldError(Exception):
    """An error the user or the outside world can fix: shown as problems, without a traceback."""

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(message, hint, where),)

    @property
    def hint(self) -> str:
        """The hint of the first problem."""
        return self.problems[0].hint

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ProjectErrors(TwofoldError):
    """All mistakes found in one project."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message, problems[0].hint, problems[0].where)
        self.problems = tuple(problems)
