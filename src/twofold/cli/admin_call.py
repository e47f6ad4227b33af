"""`twofold admin call`: any call of the management API, made on the store itself."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.server.context import Registry
    from twofold.server.web.account.forms import Form
    from twofold.server.web.management.endpoints import Endpoint

DESCRIPTION = """\
Make a call of the management API on the store, as the operator. Without NAME the calls are listed.
A parameter is NAME=VALUE, given several times for a list; NAME= is none, where that is allowed."""


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `call` and `second-factor`."""
    made = commands.add_parser(
        "call", help="make any call of the management API", description=DESCRIPTION
    )
    made.add_argument("name", nargs="?", metavar="NAME", help="as add-token (default: list them)")
    made.add_argument("parameters", nargs="*", metavar="PARAMETER=VALUE")
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    made.set_defaults(act=_call)
    text = "remove the second factor of a user who has lost it; their sessions end"
    reset = commands.add_parser("second-factor", help=text, description=text)
    reset.add_argument("user")
    reset.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    reset.set_defaults(act=_reset_second_factor)


def _reset_second_factor(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.auth import accounts, second_factor

    second_factor.reset(registry, "operator", accounts.get_user(registry, args.user))
    if args.json:
        print_json({"user": args.user})
    return 0


def _call(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.cli.admin_lists import RowPrinter
    from twofold.server.web.management import ENDPOINTS, call_as_operator

    show = RowPrinter(args.json)
    if args.name is None:
        return show.rows([{"name": one.name, "summary": one.summary} for one in ENDPOINTS])
    known = {one.name: one for one in ENDPOINTS}
    endpoint = known.get(args.name)
    if endpoint is None:
        hint = "run 'twofold admin call' to list them"
        raise UsageError(f"there is no call '{args.name}'", hint)
    return _show(call_as_operator(registry, endpoint, _parse(endpoint, args.parameters)), show)


def _parse(endpoint: Endpoint, given: Sequence[str]) -> dict[str, Any]:
    """Return the parameters, checked as a form's fields are. Raises UsageError."""
    from twofold.server.web.manage.fields import list_parameters, parse_form

    known = list_parameters(endpoint)
    pairs = [(name, value) for name, _, value in (word.partition("=") for word in given)]
    for word, (name, _) in zip(given, pairs, strict=True):
        if "=" not in word or name not in known:
            hint = f"parameters of {endpoint.name}: {', '.join(known) or 'none'}"
            raise UsageError(f"'{word}' is not PARAMETER=VALUE", hint)
    words, errors = parse_form(endpoint, _make_form(known, pairs))
    if errors:
        name, fault = next(iter(errors.items()))
        raise UsageError(f"{name}: {fault}", f"give it as {name}=VALUE")
    return words


def _make_form(known: dict[str, Any], pairs: list[tuple[str, str]]) -> Form:
    from twofold.server.web.account.forms import Form
    from twofold.server.web.manage.fields import BEFORE

    fields: list[tuple[str, str]] = []
    for name in dict.fromkeys(name for name, _ in pairs):
        values = [value for key, value in pairs if key == name]
        is_object = known[name]["type"] == "object"
        fields += [(name, "\n".join(values))] if is_object else [(name, one) for one in values]
        if values == [""]:
            fields.append((f"{BEFORE}{name}", "something"))  # so that it is set to none
    return Form(fields)


def _show(found: Any, show: Any) -> int:
    if found is None:
        note("done")
    elif isinstance(found, str):
        print_text(found, end="")
    elif show.as_json or not isinstance(found, list):
        if show.as_json:
            print_json(found)
        else:
            show.rows([{"name": key, "value": value} for key, value in found.items()])
    else:
        show.rows([row if isinstance(row, dict) else {"name": row} for row in found])
    return 0
