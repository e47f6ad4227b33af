"""Fields of forms, made of the JSON Schemas of a call's parameters, and read back into them.

What the schema says is the only rule: a form refuses what the API would, beside the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twofold.errors import Refused
from twofold.server.web.account.forms import Form
from twofold.server.web.management.endpoints import Endpoint
from twofold.server.web.management.parameters import Schema, check_value

#: Texts of these parameters are entered in several lines.
_LONG = {"reason", "message"}

#: Name of a hidden field with what a field held when the form was made.
BEFORE = "before-"


@dataclass(frozen=True)
class FormField:
    """A field of a form; `kind` is that of its input, and one that is `fixed` is not edited."""

    name: str
    label: str
    kind: str
    value: str = ""
    values: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    error: str = ""
    is_fixed: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


def list_parameters(endpoint: Endpoint) -> dict[str, Schema]:
    """Return every parameter of a call: of its path, query and body, in this order."""
    body = endpoint.body.named if endpoint.body is not None else {}
    return {**endpoint.path_fields, **endpoint.query.named, **body}


def list_required(endpoint: Endpoint) -> set[str]:
    """Return the parameters that a call cannot do without."""
    body = endpoint.body.required if endpoint.body is not None else ()
    return {*endpoint.path_fields, *endpoint.query.required, *body}


def make_fields(
    endpoint: Endpoint,
    values: Mapping[str, str | list[str]],
    errors: Mapping[str, str] | None = None,
    fixed: frozenset[str] = frozenset(),
) -> list[FormField]:
    """Return the fields of a call's form, filled with text as it was entered or is now."""
    required = list_required(endpoint)
    changes = endpoint.method == "PATCH"
    made = []
    for name, schema in list_parameters(endpoint).items():
        given = values.get(name, "")
        text = given if isinstance(given, str) else "\n".join(given)
        made.append(
            FormField(
                name,
                _label(name),
                _kind(name, schema, changes),
                text,
                tuple(given) if isinstance(given, list) else (),
                tuple(_options(schema, name in required, changes)),
                _hint(schema, name in required),
                (errors or {}).get(name, ""),
                name in fixed,
                _attributes(name, schema, name in required),
            )
        )
    return made


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _kind(name: str, schema: Schema, changes: bool) -> str:
    kind = _type(schema)
    if name in ("password", "current"):
        return "password"
    if kind == "boolean":
        return "select" if changes or schema.get("default") else "checkbox"
    if kind == "array":
        return "checkboxes" if "enum" in schema["items"] else "lines"
    if "enum" in schema:
        return "select"
    if kind == "object" or name in _LONG:
        return "lines"
    return "number" if kind == "integer" else "text"


def _type(schema: Schema) -> str:
    kind = schema["type"]
    return str(kind if isinstance(kind, str) else kind[0])


def _is_nullable(schema: Schema) -> bool:
    return isinstance(schema["type"], list) and "null" in schema["type"]


def _options(schema: Schema, required: bool, changes: bool) -> list[tuple[str, str]]:
    if _type(schema) == "boolean":
        # An empty box is not sent, so it cannot deny what is so by default.
        words = [("true", "yes"), ("false", "no")]
        return [("", "as it is"), *words] if changes else words
    if _type(schema) == "array":
        return [(word, word) for word in schema["items"].get("enum", ())]
    words = [(word, word) for word in schema.get("enum", ())]
    return words if required or not words else [("", "by default"), *words]


def _hint(schema: Schema, required: bool) -> str:
    text = str(schema.get("description", ""))
    if _type(schema) == "array" and "enum" not in schema["items"]:
        text += "; one a line"
    if _type(schema) == "object":
        text += "; NAME=VALUE, one a line"
    if _is_nullable(schema):
        text += "; empty for none"
    return text if required or not text else f"{text} (optional)"


def _attributes(name: str, schema: Schema, required: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"autocomplete": "off"}
    if name == "password":
        made["autocomplete"] = "new-password"
    elif name == "current":
        made["autocomplete"] = "current-password"
    if required:
        made["required"] = True
    if _type(schema) == "integer":
        made |= {"min": schema.get("minimum", 0), "max": schema.get("maximum", "")}
    if "maxLength" in schema:
        made["maxlength"] = schema["maxLength"]
    return made


def parse_form(endpoint: Endpoint, form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters that were entered, and the faults of fields by name.

    A field left empty is not sent, or null where the schema allows it and something was there. Of a
    form that shows what is there (PATCH) only what was changed is sent.
    """
    words: dict[str, Any] = {}
    errors: dict[str, str] = {}
    required = list_required(endpoint)
    for name, schema in list_parameters(endpoint).items():
        if _is_unchanged(form, name, schema):
            continue
        try:
            value = _parse(form, name, schema)
            if value is None and not _is_nullable(schema):
                if name in required:
                    errors[name] = "This is needed"
                continue
            if value is None and f"{BEFORE}{name}" not in form:
                continue
            words[name] = check_value(value, schema, "This")
        except Refused as error:
            errors[name] = _describe_fault(error.problems[0].message, schema)
    return words, errors


def _describe_fault(message: str, schema: Schema) -> str:
    """Return a fault in words: in place of a pattern what the field is for."""
    what, does_not_fit, _ = message.partition(" does not fit ")
    return (
        f"{what.removeprefix('This ')} cannot be: {schema['description']}"
        if does_not_fit
        else message
    )


def _is_unchanged(form: Form, name: str, schema: Schema) -> bool:
    """Whether a field that shows what is there was left so; boxes alone are not sent when empty."""
    before = f"{BEFORE}{name}"
    if before in form and name not in form:
        return _kind(name, schema, changes=True) != "checkboxes"
    return before in form and _plain(form.get(before)) == _plain("\n".join(form.get_all(name)))


def _plain(text: str) -> str:
    return "\n".join(text.split("\r\n")).strip()


def _parse(form: Form, name: str, schema: Schema) -> Any:
    """Return the value of a field; None where it is empty."""
    kind, text = _type(schema), form.get(name)
    if name not in ("password", "current"):  # whose blanks are part of them
        text = _plain(text)
    if kind == "array":
        lines = [line.strip() for value in form.get_all(name) for line in value.splitlines()]
        found = [line for line in lines if line]
        return found if found or f"{BEFORE}{name}" in form else None
    if kind == "object":
        return _parse_mapping(text, schema) if text or f"{BEFORE}{name}" in form else None
    if not text:
        return None
    if kind == "integer":
        return int(text) if _is_number(text) else text
    if kind == "boolean":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text, text)
    return text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 17


def _parse_mapping(text: str, schema: Schema) -> dict[str, Any]:
    is_number = schema["additionalProperties"].get("type") == "integer"
    made: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value):
            raise Refused("malformed-request", f"'{line[:60]}' is not NAME=VALUE")
        if name in made:
            raise Refused("malformed-request", f"'{name[:60]}' is there twice")
        made[name] = int(value) if is_number and _is_number(value) else value
    return made


def format_value(value: Any) -> str | list[str]:
    """Return a value as a form shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [str(one) for one in value]
    if isinstance(value, dict):
        return "\n".join(f"{name}={one}" for name, one in value.items())
    return str(value)
