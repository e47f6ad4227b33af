"""Pages of the reference that the code defines: commands, settings, the management API.

They are part of the site alone; in a checkout `twofold COMMAND --help`, the schema and
/api/openapi.json say the same.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

from twofold.cli import COMMANDS, make_parser
from twofold.cli.server_settings import SERVING, STORE
from twofold.server.web.management import ENDPOINTS, build_document


def make_pages() -> dict[str, str]:
    """Path below docs/ -> text of the page."""
    return {
        "reference/commands.md": describe_commands(),
        "reference/settings.md": describe_settings(),
        "reference/management-calls.md": describe_api(),
        "reference/openapi.json": json.dumps(build_document(ENDPOINTS, "https://host"), indent=1),
    }


def describe_commands() -> str:
    """Every command, subcommand and option, from the parsers."""
    text = [
        "# All commands\n",
        "Made from the command line's own definition, as `twofold COMMAND --help` shows it.\n",
        "| command | what it does |\n|---|---|",
        *(f"| [`{name}`](#twofold-{name}) | {_plain(about)} |" for name, about in COMMANDS.items()),
        "",
    ]
    for name in COMMANDS:
        for level, parser in _walk(make_parser(name)):
            text += [f"{'#' * (level + 2)} `{parser.prog}`\n", *_describe_parser(parser)]
    return "\n".join(text)


def _walk(
    parser: argparse.ArgumentParser, level: int = 0
) -> Iterator[tuple[int, argparse.ArgumentParser]]:
    yield level, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _walk(child, min(level + 1, 3))


def _describe_parser(parser: argparse.ArgumentParser) -> Iterator[str]:
    if parser.description:
        yield _plain(parser.description) + "\n"
    # The width of a line is the terminal's; here it must not depend on one.
    parser.formatter_class = _Usage
    yield f"```text\n{parser.format_usage().removeprefix('usage: ').rstrip()}\n```\n"
    shown = [
        action
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    if shown:
        yield "| argument | meaning |\n|---|---|"
        yield from (_describe_action(action) for action in shown)
        yield ""
    if parser.epilog:
        yield f"```text\n{parser.epilog.strip()}\n```\n"


class _Usage(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **_: Any) -> None:
        super().__init__(prog, width=96)


def _describe_action(action: argparse.Action) -> str:
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if isinstance(value, tuple):
        value = " ".join(value)
    if action.choices is not None:
        value = "|".join(map(str, action.choices))
    name = ", ".join(action.option_strings)
    head = f"{name} {value}".strip()
    about = argparse.HelpFormatter("")._expand_help(action) if action.help else ""
    return f"| `{_cell(head)}` | {_cell(_plain(about))} |"


def describe_settings() -> str:
    """The server's settings and the keys of [tool.twofold]."""
    text = [
        "# All settings\n",
        "Made from the code that reads them.\n",
        "## The registry\n",
        "An option goes before its variable, and that before the default: "
        "[serve](serve.md) has the details.\n",
        "| option | variable | meaning |\n|---|---|---|",
    ]
    text += [
        f"| `{option.flag}` | `{option.variable}` | {_cell(_plain(option.help))} |"
        for option in (*STORE, *SERVING)
    ]
    text += [
        "\n## `[tool.twofold]` of pyproject.toml\n",
        "[pyproject.toml](pyproject.md) has the details.\n",
        "| key | value | meaning |\n|---|---|---|",
    ]
    schema = json.loads(
        resources.files("twofold").joinpath("tool-twofold.schema.json").read_text("utf-8")
    )
    text += [
        f"| `{key}` | {_cell(kind)} | {_cell(_plain(about))} |"
        for key, kind, about in walk_schema(schema)
    ]
    return "\n".join([*text, ""])


def walk_schema(schema: dict[str, Any], inside: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, kind of its value, meaning) of every key in a JSON schema."""
    for key, value in schema.get("properties", {}).items():
        yield inside + key, _kind(value), value.get("description", "")
        yield from walk_schema(value, f"{inside}{key}.")


def _kind(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_kind(one) for one in value["anyOf"])
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}))}s"
    kinds = value.get("type", "value")
    names = {"object": "table", "boolean": "true or false"}
    return " or ".join(
        names.get(one, one) for one in ([kinds] if isinstance(kinds, str) else kinds)
    )


def describe_api() -> str:
    """Every call of the management API, from its OpenAPI document."""
    document = build_document(ENDPOINTS, "https://host")
    text = [
        "# All calls of the management API\n",
        "Made from the registry's OpenAPI document, which it serves at `/api/openapi.json`; a copy "
        "is [here](openapi.json). [Management API](management-api.md) explains roles and "
        "answers.\n",
    ]
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            text += [
                f"## `{method.upper()} {path}`\n",
                _plain(f"{call['summary']} {call['description']}"),
            ]
            text += ["", *_describe_fields(call)]
    return "\n".join(text)


def _describe_fields(call: dict[str, Any]) -> Iterator[str]:
    rows = [
        (field["name"], field["in"], field["schema"], field["required"])
        for field in call["parameters"]
    ]
    if "requestBody" in call:
        body = call["requestBody"]["content"]["application/json"]["schema"]
        rows += [
            (name, "body", schema, name in body["required"])
            for name, schema in body["properties"].items()
        ]
    if rows:
        yield "| field | in | value | required |\n|---|---|---|---|"
        for name, where, schema, required in rows:
            about = schema.get("description", "")
            value = _cell(_kind(schema) + (f": {_plain(about)}" if about else ""))
            yield f"| `{name}` | {where} | {value} | {'yes' if required else ''} |"
        yield ""


def _plain(text: str) -> str:
    """A text of the command line on one line, with nothing in it that Markdown would read."""
    return re.sub(r"([*_<\[\]`])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
