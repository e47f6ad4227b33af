"""What the checks of `twofold admin doctor` return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OK, WARNING, ERROR = "ok", "warning", "error"

#: How far a clock may be off before tokens and identity tokens are refused.
CLOCK_SKEW = timedelta(seconds=30)


@dataclass(frozen=True)
class Finding:
    """A result: `state` is ok, warning or error."""

    check: str
    state: str
    message: str
    hint: str = ""


def compare_clocks(where: str, there: datetime, here: datetime) -> Finding:
    """Compare the clock of another machine with this one's."""
    skew = abs(there - here)
    text = f"the clocks of this machine and of {where} differ by {skew.total_seconds():.0f} s"
    if skew > CLOCK_SKEW:
        return Finding("clock", ERROR, text, "set both by NTP: tokens end by the clock")
    return Finding("clock", OK, text)
