"""Authors and maintainers (PEP 621)."""

from __future__ import annotations

from twofold_build.table_reader import TableReader, describe_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.diagnostics import Diagnostics


class Person:
    """An author or maintainer; either part may be ''."""

    __slots__ = ("email", "name")

    def __init__(self, name: str, email: str) -> None:
        self.name = name
        self.email = email


def read_people(reader: TableReader, key: str, mistakes: Diagnostics) -> list[Person]:
    value = reader.table.get(key, [])
    if not isinstance(value, list):
        mistakes.add(
            f"must be a list of tables, not {describe_type(value)}",
            'write [{name = "...", email = "..."}]',
            key=key,
        )
        return []
    people = []
    for item in value:
        if not isinstance(item, dict):
            mistakes.add(
                f"holds {describe_type(item)} where a table must stand",
                'write {name = "...", email = "..."}',
                key=key,
                value=str(item),
            )
            continue
        for part in item:
            if part not in ("name", "email"):
                mistakes.add(
                    f"unknown key '{part}' in a person",
                    "known here: name, email",
                    key=key,
                    value=str(part),
                )
        name, email = item.get("name", ""), item.get("email", "")
        if not isinstance(name, str) or not isinstance(email, str):
            mistakes.add("name and email must be strings", "put them in quotation marks", key=key)
            continue
        if email and not _is_address(email):
            mistakes.add(
                f"'{email}' is not an email address",
                'write it like "ada@example.org"',
                key=key,
                value=email,
            )
        people.append(Person(reader.check_one_line(name, key), email))
    return people


def _is_address(email: str) -> bool:
    """Whether it looks like an address: nothing can say more without sending mail."""
    local, _, domain = email.partition("@")
    return bool(local and domain) and not any(mark in "@<>, \t" for mark in local + domain)
