"""The facts of a module as far as a build needs them: read from its text, where that is plain.

A build stops at errors alone. Imports inside functions are never one, so they are left
out; all else is what `parse` reads from the whole tree, which costs ten times as much.
"""

from __future__ import annotations

from functools import cached_property

from twofold.check.facts.model import Facts, adds_modules, is_open, is_shared
from twofold.check.facts.signs import has_lazy_annotations, may_need_newer
from twofold.source_analysis.outline import may_import_inside, read_outline
from twofold.source_analysis.top_level import split_top_level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.facts.model import Feature, SyntaxMistake
    from twofold.source_analysis.model import DunderAll, Import
    from twofold.source_analysis.plain_statements import Outline


class QuickFacts:
    """The facts of a module that compiles, each read when a rule wants it; as `Facts`, but for
    imports inside functions, and for syntax that Python 3.`oldest` knows.
    """

    mistake: SyntaxMistake | None = None

    def __init__(self, source: bytes, outline: Outline, oldest: int) -> None:
        self._source = source
        self._oldest = oldest
        self._outline = outline
        self.imports: tuple[Import, ...] = tuple(outline.imports)
        self.assigned_elsewhere: dict[str, list[str]] = {}
        self.version = outline.version
        self.exported: DunderAll | None = outline.exported
        if outline.tree is not None:
            from twofold.check.facts import parse
            from twofold.source_analysis.definitions import find_dunder_all

            conditions = list(parse.find_conditions(outline.tree.body))
            self.imports = tuple(parse.mark_optional(self.imports, conditions))
            self.assigned_elsewhere = parse.find_attribute_assignments(outline.tree)
            if all(name != "__version__" for name, _ in outline.names):
                self.version = parse.find_version(outline.tree)
            if self.exported is None:
                self.exported = find_dunder_all(outline.tree)
        if any(name == "__version__" for name, _ in outline.further):
            self.version = ("", 0)  # a function sets it
        elif self.version[1] and not outline.is_sure_of_names:
            self.version = self.full.version

    @cached_property
    def full(self) -> Facts:
        """All facts, from the whole tree."""
        from twofold.check.facts.parse import parse_valid

        return parse_valid(self._source)

    @cached_property
    def defined(self) -> dict[str, int]:
        """Each name bound at the top level, and its first line."""
        outline = self._outline
        if outline.tree is None:
            bound = dict(reversed(outline.names))
        else:
            from twofold.source_analysis.definitions import collect_names, list_bindings

            plain = [(name, line, True) for name, line in outline.names]
            bound = collect_names(
                sorted([*plain, *list_bindings(outline.tree)], key=lambda one: one[1])
            )
        further = [name for name, _ in outline.further if name not in bound]
        if not outline.is_sure_of_names or len(further) > len(set(further)):
            from twofold.check.facts.parse import parse_definitions

            return parse_definitions(self._source)
        return dict(outline.further) | bound

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
        return self.full.features if self._needs_newer() else ()

    def _needs_newer(self) -> bool:
        is_lazy = has_lazy_annotations(self.imports)
        if not may_need_newer(self._source, self._oldest, is_lazy):
            return False
        cut = split_top_level(self._source)
        if cut is None:
            return True
        from twofold.check.facts.parse import needs_newer

        return any(
            needs_newer(piece, self._oldest, is_lazy)
            for piece in cut.pieces()
            if may_need_newer(piece, self._oldest, is_lazy)
        )

    @cached_property
    def all_imports(self) -> tuple[Import, ...]:
        """The imports, those inside functions too."""
        return self.full.imports if may_import_inside(self._source) else self.imports


def read_quick_facts(source: bytes, oldest: int) -> QuickFacts | Facts:
    """The facts of a module, from its tree where its text leaves a doubt.

    Of a module that does not compile they may be anything, or its mistake.
    """
    try:
        outline = read_outline(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        outline = None
    if outline is not None:
        return QuickFacts(source, outline, oldest)
    from twofold.check.facts.parse import parse_valid

    try:
        return parse_valid(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Facts()  # its mistake is found by the check of the syntax
