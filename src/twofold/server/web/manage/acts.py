"""The form of any call of the management API that changes something, at /-/manage/act/NAME.

The query fills fields, and those of the path are then fixed: a link says what its form is about.
A secret that a call makes is shown on the page of its response, once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from twofold.errors import Refused
from twofold.server.auth import required_roles
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.model import Actor
from twofold.server.web.account.forms import (
    SIGN_IN,
    Form,
    describe_refusal,
    make_safe_path,
    redirect,
    redirect_to_sign_in,
    render_form,
    require_person,
)
from twofold.server.web.account.sign_in import begin_session
from twofold.server.web.credentials import find_person, find_session, get_registry
from twofold.server.web.manage.act_table import (
    ACTS,
    DANGEROUS,
    FIELD_OF,
    LISTS,
    NOT_IN_ADDRESSES,
    SHOWN,
    TYPED,
    make_title,
)
from twofold.server.web.manage.fields import (
    BEFORE,
    FormField,
    format_value,
    list_parameters,
    make_fields,
    parse_form,
)
from twofold.server.web.management.channels import OPERATORS_RULES
from twofold.server.web.management.endpoints import Endpoint, run_endpoint
from twofold.server.web.management.parameters import check_value


def find_act(request: Request) -> Endpoint:
    """Return the call that a form is for. Raises Refused (404)."""
    found = ACTS.get(request.path_params["name"])
    if found is None:
        raise Refused("not-found", "There is no such form", status=404)
    return found


def show_act(request: Request) -> Response:
    """Show the form of a call, with what the query fills in."""
    endpoint, actor = find_act(request), find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    given = {
        name: request.query_params.getlist(name) if _is_list(schema) else value[:2000]
        for name, schema in list_parameters(endpoint).items()
        if (value := request.query_params.get(name)) is not None
    }
    fixed = frozenset(name for name in endpoint.path_fields if name in given)
    actor = _authorize(request, actor, endpoint, given)
    values: Mapping[str, Any] = {**_read_current(request, actor, endpoint, given), **given}
    page = _Page(request, actor, endpoint, fixed, request.query_params.get("back", ""))
    return page.show(values)


def _is_list(schema: Mapping[str, Any]) -> bool:
    return bool(schema["type"] == "array")


def _authorize(
    request: Request, actor: Actor, endpoint: Endpoint, given: Mapping[str, Any]
) -> Actor:
    """Check the caller's role where the form already says for what. Raises Refused."""
    named = set(endpoint.path_fields) <= set(given)
    if not named and endpoint.required_role is not RequiredRole.OPERATOR:
        return actor
    for name, schema in endpoint.path_fields.items():
        if name in given and schema["type"] == "string":
            check_value(given[name], schema, f"'{name}'")
    return required_roles.authorize(get_registry(request), actor, endpoint.required_role, given)


