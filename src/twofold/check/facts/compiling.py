"""Whether a module is valid Python, as the compiler of this Python judges."""

from __future__ import annotations

import warnings

from twofold.check.facts.model import SyntaxMistake


def find_mistake(source: bytes) -> SyntaxMistake | None:
    """Compile a module, of which nothing is run, and return what the compiler refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is not our finding
            # The tree alone lets pass what the compiler refuses: `return` outside a function.
            compile(source, "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        from twofold.check.facts.syntax import guess_newer_syntax

        line = error.lineno or 0
        return SyntaxMistake(error.msg, line, *guess_newer_syntax(source, line, error.msg))
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxMistake(str(error) or type(error).__name__, 0)
    return None


def is_refused(statements: str, are_annotations_lazy: bool) -> bool:
    """Whether the compiler refuses statements that stand alone at the top level of a module."""
    flags = 0
    if are_annotations_lazy:
        import __future__

        flags = __future__.annotations.compiler_flag
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(statements, "<module>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False
