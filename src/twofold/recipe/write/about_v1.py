"""The about section in recipe v1, where addresses and licences have to be well-formed.

meta.yaml asks for no form. A recipe that conda-build takes is built all the same: what recipe v1
has no form for is left out or written otherwise, and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from twofold.recipe.model import Line

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
    """The section under its new keys; `remark` is told what changed, with the line it stands in."""
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
        made["license_file"] = [line.text for line in about["license_file"]]
    return made


def _convert_url(
    key: str, lines: tuple[Line, ...], remark: Callable[[str, Line], None]
) -> dict[str, str]:
    """Recipe v1 has room for one address of a kind."""
    for line in lines[1:]:
        remark(f"'{line.text}' is left out: the first one counts", line)
    if _ADDRESS.match(lines[0].text):
        return {key: lines[0].text}
    remark(f"'{lines[0].text}' is left out: it is no address; write https:// in front", lines[0])
    return {}


def _convert_license(line: Line, remark: Callable[[str, Line], None]) -> str:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(line.text)
    except InvalidLicenseExpression:
        own = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", line.text).strip("-")
        remark(f"'{line.text}' is no SPDX expression: the package says {own}", line)
        return own