def _read_current(
    request: Request, actor: Actor, endpoint: Endpoint, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a call that changes something would change, as its form shows it."""
    source = {"change-channel": "show-channel", "set-upstream-policy": "show-upstream-policy"}
    name = source.get(endpoint.name)
    if name is None or not set(endpoint.path_fields) <= set(given):
        return {}
    asked = LISTS[name]
    words = {key: given[key] for key in list_parameters(asked) if key in given}
    found = run_endpoint(request, actor, asked, words)
    found = found.get("channel", found)
    return {key: format_value(found[key]) for key in list_parameters(endpoint) if key in found}


class _Page:
    """The page of a form, for a caller."""

    def __init__(
        self, request: Request, actor: Actor, endpoint: Endpoint, fixed: frozenset[str], back: str
    ) -> None:
        self.request = request
        self.actor = actor
        self.endpoint = endpoint
        self.fixed = fixed
        self.back = make_safe_path(back, "")

    def show(
        self,
        values: Mapping[str, Any],
        errors: Mapping[str, str] | None = None,
        refusal: Refused | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> Response:
        """Show the form, with faults beside its fields."""
        fields = [
            one
            for one in make_fields(self.endpoint, values, errors, self.fixed)
            if self.endpoint.name != "change-channel"
            or self.actor.operator
            or one.name not in OPERATORS_RULES
        ]
        shows_current = self.endpoint.method == "PATCH" or self.endpoint.name.endswith("-policy")
        return render_form(
            self.request,
            "manage/act.html",
            status=400 if errors else refusal.status if refusal is not None else 200,
            act=self.endpoint,
            title=make_title(self.endpoint),
            fields=fields,
            before=(before or values) if shows_current else {},
            typed=TYPED.get(self.endpoint.name, ""),
            typed_error=(errors or {}).get("typed", ""),
            is_dangerous=self.endpoint.name in DANGEROUS,
            error=describe_refusal(refusal) if refusal is not None else None,
            help_with=make_help(self.endpoint, str(self.request.base_url).rstrip("/")),
            back=self.back,
        )


def make_help(endpoint: Endpoint, base_url: str) -> list[dict[str, str]]:
    """Return what to enter elsewhere, or to copy, for a call: of forges the exact claims."""
    if endpoint.name != "add-publisher":
        return []
    return [
        {
            "title": "GitHub Actions",
            "issuer": "https://token.actions.githubusercontent.com",
            "claims": "repository=OWNER/REPOSITORY\nworkflow_ref=OWNER/REPOSITORY/"
            ".github/workflows/release.yml@*",
            "text": "The job needs 'permissions: id-token: write', and asks for the audience "
            f"that {base_url}/_/oidc/audience says. Add 'environment=NAME' where the job has "
            "one, and 'repository_owner_id=NUMBER' against a later owner of the same name.",
        },
        {
            "title": "GitLab CI/CD",
            "issuer": "https://gitlab.com",
            "claims": "project_path=GROUP/PROJECT\nci_config_ref_uri="
            "gitlab.com/GROUP/PROJECT//.gitlab-ci.yml@*",
            "text": "The job has 'id_tokens:' with the audience that "
            f"{base_url}/_/oidc/audience says. Of a GitLab of your own, name its URL as issuer.",
        },
    ]


def show_again(request: Request, form: Form) -> Response:
    """Show the form again with what was entered, made for the session that there is now.

    It was sent after its session had ended, or with another one's token: nothing is done before
    its reader has looked at it and sends it once more. What may hold a secret is left out, because
    logs keep addresses.
    """
    endpoint = find_act(request)
    entered = _without_passwords(_read_entered(endpoint, form))
    back = [("back", form.get("back"))] if form.get("back") else []
    fields = [
        (name, one)
        for name, value in entered.items()
        if name not in NOT_IN_ADDRESSES
        for one in ([value] if isinstance(value, str) else value)
        if one
    ]
    path = f"/-/manage/act/{endpoint.name}?{urlencode([*fields, *back])}"
    short = path if make_safe_path(path, "") else f"/-/manage/act/{endpoint.name}"
    return redirect(request, f"{SIGN_IN}?{urlencode({'next': short})}")


def _read_entered(endpoint: Endpoint, form: Form) -> dict[str, Any]:
    return {
        name: form.get_all(name) if _is_list(schema) else form.get(name)
        for name, schema in list_parameters(endpoint).items()
    }


def perform_act(request: Request, form: Form) -> Response:
    """Perform a call with what was entered; show the form again where it is refused."""
    if find_session(request) is None:
        return show_again(request, form)
    endpoint, actor = find_act(request), require_person(request)
    fixed = frozenset(name for name in endpoint.path_fields if form.get(f"fixed-{name}"))
    entered = _read_entered(endpoint, form)
    with suppress(Refused):  # what is wrong with it is found below, and shown at its field
        actor = _authorize(request, actor, endpoint, {k: v for k, v in entered.items() if v})
    page = _Page(request, actor, endpoint, fixed, form.get("back"))
    words, errors = parse_form(endpoint, form)
    typed = TYPED.get(endpoint.name)
    if typed and not errors and form.get("typed").strip() != str(words[typed]):
        errors["typed"] = f"Enter '{words[typed]}', to be sure"
    before = {name: form.get(f"{BEFORE}{name}") for name in entered}
    if errors:
        return page.show(_without_passwords(entered), errors, before=before)
    try:
        value = run_endpoint(request, actor, endpoint, words)
    except Refused as error:
        first = error.problems[0]
        place = _find_place(error.code, first.message, entered)
        faults = {place: _join(first.message, first.hint or "")} if place in entered else {}
        kept = _without_passwords(entered)
        return page.show(kept, faults, None if faults else error, before)
    if endpoint.name == "set-password" and actor.user and words["user"] == actor.user.name:
        return begin_session(request, actor, _method_of(actor), "/-/account?done=set-password")
    if endpoint.name in SHOWN:
        return _show_result(page, value)
    target = page.back or make_context_path(endpoint, words)
    mark = "&" if "?" in target else "?"
    return redirect(request, f"{target}{mark}{urlencode({'done': endpoint.name})}")


def _find_place(code: str, message: str, entered: Mapping[str, Any]) -> str:
    """Return the field that a refusal is about, or "".

    A message that begins with the name of a parameter is about that one.
    """
    quoted = message.partition("' ")[0].removeprefix("'")
    place = quoted if quoted in entered else FIELD_OF.get(code, "")
    if code == "not-found":
        named = re.findall(r"[^\s'/]+", message)
        missing = (name for name in ("version", "project") if entered.get(name) in named)
        place = place or next(missing, "")
    if place == "channel" and entered.get("source") and f"'{entered['source']}'" in message:
        return "source"
    return place


def _join(message: str, hint: str) -> str:
    return f"{message} ({hint})" if hint else message


def _method_of(actor: Actor) -> str:
    return actor.session.method if actor.session is not None else "password"


def _without_passwords(entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was entered, without passwords: a page never holds one."""
    return {
        name: "" if name in ("password", "current") else value for name, value in entered.items()
    }


def make_context_path(endpoint: Endpoint, words: Mapping[str, Any]) -> str:
    """Return the page that a call belongs to, to go back to."""
    if "channel" in words and endpoint.path.startswith("/channels/{channel}"):
        return f"/-/manage/channels/{quote(str(words['channel']))}"
    if endpoint.name in ("add-channel",):
        return f"/-/manage/channels/{quote(str(words['name']))}"
    for name in ("organisation", "user"):
        if name in words:
            return f"/-/manage/users/{quote(str(words[name]))}"
    return "/-/manage"


def _show_result(page: _Page, value: Any) -> Response:
    """Show what a call returned; of a secret nothing is kept here."""
    found = value if isinstance(value, dict) else {}
    secret = str(found.get("secret") or found.get("code") or "")
    path = found.get("path", "")
    base = str(page.request.base_url).rstrip("/")
    rows = value if isinstance(value, list) else []
    return render_form(
        page.request,
        "manage/result.html",
        title=make_title(page.endpoint),
        act=page.endpoint,
        secret=f"{base}{path}" if path else secret,
        rows=[row if isinstance(row, dict) else {"value": row} for row in rows],
        facts={} if rows else {k: v for k, v in found.items() if not isinstance(v, dict | list)},
        back=page.back or "/-/manage",
    )


__all__ = ["ACTS", "LISTS", "FormField", "make_title", "perform_act", "show_act"]
