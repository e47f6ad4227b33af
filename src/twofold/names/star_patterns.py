"""Patterns in which `*` is any text and nothing else is special, in time that no pattern raises."""

from __future__ import annotations


def matches_stars(text: str, pattern: str) -> bool:
    """Whether the whole text matches the pattern.

    The earliest place of each part leaves the most room for the next one: no other is tried.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return text == pattern
    last = parts.pop()
    end = len(text) - len(last)
    at = len(first)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in parts:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
