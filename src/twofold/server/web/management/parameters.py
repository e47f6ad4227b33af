"""JSON Schema (2020-12), as much of it as the management API says of its requests.

One description serves twice: it stands in the OpenAPI document, and `checked` holds every request
to it. So the document cannot promise what the server does not do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twofold.errors import Refused

Schema = Mapping[str, Any]

#: Numbers that every JSON reader keeps exactly.
MAX_NUMBER = 2**53 - 1

#: Any text that every database keeps.
STORABLE = r"[^\x00]*"


def text(
    description: str, pattern: str = "", max_length: int = 1000, min_length: int = 0
) -> Schema:
    """Text of `least` to `most` characters; `pattern` stands from beginning to end."""
    made: dict[str, Any] = {"type": "string", "maxLength": max_length, "description": description}
    if min_length:
        made["minLength"] = min_length
    made["pattern"] = f"^{pattern or STORABLE}$"
    return made


def choice(description: str, *words: str) -> Schema:
    return {"type": "string", "enum": list(words), "description": description}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def number(description: str, minimum: int = 0, maximum: int = MAX_NUMBER) -> Schema:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "description": description}


def list_of(item: Schema, description: str, min_items: int = 0, max_items: int = 100) -> Schema:
    return {
        "type": "array",
        "items": item,
        "minItems": min_items,
        "maxItems": max_items,
        "description": description,
    }


def mapping(description: str, min_items: int = 0, max_items: int = 20) -> Schema:
    """Text -> text."""
    return {
        "type": "object",
        "minProperties": min_items,
        "maxProperties": max_items,
        "propertyNames": {"pattern": f"^{STORABLE}$"},
        "additionalProperties": text("text"),
        "description": description,
    }


def or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def check_value(value: Any, schema: Schema, where: str) -> Any:
    """The value, if it is as its schema says. Raises Refused (400). A number 5.0 is the whole 5."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is_a(value, kind) for kind in kinds):
        raise invalid_request(where, f"must be {' or '.join(_NAMES[kind] for kind in kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        raise invalid_request(where, f"must be one of {', '.join(map(str, schema['enum']))}")
    if "not" in schema and value in schema["not"]["enum"]:
        raise invalid_request(where, f"must not be {value}")
    if isinstance(value, str):
        _check_text(value, schema, where)
    elif isinstance(value, int) and not isinstance(value, bool):
        least, most = schema.get("minimum"), schema.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            raise invalid_request(where, f"must be from {least} to {most}")
    elif isinstance(value, list):
        _check_count(len(value), schema, "Items", where)
        for item in value:
            check_value(item, schema["items"], where)
    elif isinstance(value, dict):
        _check_count(len(value), schema, "Properties", where)
        for item in value.values():
            check_value(item, schema["additionalProperties"], where)
    return value


def parse_value(raw: str, schema: Schema, where: str) -> Any:
    """A value out of an address: text, a number or true and false, as its schema says."""
    kind = schema["type"]
    value: Any = None
    if kind == "string":
        value = raw
    elif kind == "integer" and re.fullmatch(r"[0-9]{1,16}", raw, re.ASCII):
        value = int(raw)
    elif kind == "boolean" and raw in ("true", "false"):
        value = raw == "true"
    return check_value(value, schema, where)


def invalid_request(where: str, fault: str) -> Refused:
    return Refused("malformed-request", f"{where} {fault}", "see /api/openapi.json")


#: How people call the types.
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def _is_a(value: object, kind: str) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, _TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)


def _check_text(value: str, schema: Schema, place: str) -> None:
    most = schema.get("maxLength", len(value))
    if len(value) > most or len(value) < schema.get("minLength", 0):
        raise invalid_request(place, f"must have {schema.get('minLength', 0)} to {most} characters")
    pattern = schema.get("pattern", "")
    if pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value, re.ASCII):
        raise invalid_request(place, f"{value[:80]!a} does not fit {pattern}")


def _check_count(count: int, schema: Schema, what: str, place: str) -> None:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", count)
    if not least <= count <= most:
        raise invalid_request(place, f"must hold {least} to {most}")
