"""[tool.twofold.check]: the rules a project switches off, and the files that may look secret.

[tool.twofold.check]
ignore = ["TF112"]
allow = ["tests/keys/*.pem"]
"""

from __future__ import annotations

from twofold.check.rule_table import BY_CODE
from twofold_build.diagnostics import Diagnostics, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TABLE = "tool.twofold.check"


class CheckSettings:
    """`ignore` are codes; `allow` are globs of files that may hold what looks like a secret."""

    __slots__ = ("allow", "ignore")

    def __init__(self) -> None:
        self.ignore: frozenset[str] = frozenset()
        self.allow: list[str] = []


def read_check_settings(document: dict[str, Any], mistakes: Diagnostics) -> CheckSettings:
    """The table, checked; every mistake is noted and read as empty."""
    from twofold_build.globs import find_glob_problem, get_glob_hint

    settings = CheckSettings()
    table: Any = document
    for part in _TABLE.split("."):
        table = table.get(part, {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        mistakes.add("must be a table", table="tool.twofold", key="check")
        return settings
    for key in table:
        if key not in ("ignore", "allow"):
            mistakes.add_unknown(key, ("ignore", "allow"), table=_TABLE)
    codes = _strings(table, "ignore", '["TF112"]', mistakes)
    for code in codes:
        if code not in BY_CODE:
            mistakes.add(
                f"there is no rule '{code}'",
                suggest(code, BY_CODE) or "the rules are listed in the reference of the checks",
                table=_TABLE,
                key="ignore",
                value=code,
            )
    settings.ignore = frozenset(codes)
    settings.allow = _strings(table, "allow", '["tests/key.pem"]', mistakes)
    for glob in settings.allow:
        wrong = find_glob_problem(glob)
        if wrong:
            hint = get_glob_hint(glob, "name files of the project")
            mistakes.add(wrong, hint, table=_TABLE, key="allow", value=glob)
    settings.allow = [glob for glob in settings.allow if not find_glob_problem(glob)]
    return settings


def _strings(table: dict[str, Any], key: str, example: str, mistakes: Diagnostics) -> list[str]:
    value = table.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    mistakes.add("must be a list of strings", f"write {key} = {example}", table=_TABLE, key=key)
    return []
