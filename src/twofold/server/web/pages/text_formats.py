"""How pages write sizes, dates and counts."""

from __future__ import annotations

from datetime import datetime


def format_size(count: int) -> str:
    """Write a number of bytes with a decimal unit."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def format_date(at: datetime) -> str:
    """Write a day: 3 Mar 2026."""
    return f"{at.day} {at:%b %Y}"


def format_time(at: datetime) -> str:
    """Write a time to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
