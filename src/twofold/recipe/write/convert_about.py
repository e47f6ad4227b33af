"""Translate the about section of meta.yaml to recipe v1."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from twofold.recipe.model import Line
from twofold.recipe.read.jinja_modules import BUILD_FOLDER

_KEYS = {
    "home": "homepage",
    "doc_url": "documentation",
    "dev_url": "repository",
    "license": "license",
    "license_family": "license_family",
    "summary": "summary",
    "description": "description",
}
_ADDRESSES = frozenset({"home", "doc_url", "dev_url"})
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s/]\S*$")


def convert_about(
    about: Mapping[str, tuple[Line, ...]], remark: Callable[[str, Line], None]
) -> dict[str, Any]:
    """Translate the section to its new keys; `remark` receives each change with its line."""
    made: dict[str, Any] = {}
    for old, new in _KEYS.items():
        lines = about.get(old, ())
        if lines and old in _ADDRESSES:
            made |= _convert_url(new, lines, remark)
        elif lines and old == "license":
            made[new] = _convert_license(lines[0], remark)
        elif lines:
            made[new] = " ".join(line.text for line in lines)
    if "license_file" in about:
        made["license_file"] = [_convert_license_file(line) for line in about["license_file"]]
    return made


def _convert_license_file(line: Line) -> str:
    """Write a path as rattler-build finds it: it searches the recipe's folder and the source."""
    below = BUILD_FOLDER.match(line.text)
    if below and below["name"] == "PREFIX":
        # Recipes that conda's CRAN skeleton wrote escape each slash.
        return "${{ PREFIX }}/" + line.text[below.end() :].replace("\\/", "/")
    return BUILD_FOLDER.sub("", line.text)


def _convert_url(
    key: str, lines: tuple[Line, ...], remark: Callable[[str, Line], None]
) -> dict[str, str]:
    """Keep the first URL: recipe v1 has room for one of each kind."""
    for line in lines[1:]:
        remark(f"'{line.text}' is left out: the first one counts", line)
    if _ADDRESS.match(lines[0].text):
        return {key: lines[0].text}
    remark(f"'{lines[0].text}' is left out: it is not a URL; write https:// in front", lines[0])
    return {}


def _convert_license(line: Line, remark: Callable[[str, Line], None]) -> str:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(line.text)
    except InvalidLicenseExpression:
        own = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", line.text).strip("-")
        remark(f"'{line.text}' is not an SPDX expression: the package says {own}", line)
        return own
