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
LARGEST_NUMBER = 2**53 - 1

#: Any text that every database keeps.
KEEPABLE = r"[^\x00]*"


def text(about: str, pattern: str = "", most: int = 1000, least: int = 0) -> Schema:
    """Text of `least` to `most` characters; `pattern` stands from beginning to end."""
    made: dict[str, Any] = {"type": "string", "maxLength": most, "description": about}
    if least:
        made["minLength"] = least
    made["pattern"] = f"^{pattern or KEEPABLE}$"
    return made


def choice(about: str, *words: str) -> Schema:
    return {"type": "string", "enum": list(words), "description": about}


def flag(about: str) -> Schema:
    return {"type": "boolean", "description": about}


def number(about: str, least: int = 0, most: int = LARGEST_NUMBER) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": about}


def list_of(item: Schema, about: str, least: int = 0, most: int = 100) -> Schema:
    return {
        "type": "array",
        "items": item,
        "minItems": least,
        "maxItems": most,
        "description": about,
    }


def mapping(about: str, least: int = 0, most: int = 20) -> Schema:
    """Text -> text."""
    return {
        "type": "object",
        "minProperties": least,
        "maxProperties": most,
        "propertyNames": {"pattern": f"^{KEEPABLE}$"},
        "additionalProperties": text("text"),
        "description": about,
    }


def or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def checked(value: Any, schema: Schema, place: str) -> Any:
    """The value, if it is as its schema says. Raises Refused (400). A number 5.0 is the whole 5."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is_a(value, kind) for kind in kinds):
        raise wrong(place, f"must be {' or '.join(_NAMES[kind] for kind in kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        raise wrong(place, f"must be one of {', '.join(map(str, schema['enum']))}")
    if "not" in schema and value in schema["not"]["enum"]:
        raise wrong(place, f"must not be {value}")
    if isinstance(value, str):
        _check_text(value, schema, place)
    elif isinstance(value, int) and not isinstance(value, bool):
        least, most = schema.get("minimum"), schema.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            raise wrong(place, f"must be from {least} to {most}")
    elif isinstance(value, list):
        _check_count(len(value), schema, "Items", place)
        for item in value:
            checked(item, schema["items"], place)
    elif isinstance(value, dict):
        _check_count(len(value), schema, "Properties", place)
        for item in value.values():
            checked(item, schema["additionalProperties"], place)
    return value


def read_word(word: str, schema: Schema, place: str) -> Any:
    """A value out of an address: text, a number or true and false, as its schema says."""
    kind = schema["type"]
    value: Any = None
    if kind == "string":
        value = word
    elif kind == "integer" and re.fullmatch(r"[0-9]{1,16}", word, re.ASCII):
        value = int(word)
    elif kind == "boolean" and word in ("true", "false"):
        value = word == "true"
    return checked(value, schema, place)


def wrong(place: str, what: str) -> Refused:
    return Refused("malformed-request", f"{place} {what}", "see /api/openapi.json")


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
        raise wrong(place, f"must have {schema.get('minLength', 0)} to {most} characters")
    pattern = schema.get("pattern", "")
    if pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value, re.ASCII):
        raise wrong(place, f"{value[:80]!a} does not fit {pattern}")


def _check_count(count: int, schema: Schema, what: str, place: str) -> None:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", count)
    if not least <= count <= most:
        raise wrong(place, f"must hold {least} to {most}")
