"""JSON bodies, parsed once at the edge: bounded, of the right types, free of what no store takes.

A body is an object of at most 1 MiB, nested at most 30 deep. Text with NUL or half a surrogate pair
is refused: PostgreSQL keeps neither, and no client means it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from twofold.errors import Refused
from twofold.server.web.blocks import stream_body

#: The largest body that describes something (bytes): recipes' descriptions come to some 100 kB.
MAX_BYTES = 1 << 20

#: How deep a body may be nested; what clients send is nested four deep.
MAX_DEPTH = 30


@dataclass(frozen=True)
class JsonObject:
    """A JSON object whose fields are asked for by type. A missing field and null are alike."""

    fields: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        value = self.fields.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        value = self.fields.get(name)
        if value not in (None, True, False):
            raise _wrong(name, "true or false")
        return bool(value)

    def number(self, name: str) -> int | None:
        """A whole number that is not negative."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _wrong(name, "a whole number that is not negative")
        return value

    def texts(self, name: str) -> list[str]:
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong(name, "a list of strings")
        return list(value)

    def object(self, name: str) -> dict[str, Any]:
        value = self.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _wrong(name, "an object")
        return dict(value)


def _wrong(name: str, what: str) -> Refused:
    return Refused("malformed-json", f"The field '{name}' must be {what}")


def parse_json_object(body: bytes) -> JsonObject:
    """Raises Refused (400) when the body is not such an object."""
    try:
        value = json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else str(error)
        raise Refused("malformed-json", f"The body is not JSON: {reason}") from None
    if not isinstance(value, dict):
        raise Refused("malformed-json", "The body must be a JSON object")
    _check(value)
    return JsonObject(value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _check(value: object) -> None:
    """Walks with a list of its own: a deep body must not exhaust Python's stack."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Refused("malformed-json", f"The body is nested deeper than {MAX_DEPTH}")
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += [*item, *item.values()]
            elif isinstance(item, list):
                below += item
        level = below


def _check_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("malformed-json", f"The text {text[:80]!a} holds a character nobody can keep")


async def read_body(request: Request) -> bytes:
    """The whole body. Raises Refused (413) when it is larger than a description can be."""
    too_large = Refused("too-large", f"The body is larger than {MAX_BYTES} bytes", status=413)
    return b"".join([block async for block in stream_body(request, MAX_BYTES, too_large)])


def with_json_body(
    endpoint: Callable[[Request, JsonObject], Response],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """An endpoint that is given the JSON body too, and runs in a thread as all verbs do."""

    async def read_and_answer(request: Request) -> Response:
        told = parse_json_object(await read_body(request))
        return await run_in_threadpool(endpoint, request, told)

    return read_and_answer
