"""Well-known projects of PyPI, for a channel that offers some before anybody asks."""

from __future__ import annotations


def load_popular_names() -> list[str]:
    """Return their normalized names, the most used first as far as known."""
    from pathlib import Path  # slow to import, and a small build needs no names

    text = Path(__file__).with_name("popular.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
