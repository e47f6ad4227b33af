"""Reads headers of content negotiation: Accept and Accept-Encoding (RFC 9110, 12.5)."""

from __future__ import annotations


def parse_accept(header: str) -> dict[str, float]:
    """Return value -> quality, in the order of the header; values in lower case.

    A quality that is no number counts as 0.
    """
    found: dict[str, float] = {}
    for part in header.split(","):
        value, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, number = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(number)
                except ValueError:
                    quality = 0.0
        found[value] = max(quality, found.get(value, 0.0))
    return found
