"""Typed access to one table of pyproject.toml; mistakes are collected, not raised."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics


class TableReader:
    """The table called `name`; a value of another type is reported and read as empty."""

    def __init__(self, table: dict[str, Any], name: str, diagnostics: Diagnostics) -> None:
        self.table = table
        self.name = name
        self.diagnostics = diagnostics

    def get_string(self, key: str) -> str:
        """Return a string; '' if it is missing or of another type."""
        value = self.table.get(key, "")
        if isinstance(value, str):
            return self.check_one_line(value, key)
        self.diagnostics.add(
            f"must be a string, not {describe_type(value)}",
            "put it in quotation marks",
            table=self.name,
            key=key,
        )
        return ""

    def get_strings(self, key: str) -> list[str]:
        """Return a list of strings, without items of another type."""
        value = self.table.get(key, [])
        if not isinstance(value, list):
            hint = (
                f'write {key} = ["{value}"]'
                if isinstance(value, str)
                else "write a list of strings"
            )
            self.diagnostics.add(
                f"must be a list, not {describe_type(value)}", hint, table=self.name, key=key
            )
            return []
        good = []
        for item in value:
            if isinstance(item, str):
                good.append(self.check_one_line(item, key))
            else:
                self.diagnostics.add(
                    f"holds {describe_type(item)} instead of a string",
                    "put every item in quotation marks",
                    table=self.name,
                    key=key,
                )
        return good

    def get_mapping(self, key: str) -> dict[str, str]:
        """Return a table of strings, without values of another type."""
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            hint = f"write [{self.name}.{key}], and below it one line for each"
            message = f"must be a table, not {describe_type(value)}"
            self.diagnostics.add(message, hint, table=self.name, key=key)
            return {}
        good = {}
        for name, item in value.items():
            if isinstance(item, str):
                good[name] = self.check_one_line(item, f"{key}.{name}")
            else:
                self.diagnostics.add(
                    f"must be a string, not {describe_type(item)}",
                    "put it in quotation marks",
                    table=f"{self.name}.{key}",
                    key=name,
                )
        return good

    def check_one_line(self, value: str, key: str) -> str:
        """Return a value of METADATA as one line; report one that would begin another line."""
        if value.isprintable():
            return value
        plain = "".join(" " if _is_line_break(mark) else mark for mark in value)
        if plain != value:
            self.diagnostics.add(
                "must be one line, without control characters",
                "move long text to the readme",
                table=self.name,
                key=key,
            )
        return plain


def _is_line_break(mark: str) -> bool:
    return mark < " " or mark in "\x7f\x85\u2028\u2029"


def is_dotted_name(name: str) -> bool:
    """Whether it is the name of a module: identifiers separated by dots."""
    return all(part.isidentifier() for part in name.split("."))


def describe_type(value: object) -> str:
    """Return TOML's name for the type of a value."""
    if isinstance(value, bool):
        return "a boolean"
    for type_, word in (
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    ):
        if isinstance(value, type_):
            return word
    return "a date or time"
