"""Whether a project's licence is one of those that a channel allows, by its METADATA.

A license expression (PEP 639) is evaluated: one side of `OR` is enough, both of `AND` are needed.
Older metadata have classifiers, or a text that may be an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from twofold.formats.core_metadata import CoreMetadata

#: SPDX identifiers of classifiers and of usual texts, in lower case.
_USUAL = {
    "academic free license (afl)": "AFL-3.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "artistic license": "Artistic-2.0",
    "boost software license 1.0 (bsl-1.0)": "BSL-1.0",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu lesser general public license v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit no attribution license (mit-0)": "MIT-0",
    "mozilla public license 1.1 (mpl 1.1)": "MPL-1.1",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zlib/libpng license": "Zlib",
    "zope public license": "ZPL-2.1",
}

_TOKENS = re.compile(r"\(|\)|[^\s()]+")
_OPERATORS = frozenset(["AND", "OR", "WITH"])
_PREFIX = "License :: "


def find_license_problem(metadata: CoreMetadata, allowed: Collection[str]) -> str | None:
    """Return why the licence is not one of those allowed; None when it is."""
    names = {name.lower() for name in allowed}
    refused = "the policy of this channel does not allow its licence"
    expression = metadata.get("License-Expression") or ""
    if expression:
        return None if _is_allowed(expression, names) else f"{refused}: {expression[:200]!a}"
    stated = _read_older(metadata)
    if not stated:
        return "the policy of this channel asks for a licence, and it states none"
    other = [name for name in stated if name.lower() not in names]
    return f"{refused}: {other[0][:200]!a}" if other else None


def list_licenses(metadata: CoreMetadata) -> list[str]:
    """Return the identifiers of a license expression, else what classifiers or License name."""
    expression = metadata.get("License-Expression")
    if not expression:
        return _read_older(metadata)
    words = _TOKENS.findall(expression)
    return [word for word in words if word not in "()" and word.upper() not in _OPERATORS]


def _read_older(metadata: CoreMetadata) -> list[str]:
    """Return the licences of classifiers, or of the field License."""
    classifiers = [text for text in metadata.all("Classifier") if text.startswith(_PREFIX)]
    names = [text.split(" :: ")[-1] for text in classifiers if text != "License :: OSI Approved"]
    if names:
        return [_USUAL.get(name.lower(), name) for name in names]
    text = (metadata.get("License") or "").strip()
    return [_USUAL.get(text.lower(), text)] if text and "\n" not in text else []


def _is_allowed(expression: str, allowed: Collection[str]) -> bool:
    tokens = _TOKENS.findall(expression)
    value, rest = _read_or(tokens, allowed)
    return value and not rest


def _read_or(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    value, rest = _read_and(tokens, allowed)
    while rest and rest[0].upper() == "OR":
        other, rest = _read_and(rest[1:], allowed)
        value = value or other
    return value, rest


def _read_and(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    value, rest = _read_one(tokens, allowed)
    while rest and rest[0].upper() == "AND":
        other, rest = _read_one(rest[1:], allowed)
        value = value and other
    return value, rest


def _read_one(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    """Read an identifier, with its exception (`WITH`), which only permits more; or parentheses."""
    if not tokens:
        return False, []
    if tokens[0] == "(":
        value, rest = _read_or(tokens[1:], allowed)
        return value and rest[:1] == [")"], rest[1:]
    rest = tokens[3:] if len(tokens) > 2 and tokens[1].upper() == "WITH" else tokens[1:]
    return tokens[0].lower() in allowed, rest
