"""JSON as `json` writes it with sorted keys; importing that costs a tenth of a small build."""

from __future__ import annotations

try:
    from _json import encode_basestring as _quote
except ImportError:  # no C extension
    from json.encoder import py_encode_basestring as _quote

#: Of more items than this `json`, in C, is quicker, its import included.
_MANY = 3000


def dump_sorted(value: object, comma: str = ", ", colon: str = ": ") -> str:
    """Return a value as JSON: strings, whole numbers and lists and dicts of them without `json`."""
    if _count(value) <= _MANY:
        try:
            return _dump(value, comma, colon)
        except TypeError:  # another kind of value, or of key
            pass
    import json

    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(comma, colon))


def _count(value: object) -> int:
    """Roughly how many items there are, without looking at all of them."""
    if isinstance(value, dict):
        return len(value) + sum(len(one) for one in value.values() if isinstance(one, list | dict))
    return len(value) if isinstance(value, list) else 1


def _dump(value: object, comma: str, colon: str) -> str:
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        items = [f"{_quote(key)}{colon}{_dump(value[key], comma, colon)}" for key in sorted(value)]
        return f"{{{comma.join(items)}}}"
    if isinstance(value, list | tuple):
        return f"[{comma.join([_dump(one, comma, colon) for one in value])}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(int(value))
    raise TypeError(type(value))
