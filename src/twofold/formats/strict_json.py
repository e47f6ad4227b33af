"""Parses JSON of a package, strictly: it becomes part of pages that every client must read.

Python's json accepts and writes more than JSON: `Infinity`, numbers of any size, lone surrogates,
deep nesting. One such value would make the page of a whole channel unreadable for its clients.
"""

from __future__ import annotations

import json
import math

#: Some clients' parsers give up at 128 levels; no file of a package needs ten.
MAX_DEPTH = 40
_LARGEST = 1 << 63


def parse(data: bytes) -> object:
    """Parse a value. Raises ValueError with the reason (RecursionError for absurd nesting)."""
    value: object = _DECODER.decode(data.decode("utf-8-sig"))
    if _is_deep(value, MAX_DEPTH):
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    if b"\\ud" in data.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds an unpaired surrogate") from None
    return value


def _parse_integer(text: str) -> int:
    if len(text) > 20 or not -_LARGEST <= int(text) < _LARGEST:
        raise ValueError("it holds a number of more than 64 bits")
    return int(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("it holds a number that is too large")
    return value


def _refuse_constant(text: str) -> float:
    raise ValueError(f"it holds {text}, which is not JSON")


def _refuse_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers could take different values of a key that is there twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"it holds the key '{double[:80]}' twice")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_doubles,
    parse_int=_parse_integer,
    parse_float=_parse_float,
    parse_constant=_refuse_constant,
)


def _is_deep(value: object, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return not left or any(
        _is_deep(part, left - 1) for part in parts if isinstance(part, dict | list)
    )
