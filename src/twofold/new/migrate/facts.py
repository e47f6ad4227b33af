"""What is gathered about a project from the files it has, in the words of PEP 621.

Every source offers what it knows; the first to say something is believed, and what another
says differently is remarked on. What cannot be said in the new file is `lost`, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from twofold.names import normalize_name, requirement_name
from twofold_build import names

#: The classifiers that say which licence it is, as SPDX; ambiguous ones (BSD, GPL) are not here.
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
    """A PEP 508 requirement with the comment that stood beside it ('' for none)."""

    comment: str = ""

    @classmethod
    def with_comment(cls, text: str, comment: str = "") -> CommentedRequirement:
        made = cls(text.strip())
        made.comment = comment.strip().lstrip("#").strip()
        return made

    @property
    def name(self) -> str:
        name = requirement_name(self)
        return normalize_name(name) if name else str(self)


@dataclass(frozen=True, slots=True)
class DroppedSetting:
    """A setting that was not carried over: where it stands, what it is, what to do about it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


@dataclass(slots=True)
class Facts:
    """What is known so far.

    `project` is the [project] table, `settings` the [tool.twofold] table, `groups` the
    [dependency-groups]. `unread` are [project] keys that a source has but says by a program:
    only its own backend can tell. `packages` are those named, dotted ([] when they are to be
    found, by the patterns of `find_*`), `package_data` the files named in them. `comments` stood
    in tables that are replaced.
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
    dropped: list[DroppedSetting] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def propose(self, key: str, value: Any, where: str) -> None:
        """Say what a [project] key is; an earlier source is believed."""
        if value in (None, "", [], {}):
            return
        if key not in self.project:
            self.project[key] = value
            self.origins[key] = where
        elif self.origins[key] != where and not _is_same(self.project[key], value):
            self.drop(where, f"{key} = {_shorten(value)}", f"{self.origins[key]} says otherwise")

    def propose_license(self, text: str, where: str) -> None:
        """A licence as people write it: as an SPDX expression where it is sure, else as text."""
        text = " ".join(text.split())
        if text and "license" not in self.project:
            self.propose("license", find_license_expression(text) or {"text": text}, where)

    def add_to_group(self, name: str, requirements: Iterable[CommentedRequirement]) -> None:
        """Add to a dependency group."""
        held = self.groups.setdefault(name, [])
        held += [one for one in requirements if one not in held]

    def add_setting(self, path: str, value: Any) -> None:
        """A [tool.twofold] setting by its dotted path; lists are added to."""
        table = self.settings
        *parents, last = path.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
        if isinstance(value, list) and last in table:
            table[last] += [item for item in value if item not in table[last]]
        else:
            table.setdefault(last, value)

    def drop(self, where: str, what: str, hint: str = "") -> None:
        lost = DroppedSetting(where, what, hint)
        if lost not in self.dropped:
            self.dropped.append(lost)

    def mark_unread(self, key: str, where: str) -> None:
        """A [project] key that is there, but computed by a program."""
        if key not in self.project:
            self.unread.setdefault(key, where)


def find_license_expression(text: str) -> str:
    """The SPDX expression that a licence's free text surely means, or ''."""
    canonical, problem = names.canonicalize_license(_LICENSE_TEXTS.get(text.lower(), text))
    return "" if problem else canonical


def settle_license(facts: Facts) -> None:
    """Find an expression in the classifiers; with one, licence classifiers go (PEP 639)."""
    classifiers: list[str] = facts.project.get("classifiers", [])
    licences = [c for c in classifiers if c.startswith("License ::")]
    value = facts.project.get("license")
    if not isinstance(value, str):
        known = {_LICENSE_CLASSIFIERS[c] for c in licences if c in _LICENSE_CLASSIFIERS}
        said = [c for c in licences if c != "License :: OSI Approved"]
        if len(known) == 1 and len(said) == 1 and not (isinstance(value, dict) and "file" in value):
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
            f"the licence is the expression {value}; PyPI refuses licence classifiers beside it, "
            f"so left out: {', '.join(licences)}"
        )
    if isinstance(value, dict) and "license-files" in facts.project:
        files = facts.project.pop("license-files")
        facts.remarks.append(
            f"the licence '{value.get('text', value.get('file', ''))}' is no SPDX expression, and "
            f"license-files ({', '.join(files)}) cannot stand beside the old table: write license "
            "as an expression and put them back"
        )


def merge_tables(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two tables of settings as one; what the first says is believed, tables are merged."""
    found = dict(first)
    for key, value in second.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merge_tables(found[key], value)
        else:
            found.setdefault(key, value)
    return found


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(_to_plain, one)) == sorted(map(_to_plain, other))
    return _to_plain(one) == _to_plain(other)


def _to_plain(value: Any) -> str:
    return re.sub(r"[\s'\"]", "", str(value)).lower()


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
