"""Evaluates a marker (PEP 508) in many environments.

packaging evaluates every comparison again in each of them: a file of six kilobytes, with a
hundred long markers, took minutes. Here a comparison is made once for each value of its variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from packaging.markers import Marker, UndefinedComparison

from twofold.errors import TwofoldError

_OPERAND = r"(?:\"[^\"]*\"|'[^']*'|[a-z_]+)"
#: What packaging writes for a marker: brackets, `and`, `or`, and comparisons.
_TOKEN = re.compile(rf"\s*(?:([()])|(and|or)\b|({_OPERAND} (?:not in|in|[<>=!~]+) {_OPERAND}))\s*")
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
_VARIABLE = re.compile(r"[a-z_]+")

#: `any` of its parts, each `all` of comparisons or of further expressions.
Alternatives = list[list["Comparison | Alternatives"]]


class Comparison:
    """One comparison, with its result for each value of its variables."""

    def __init__(self, text: str) -> None:
        self.marker = Marker(text)
        found = _VARIABLE.findall(_STRING.sub(" ", text))
        self.variables = tuple(name for name in found if name not in ("in", "not"))
        self._results: dict[tuple[str, ...], bool] = {}

    def holds(self, environment: Mapping[str, str], extra: str) -> bool:
        """Whether it holds in an environment that has every other variable, for an extra.

        Raises TwofoldError where it compares what has no order.
        """
        values = tuple([extra if name == "extra" else environment[name] for name in self.variables])
        result = self._results.get(values)
        if result is None:
            result = self._results[values] = self._evaluate({**environment, "extra": extra})
        return result

    def _evaluate(self, environment: Mapping[str, str]) -> bool:
        try:
            return self.marker.evaluate(dict(environment))
        except UndefinedComparison as error:
            raise TwofoldError(
                f"the marker '{self.marker}' compares texts by an operator of versions",
                "compare them by == or !=; pip cannot install it either",
            ) from error


class MarkerExpression:
    """A marker; `variables` are the names in it. Made by `parse_marker`."""

    def __init__(self, text: str) -> None:
        self._comparisons: dict[str, Comparison] = {}
        self._alternatives = self._parse(text)
        found = {name for one in self._comparisons.values() for name in one.variables}
        self.variables = tuple(sorted(found))
        self._results: dict[tuple[str, ...], bool] = {}

    def _parse(self, text: str) -> Alternatives:
        top: Alternatives = [[]]
        open_ones = [top]
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:  # a string that packaging writes with another quote
                self._comparisons = {text: Comparison(text)}
                return [[self._comparisons[text]]]
            bracket, operator, comparison = found.groups()
            if bracket == "(":
                inner: Alternatives = [[]]
                open_ones[-1][-1].append(inner)
                open_ones.append(inner)
            elif bracket:
                open_ones.pop()
            elif operator == "or":
                open_ones[-1].append([])
            elif comparison:
                known = self._comparisons.get(comparison) or Comparison(comparison)
                open_ones[-1][-1].append(self._comparisons.setdefault(comparison, known))
            at = found.end()
        return top

    def holds(self, environment: Mapping[str, str], extra: str) -> bool:
        """Whether it holds in an environment that has every other variable, for an extra."""
        values = tuple([extra if name == "extra" else environment[name] for name in self.variables])
        result = self._results.get(values)
        if result is None:
            result = self._results[values] = _holds(self._alternatives, environment, extra)
        return result


def _holds(alternatives: Alternatives, environment: Mapping[str, str], extra: str) -> bool:
    return any(
        all(
            _holds(part, environment, extra)
            if isinstance(part, list)
            else part.holds(environment, extra)
            for part in parts
        )
        for parts in alternatives
    )


@lru_cache(maxsize=512)
def parse_marker(marker: Marker) -> MarkerExpression:
    """Return the expression of a marker; its results are kept with it."""
    return MarkerExpression(str(marker))
