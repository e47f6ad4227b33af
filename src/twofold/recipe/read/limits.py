"""Limits of a recipe's Jinja: no step makes a large value, and all steps are counted.

Recipes are untrusted. `{{ 'a' * 10**10 }}`, a loop in a loop, `"%999999999d" % 1` or a list doubled
forty times would exhaust memory or run for hours; here each is an error before it happens, in the
same process and on every system (no alarm, no resource limit).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

Value = TypeVar("Value")

#: The longest text or list, deep, that a recipe may compute (letters and items).
MAX_SIZE = 65_536
#: Steps of one rendering; a turn of a loop costs 20, a letter written a sixteenth: some 0.5 s.
MAX_STEPS = 400_000
ITERATION_STEPS = 20
#: The largest whole number: far above any hash, far below what takes time.
MAX_BITS = 512
_WIDE_FORMAT = re.compile(r"\d{4,}|\*|\{[^{}]*\{")


class LimitExceeded(ValueError):
    """The template exceeds a limit for recipes."""


class Budget:
    """Counts the steps of one rendering."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def charge(self, steps: int) -> None:
        """Raise LimitExceeded when the rendering has used its budget."""
        self.left -= steps
        if self.left < 0:
            raise LimitExceeded("the template loops too long or writes too much")

    def charge_value(self, value: Value) -> Value:
        """Charge a value's size and return the value."""
        self.charge(1 + measure_size(value) // 16)
        return value

    def charge_iterations(self, values: Iterable[object], letters: int) -> Iterator[object]:
        """Yield a loop's values, charging each iteration and its text."""
        for value in values:
            self.charge(ITERATION_STEPS + letters // 16)
            yield value


def measure_size(value: object) -> int:
    """Count the characters and items of a value, deep; shared values count every time.

    Raises LimitExceeded above MAX_SIZE, so that measuring a huge value costs no more than that.
    """
    total = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        total += 1
        if isinstance(one, str | bytes):
            total += len(one)
        elif isinstance(one, int) and not isinstance(one, bool):
            if one.bit_length() > MAX_BITS:
                raise LimitExceeded("the template computes a number that is too large")
        elif isinstance(one, dict):
            _check_size(total + len(one))
            waiting.extend(chain(one.keys(), one.values()))
        elif isinstance(one, list | tuple):
            _check_size(total + len(one))
            waiting.extend(one)
        _check_size(total + len(waiting))
    return total


def _check_size(total: int) -> None:
    if total > MAX_SIZE:
        raise LimitExceeded(
            f"the template makes a value of more than {MAX_SIZE:,} characters or items"
        )


def check_operation(operator: str, left: object, right: object) -> None:
    """Refuse `left operator right` when its result would be too large; nothing is computed."""
    measure_size(left)
    measure_size(right)
    if operator == "*":
        for text, times in ((left, right), (right, left)):
            if isinstance(text, str | list | tuple) and isinstance(times, int):
                _check_size(measure_size(text) * max(times, 0))
    elif operator == "+" and isinstance(left, str | list | tuple):
        _check_size(measure_size(left) + measure_size(right))
    elif operator == "%" and isinstance(left, str):
        check_format(left, "%", right)
    elif operator == "**":
        raise LimitExceeded("powers are not allowed in recipes")


def check_format(pattern: str, sign: str, values: object) -> None:
    """Refuse a format with a wide or computed width, or that repeats large values too often."""
    if _WIDE_FORMAT.search(pattern):
        raise LimitExceeded("the template formats with a width that is too large or not literal")
    _check_size(len(pattern) + pattern.count(sign) * measure_size(values))


def check_replace(text: str, old: str, new: str) -> None:
    """Refuse `text.replace(old, new)` if its result would be too large."""
    _check_size(len(text) + (text.count(old) if old else len(text) + 1) * len(new))


def check_join(separator: str, parts: Iterable[object]) -> list[object]:
    """Return the parts as a list; refuse it if the joined text would be too large."""
    listed = []
    total = 0
    for part in parts:
        listed.append(part)
        total += measure_size(part) + len(separator)
        _check_size(total)
    return listed
