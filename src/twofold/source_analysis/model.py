"""What is read from a module's source: its imports, and its `__all__`."""

from __future__ import annotations

from typing import NamedTuple


class Import(NamedTuple):
    """One module named by an import statement.

    `module` is dotted, as written (`''` for `from . import x`); `level` counts the leading
    dots. `names` are those of a `from` import (`('*',)` for a star), empty for `import x`.
    `is_optional`: inside `try` with a handler for ImportError, in any handler, or in a platform's
    `if`.
    `is_typing_only`: under `if TYPE_CHECKING`. `is_deferred`: inside a function.
    """

    module: str
    level: int
    names: tuple[str, ...]
    line: int
    is_optional: bool = False
    is_typing_only: bool = False
    is_deferred: bool = False

    @property
    def top(self) -> str:
        """The first part of an absolute import's name, '' for a relative one."""
        return "" if self.level else self.module.partition(".")[0]


class DunderAll(NamedTuple):
    """A module's `__all__`: the names in their order, and the line of its first assignment.

    `is_complete` is False when a part of it cannot be read without running the module
    (`__all__ += other.__all__`); the names that can be read are there all the same.
    """

    names: tuple[str, ...]
    is_complete: bool
    line: int
