"""Well-known projects of PyPI, for a channel that offers some before anybody asks."""

from __future__ import annotations

from pathlib import Path


def load_popular_names() -> list[str]:
    """Return their normalized names, the most used first as far as known."""
    text = Path(__file__).with_name("popular.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
