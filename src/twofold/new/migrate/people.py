"""Authors, keywords, urls and README files, from the many ways in which they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parseaddr
from pathlib import Path

from twofold.new.migrate.facts import Facts

_README_NAMES = ("README.md", "README.rst", "README.txt", "README")


def parse_people(names: str, emails: str) -> list[dict[str, str]]:
    """`author` and `author_email` of setuptools: each may hold several, split by commas."""
    if re.search(r"<[^>]+>", emails) and not names:
        return [parse_person(part) for part in _split_commas(emails)]
    listed = _split_commas(names)
    addresses = [parseaddr(part)[1] or part for part in _split_commas(emails)]
    if len(listed) == len(addresses):
        return [_make_person(*pair) for pair in zip(listed, addresses, strict=True)]
    if len(addresses) <= 1:
        # One address for "A, B and contributors": the whole is the name.
        return [_make_person(names.strip(), addresses[0] if addresses else "")]
    return [_make_person(name, "") for name in listed] + [_make_person("", a) for a in addresses]


def parse_person(text: str) -> dict[str, str]:
    """`Ada Lovelace <ada@example.org>` as a table."""
    found = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", text)
    if found:
        return _make_person(found[1].strip("\"'"), found[2])
    return (
        _make_person("", text.strip())
        if re.fullmatch(r"\s*\S+@\S+\s*", text)
        else _make_person(text, "")
    )


def _make_person(name: str, email: str) -> dict[str, str]:
    parts = {"name": " ".join(name.split()), "email": email.strip()}
    return {key: value for key, value in parts.items() if value}


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_keywords(value: str | Sequence[str]) -> list[str]:
    """A list as it is; a text split at commas, or at blanks when it has none."""
    if not isinstance(value, str):
        return [str(word) for word in value]
    words = value.split(",") if "," in value else value.split()
    return [word.strip() for word in words if word.strip()]


def propose_readme(
    facts: Facts, root: Path, names: Sequence[str], where: str, kind: str = ""
) -> None:
    """The readme, when the file is there; further files are lost."""
    there = [name for name in names if (root / name).is_file()]
    for name in names:
        if name not in there:
            facts.drop(where, f"the readme '{name}'", "there is no such file")
    if there[1:]:
        facts.drop(where, f"the readme goes on with {', '.join(there[1:])}", "one file is shown")
    if not there:
        return
    types = {".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain"}
    usual = types.get(Path(there[0]).suffix.lower(), "text/plain")
    wanted = kind.partition(";")[0].strip()
    if wanted and wanted != usual:
        facts.propose("readme", {"file": there[0], "content-type": wanted}, where)
    elif Path(there[0]).suffix.lower() in types or not Path(there[0]).suffix:
        facts.propose("readme", there[0], where)
    else:
        facts.propose("readme", {"file": there[0], "content-type": "text/plain"}, where)


def find_readme(root: Path, text: str = "") -> str:
    """The file whose content a description is; without one, the usual name that is there."""
    wanted = _collapse_blanks(text)
    for name in _README_NAMES:
        path = root / name
        if path.is_file():
            said = _collapse_blanks(path.read_text(encoding="utf-8", errors="replace"))
            if not wanted or said == wanted:
                return name
    return ""


def _collapse_blanks(text: str) -> str:
    return " ".join(text.split())
