"""The facts of a module as far as a build needs them, from the compiled reader's answer."""

from __future__ import annotations

from functools import cached_property

from twofold.check.facts.compiling import find_mistake, is_refused
from twofold.check.facts.model import Facts, adds_modules, is_open, is_shared
from twofold.source_analysis.model import DunderAll, Import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.check.facts.model import Feature, SyntaxMistake


class QuickFacts:
    """As `Facts`, of a module that compiles, and for syntax that Python 3.`oldest` knows.

    `imports` leaves those inside functions out, which stop no build. What the answer leaves
    open, and a rule wants to know, is read from the whole tree.
    """

    mistake: SyntaxMistake | None = None

    def __init__(self, source: bytes, facts: list[Any], oldest: int) -> None:
        """`facts` are those of an answer (`Facts::write` in `reader/src/facts.rs`)."""
        needs, imports, inner, bound, further, exported, version, elsewhere = facts
        self._source = source
        self._is_newer = needs > oldest
        self._inner = inner
        self._bound: dict[str, int] = bound
        self._further: list[tuple[str, int]] = further
        self.imports = _make_imports(imports)
        self.exported: DunderAll | None = None
        if exported is not None:
            names, is_complete, line = exported
            self.exported = DunderAll(tuple(dict.fromkeys(names)), is_complete, line)
        self._version = version
        self.assigned_elsewhere: dict[str, list[str]] = {}
        for base, name in elsewhere:
            self.assigned_elsewhere.setdefault(base, []).append(name)

    @cached_property
    def full(self) -> Facts:
        """All facts, from the whole tree."""
        from twofold.check.facts.parse import parse_valid

        return parse_valid(self._source)

    @cached_property
    def version(self) -> tuple[str, int]:
        """What is assigned to `__version__`, and its line."""
        return self.full.version if self._version is None else (self._version[0], self._version[1])

    @cached_property
    def defined(self) -> dict[str, int]:
        """Each name bound at the top level, and its first line."""
        return dict(reversed(self._further)) | self._bound

    @cached_property
    def is_open(self) -> bool:
        """Whether the module may have more names than can be read."""
        return "__getattr__" in self.defined or is_open(self._source)

    @cached_property
    def is_shared(self) -> bool:
        """Whether it is a namespace of several projects."""
        return is_shared(self._source)

    @cached_property
    def adds_modules(self) -> bool:
        """Whether there may be modules below it that are no files."""
        return adds_modules(self._source)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The newer syntax in it; () where all of it is as old as Python 3.`oldest`."""
        return self.full.features if self._is_newer else ()

    @cached_property
    def all_imports(self) -> tuple[Import, ...]:
        """The imports, those inside functions too."""
        return (*self.imports, *_make_imports(self._inner))


def read_quick_facts(
    source: bytes, answer: list[Any] | None, oldest: int, is_valid: bool
) -> QuickFacts | Facts:
    """The facts of a module, of which the reader gave this answer (None: it knows nothing).

    `is_valid`: it is known to compile.
    """
    mistake = None if is_valid else _find_mistake(source, answer)
    if mistake is not None:
        return Facts(mistake)
    if answer is not None and len(answer) > _SURE:
        return QuickFacts(source, answer[_SURE:], oldest)
    from twofold.check.facts.parse import parse_valid

    return parse_valid(source)


def _find_mistake(source: bytes, answer: list[Any] | None) -> SyntaxMistake | None:
    if answer is not None:
        if not answer[0]:
            return None
        is_lazy = b"__future__" in source and b"annotations" in source
        pieces = (source[start:end].decode() for start, end in answer[0])
        if not any(is_refused(piece, is_lazy) for piece in pieces):
            return None
    return find_mistake(source)


#: An answer begins with the places in doubt and a word's sign; the facts are behind them.
_SURE = 2


def _make_imports(found: list[Any]) -> tuple[Import, ...]:
    return tuple(Import(one[0], one[1], tuple(one[2]), *one[3:]) for one in found)
