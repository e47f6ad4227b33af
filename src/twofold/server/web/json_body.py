"""JSON bodies, parsed and validated once at the edge.

A body is an object of at most 1 MiB, nested at most 30 levels deep. Text with NUL or an unpaired
surrogate is refused: PostgreSQL stores neither, and no client sends it on purpose.
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
from twofold.server.web.request_body import stream_body

#: Maximum size of a JSON body (bytes): descriptions of recipes have up to some 100 kB.
MAX_BYTES = 1 << 20

#: Maximum nesting of a body; clients send four levels.
MAX_DEPTH = 30


@dataclass(frozen=True)
class JsonObject:
    """A JSON object with typed access to its fields. A missing field and null are equal."""

    fields: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        """Return a string field."""
        value = self.fields.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _type_error(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean field, False if missing."""
        value = self.fields.get(name)
        if value not in (None, True, False):
            raise _type_error(name, "true or false")
        return bool(value)

    def number(self, name: str) -> int | None:
        """Return a non-negative integer field."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _type_error(name, "a non-negative integer")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of strings, empty if missing."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _type_error(name, "a list of strings")
        return list(value)

    def objects(self, name: str) -> list[JsonObject]:
        """Return a list of objects, empty if missing."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _type_error(name, "a list of objects")
        return [JsonObject(item) for item in value]

    def object(self, name: str) -> dict[str, Any]:
        """Return an object field, empty if missing."""
        value = self.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _type_error(name, "an object")
        return dict(value)


def _type_error(name: str, expected: str) -> Refused:
    return Refused("malformed-json", f"The field '{name}' must be {expected}")


def parse_json_object(body: bytes) -> JsonObject:
    """Parse a body. Raises Refused (400) if it is not a valid JSON object."""
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else str(error)
        raise Refused("malformed-json", f"The body is not JSON: {reason}") from None
    if not isinstance(value, dict):
        raise Refused("malformed-json", "The body must be a JSON object")
    _check_depth(value)
    return JsonObject(value)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not valid JSON")


def _check_depth(value: object) -> None:
    """Check depth and text level by level: recursion could exhaust Python's stack."""
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
        raise Refused(
            "malformed-json",
            f"The text {text[:80]!a} contains a NUL or an unpaired surrogate, "
            "which cannot be stored",
        )


async def read_body(request: Request) -> bytes:
    """Read the whole body. Raises Refused (413) if it is too large."""
    too_large = Refused("too-large", f"The body is larger than {MAX_BYTES} bytes", status=413)
    return b"".join([block async for block in stream_body(request, MAX_BYTES, too_large)])


async def read_json(request: Request) -> bytes:
    """Read a body of the type application/json. Raises Refused (415).

    No other type is read: a form of any web page can send text/plain without being asked first.
    """
    content = await read_body(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content and media != "application/json":
        hint = "send it as Content-Type: application/json"
        raise Refused("not-json", f"Expected a JSON body, not {media!a}", hint, 415)
    return content


def with_json_body(
    endpoint: Callable[[Request, JsonObject], Response],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Wrap an endpoint: parse the JSON body, then call the endpoint in a thread."""

    async def read_and_answer(request: Request) -> Response:
        body = parse_json_object(await read_json(request))
        return await run_in_threadpool(endpoint, request, body)

    return read_and_answer
