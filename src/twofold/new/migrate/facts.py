"""Facts about a project, gathered from its files, in PEP 621's terms.

Every source proposes its values; the first one takes precedence, and a different value of another
is reported. What the new file cannot express is reported as `dropped`, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from twofold.errors import Problem
from twofold.names import normalize_name, requirement_name
from twofold_build import names

#: The place of what pyproject.toml declares by the standard.
PROJECT_TABLE = "pyproject.toml [project]"
#: Classifiers that name one licence, as SPDX; ambiguous ones (BSD, GPL) are not here.
_LICENSE_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: MIT No Attribution License (MIT-0)": "MIT-0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
    "License :: OSI Approved :: zlib/libpng License": "Zlib",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)": (
        "GPL-3.0-or-later"
    ),
    "License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
}
#: Free text that people write, in lower case -> SPDX.
_LICENSE_TEXTS = {
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "simplified bsd": "BSD-2-Clause",
    "isc license": "ISC",
    "mpl 2.0": "MPL-2.0",
    "mpl-2": "MPL-2.0",
    "psf": "PSF-2.0",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgplv3": "LGPL-3.0-only",
    "unlicense": "Unlicense",
}


class CommentedRequirement(str):
    """A PEP 508 requirement with the comment beside it ('' for none)."""

    comment: str = ""

    @classmethod
    def with_comment(cls, text: str, comment: str = "") -> CommentedRequirement:
        """Make a requirement with its comment, stripped of `#` and blanks."""
        made = cls(text.strip())
        made.comment = comment.strip().lstrip("#").strip()
        return made

    @property
    def name(self) -> str:
        """The normalised PyPI name."""
        name = requirement_name(self)
        return normalize_name(name) if name else str(self)


@dataclass(frozen=True, slots=True)
class DroppedSetting:
    """A setting that was not carried over: where it was, what it is, what to do about it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


@dataclass(slots=True)
class Facts:
    """What is known so far.

    `project` is the [project] table, `settings` the [tool.twofold] table, `groups` the
    [dependency-groups]. `unread` are [project] keys that a source computes by a program:
    only its own backend knows their values. `packages` are those named, dotted ([] if they are
    to be found, by the patterns of `find_*`); `lists_packages`: each subpackage is named in it,
    `finds_packages_alone`: only folders with an `__init__.py` are found. `package_data` are the
    files named in them, `comments` those of replaced tables. `doubts` are settings of files that
    may not be carried over: only a comparison with the old wheel shows it. `packs_nothing`: the old
    wheel has no module. `overlooked` are mistakes that the old backend passes over.
    """

    project: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, list[CommentedRequirement]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    packages: list[str] | None = None
    package_data: dict[str, list[str]] = field(default_factory=dict)
    find_include: tuple[str, ...] = ()
    find_exclude: tuple[str, ...] = ()
    lists_packages: bool = False
    packs_nothing: bool = False
    finds_packages_alone: bool = False
    dropped: list[DroppedSetting] = field(default_factory=list)
    doubts: list[DroppedSetting] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    overlooked: list[Problem] = field(default_factory=list)

    def propose(self, key: str, value: Any, where: str) -> None:
        """Propose a value of a [project] key; an earlier source takes precedence."""
        if value in (None, "", [], {}):
            return
        if key not in self.project:
            self.project[key] = value
            self.origins[key] = where
        elif self.origins[key] != where and not _is_same(self.project[key], value):
            self.drop(where, f"{key} = {shorten(value)}", f"{self.origins[key]} has another value")

    def propose_license(self, text: str, where: str) -> None:
        """Propose a licence: as an SPDX expression if unambiguous, else as text."""
        text = " ".join(text.split())
        if text and "license" not in self.project:
            self.propose("license", find_license_expression(text) or {"text": text}, where)

    def add_to_group(self, name: str, requirements: Iterable[CommentedRequirement]) -> None:
        """Add to a dependency group."""
        held = self.groups.setdefault(name, [])
        held += [one for one in requirements if one not in held]

    def add_setting(self, path: str, value: Any) -> None:
        """Set a [tool.twofold] setting by its dotted path; extend lists."""
        table = self.settings
        *parents, last = path.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
        if isinstance(value, list) and last in table:
            table[last] += [item for item in value if item not in table[last]]
        else:
            table.setdefault(last, value)

    def add_source(self, folder: str) -> None:
        """Add a folder that imports start from; '' is the project's own."""
        self.add_setting("source", [folder])

    def drop(self, where: str, what: str, hint: str = "") -> None:
        """Report a setting that the new file cannot express."""
        lost = DroppedSetting(where, strip_url_credentials(what), hint)
        if lost not in self.dropped:
            self.dropped.append(lost)

    def doubt(self, where: str, what: str, hint: str = "") -> None:
        """Report a setting of files as dropped, unless the old wheel shows that nothing is gone."""
        self.doubts.append(DroppedSetting(where, strip_url_credentials(what), hint))

    def mark_unread(self, key: str, where: str) -> None:
        """Mark a [project] key that a program computes, in whole or in part.

        What [project] itself declares is never computed: setuptools ignores other values.
        """
        if self.origins.get(key) != PROJECT_TABLE:
            self.unread.setdefault(key, where)


