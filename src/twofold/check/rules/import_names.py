"""TF032: the import names that a project declares, against its modules (PEP 794)."""

from __future__ import annotations

from collections.abc import Iterator
from keyword import iskeyword

from twofold.check.rule_table import Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode


def no_such_import_name(code: SourceCode) -> Iterator[Violation]:
    """TF032. A wheel for one platform may lack what those for others have."""
    if not code.is_complete or code.declared_names is None or not code.installed:
        return
    names, spaces, where = code.declared_names
    for text in (*names, *spaces):
        name, mark, private = (part.strip() for part in text.partition(";"))
        # What is no name at all is an error of another rule.
        is_name = private == "private" * bool(mark) and all(
            part.isidentifier() and not iskeyword(part) for part in name.split(".")
        )
        if is_name and not code.namespace.exists(name):
            yield Violation(
                f"the import name '{name}' is declared, and there is no such module",
                "correct the name, or pack the module",
                where,
            )
    if names == [""] and (tops := sorted(n for n in code.modules if "." not in n)):
        yield Violation(
            f"no import name is declared (an empty list), and there is the module '{tops[0]}'",
            "name the modules that users import, or remove the empty list",
            where,
        )
