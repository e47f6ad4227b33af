"""Parameters of the management API: JSON Schemas (2020-12) and their validation.

Each schema is used twice: in the OpenAPI document, and by `check_value` to validate requests. So
the document always agrees with the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twofold.errors import Refused
from twofold.server.auth.accounts import RESERVED
from twofold.server.registry.lifecycle import STATUSES

Schema = Mapping[str, Any]

#: Largest integer that every JSON reader represents exactly.
MAX_NUMBER = 2**53 - 1

#: Pattern of text that every database can store.
STORABLE = r"[^\x00]*"


def text(
    description: str, pattern: str = "", max_length: int = 1000, min_length: int = 0
) -> Schema:
    """Return the schema of a string; `pattern` must match the whole string."""
    made: dict[str, Any] = {"type": "string", "maxLength": max_length, "description": description}
    if min_length:
        made["minLength"] = min_length
    made["pattern"] = f"^{pattern or STORABLE}$"
    return made


def choice(description: str, *words: str) -> Schema:
    """Return the schema of a string with fixed values."""
    return {"type": "string", "enum": list(words), "description": description}


def flag(description: str) -> Schema:
    """Return the schema of a boolean."""
    return {"type": "boolean", "description": description}


def number(description: str, minimum: int = 0, maximum: int = MAX_NUMBER) -> Schema:
    """Return the schema of an integer."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "description": description}


def list_of(item: Schema, description: str, min_items: int = 0, max_items: int = 100) -> Schema:
    """Return the schema of an array."""
    return {
        "type": "array",
        "items": item,
        "minItems": min_items,
        "maxItems": max_items,
        "description": description,
    }


def mapping(
    description: str,
    min_items: int = 0,
    max_items: int = 20,
    name: str = STORABLE,
    value: Schema | None = None,
) -> Schema:
    """Return the schema of an object; `name` must match its names, values are text by default."""
    return {
        "type": "object",
        "minProperties": min_items,
        "maxProperties": max_items,
        "propertyNames": {"pattern": f"^{name}$"},
        "additionalProperties": value or text("text"),
        "description": description,
    }


def or_null(schema: Schema) -> Schema:
    """Return the schema that also allows null."""
    return {**schema, "type": [schema["type"], "null"]}


def check_value(value: Any, schema: Schema, where: str) -> Any:
    """Return the value if it matches the schema; 5.0 is the integer 5. Raises Refused (400)."""
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
        for name, item in value.items():
            _check_text(name, schema["propertyNames"], where)
            check_value(item, schema["additionalProperties"], where)
    return value


def parse_value(raw: str, schema: Schema, where: str) -> Any:
    """Parse a value from the path or query: a string, integer or boolean."""
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
    """Return the refusal (400) of an invalid parameter."""
    return Refused("malformed-request", f"{where} {fault}", "see /api/openapi.json")


#: JSON type -> name in messages.
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


_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
_PROJECT = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}"

USER = text("name of a user or an organisation", _NAME)
CHANNEL = text("name of a channel", _NAME)
NEW_NAME: Schema = {
    **text("lower-case letters, digits, - and _; not a reserved path segment", _NAME),
    "not": {"enum": sorted(RESERVED)},
}
PROJECT = text("name of a project, in any spelling", _PROJECT)
VERSION = text("version of a release, as in its filenames", _VERSION)
_LABEL = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
LABEL = text("name of a label", _LABEL)
FILE = text("name of a file", r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]{0,254}")
BASENAME = text(
    "filename; for conda packages with the subdir before it", max_length=300, min_length=1
)
SUBDIR = text("conda subdir; empty for PyPI files", r"[a-z0-9][a-z0-9_-]{0,40}")
PASSWORD = text("at least 8 characters", min_length=8, max_length=1000)
REASON = text("shown to users", max_length=1000)
ROLE = choice("each role includes the ones before it", "read", "upload", "admin")
ACTION = ROLE
ID = number("id as returned by the list endpoint", minimum=1)
STATUS = choice("project status (PEP 792)", *STATUSES)
DELETION = choice("who can delete files", "upload", "admin", "never")
KIND = choice("pypi: an index with the Simple API; conda: a channel", "pypi", "conda")
AFTER = number("return only entries after this id")
LIMIT = number("maximum number of entries", minimum=1, maximum=1000)
DRY_RUN = flag("report what would be deleted without deleting it")
KEEP = number("number of a project's newest releases to keep", minimum=1, maximum=100_000)
DAYS = number("minimum age in days", maximum=100_000)
MAX_BYTES = number("size in bytes that the channel has at most after a retention")
LABEL_DAYS = mapping(
    "label -> age in days at which files under it alone are deleted", name=_LABEL, value=DAYS
)
ADDRESS = text("https URL", r"https://[^\s]+", max_length=500)
PREFIX = text(
    "prefix of project names, normalised", r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
)
PREFIXES = list_of(
    text("a name or a prefix of names", max_length=100, min_length=1),
    "names that are never requested from the upstream",
)
REASON_OF_REQUEST = text("why the project is needed", max_length=500)
UPSTREAM = text("name of one of several upstreams", r"[a-z0-9][a-z0-9._-]{0,62}")
OWN_NAMES = list_of(
    text("a name, or the beginning of names with *", max_length=100, min_length=1),
    "names that are requested from no upstream without such names",
)
MAX_AGE = number("seconds for which its pages are fresh", maximum=604_800)
CLAIM_VALUES = "claim -> required value; * matches any text"

IN_PATH: dict[str, Schema] = {
    "user": {**USER, "examples": ["owner"]},
    "organisation": {**USER, "examples": ["operators"]},
    "channel": {**CHANNEL, "examples": ["main"]},
    "project": {**PROJECT, "examples": ["my-package"]},
    "version": {**VERSION, "examples": ["1.0.0"]},
    "label": {**LABEL, "examples": ["main"]},
    "file": FILE,
    "id": ID,
    "kind": KIND,
    "prefix": PREFIX,
    "notice": text("id of a notice", r"[0-9a-f]{1,40}"),
}
