"""The order findings are told in."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.check.finding import Finding


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by file, line and code; the same finding once."""
    return sorted(
        dict.fromkeys(findings), key=lambda f: (not f.is_error, *f.place, f.code, f.message)
    )