def strip_url_credentials(text: str) -> str:
    """Remove user names, passwords and tokens from the URLs in a text: it is printed."""
    text = re.sub(r"(://)[^/\s@'\"]+@", r"\1", text)
    return re.sub(r"(://(?:(?!://)[^\s'\"])*?/t/)[^/\s'\"]+", r"\1***", text)


def find_license_expression(text: str) -> str:
    """Return the SPDX expression that a licence's free text clearly means, or ''."""
    canonical, problem = names.canonicalize_license(_LICENSE_TEXTS.get(text.lower(), text))
    return "" if problem else canonical


def settle_license(facts: Facts) -> None:
    """Find an expression in the classifiers; with one, licence classifiers go (PEP 639)."""
    classifiers: list[str] = facts.project.get("classifiers", [])
    licences = [c for c in classifiers if c.startswith("License ::")]
    value = facts.project.get("license")
    if not isinstance(value, str):
        known = {_LICENSE_CLASSIFIERS[c] for c in licences if c in _LICENSE_CLASSIFIERS}
        named = [c for c in licences if c != "License :: OSI Approved"]
        if (
            len(known) == 1
            and len(named) == 1
            and not (isinstance(value, dict) and "file" in value)
        ):
            text = value.get("text", "") if isinstance(value, dict) else ""
            if not text or len(text) < 40:
                facts.project["license"] = value = known.pop()
                if text:
                    facts.remarks.append(f"the licence '{text}' is {value} by its classifier")
    if isinstance(value, str) and licences:
        facts.project["classifiers"] = [c for c in classifiers if c not in licences]
        if not facts.project["classifiers"]:
            del facts.project["classifiers"]
        facts.remarks.append(
            f"the licence is the expression {value}; PEP 639 deprecates licence classifiers "
            f"beside it, so left out: {', '.join(licences)}"
        )
    if isinstance(value, dict) and "license-files" in facts.project:
        files = facts.project.pop("license-files")
        facts.remarks.append(
            f"the licence '{value.get('text', value.get('file', ''))}' is not an SPDX expression, "
            f"and license-files ({', '.join(files)}) are not allowed beside the old table: write "
            "license as an expression and put them back"
        )


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(_to_plain, one)) == sorted(map(_to_plain, other))
    return _to_plain(one) == _to_plain(other)


def _to_plain(value: Any) -> str:
    return re.sub(r"[\s'\"]", "", str(value)).lower()


def shorten(value: Any) -> str:
    """Return the value as text of at most 60 letters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_covered(old: Any, new: Any) -> bool:
    """Whether a value has everything of another: the items of a list or table, or the same text."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and is_covered(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return {_to_plain(item) for item in old} <= {_to_plain(item) for item in new}
    return _to_plain(old) == _to_plain(new)


_README_NAMES = ("README.md", "README.rst", "README.txt", "README")


def parse_people(names: str, emails: str) -> list[dict[str, str]]:
    """Parse `author` and `author_email` of setuptools: each may have several, split by commas."""
    if re.search(r"<[^<>]+>", emails) and not names:
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
    """Parse `Ada Lovelace <ada@example.org>` to a table."""
    name, opened, address = text.strip().rpartition("<")
    if opened and address.find(">") == len(address) - 1:
        return _make_person(name.strip().strip("\"'"), address[:-1])
    words = text.split()
    is_address = len(words) == 1 and "@" in words[0][1:-1]
    return _make_person("", words[0]) if is_address else _make_person(text, "")


def _make_person(name: str, email: str) -> dict[str, str]:
    parts = {"name": " ".join(name.split()), "email": email.strip()}
    return {key: value for key, value in parts.items() if value}


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_keywords(value: str | Sequence[str]) -> list[str]:
    """Parse keywords: a list, or a text split at commas, or at blanks without commas."""
    if not isinstance(value, str):
        return [str(word) for word in value]
    words = value.split(",") if "," in value else value.split()
    return [word.strip() for word in words if word.strip()]


def propose_readme(
    facts: Facts, root: Path, names: Sequence[str], where: str, kind: str = ""
) -> None:
    """Propose the readme if the file exists; further files are dropped."""
    there = [name for name in names if (root / name).is_file()]
    for name in names:
        if name not in there:
            facts.drop(where, f"the readme '{name}'", "no such file")
    if there[1:]:
        facts.drop(where, f"further readme files: {', '.join(there[1:])}", "PyPI shows one file")
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
    """Find the file with the description's text; without one, an existing README."""
    wanted = _collapse_blanks(text)
    for name in _README_NAMES:
        path = root / name
        if path.is_file():
            content = _collapse_blanks(path.read_text(encoding="utf-8", errors="replace"))
            if not wanted or content == wanted:
                return name
    return ""


def _collapse_blanks(text: str) -> str:
    return " ".join(text.split())
