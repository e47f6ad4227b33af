"""Every route of the application, with every kind of caller, from the route table itself.

A new route fails here until it refuses those without permission, or stands in a list below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.routing import Route

from tests.clients.people import Person
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.app import create_app
from twofold.server.auth import accounts
from twofold.server.model import Action
from twofold.server.registry import administration
from twofold.server.store import audit

#: What the private project holds, and no other answer may.
MARK = "classified-summary"

#: Routes open to everybody; they name nothing of a channel that the caller may not read.
OPEN = {
    "GET /",
    "GET /favicon.ico",
    "GET /-/icon",
    "GET /-/logo",
    "GET /-/search",
    "GET /-/components",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api",
    "GET /api/",
    "GET /api/openapi.json",
    "GET /api/authentication-type",
    "GET /api/scopes",
    "GET /api/search",
    "GET /.well-known/pytp",
    "GET /_/oidc/audience",
    "GET /{channel}/_/oidc/audience",
}

#: Pages that lead everybody without a session to the sign-in, and those to sign in.
PAGES = re.compile(r"GET /-/(sign-in|account|manage)(/|$)")

#: Routes that redirect to the same address with a slash, whatever is there.
SLASHES = {
    "POST /{channel}/legacy",
    "GET /{channel}/simple",
    "GET /{channel}/simple/{name}",
    "GET /{channel}/label/{label}/simple",
    "GET /{channel}/label/{label}/simple/{name}",
}

#: Routes open to every user for what is their own.
OWN = {
    "GET /api/user",
    "GET /api/user/orgs",
    "GET /api/manage/whoami",
    "GET /api/manage/channels",
    "GET /api/packages",
    "GET /api/users/{name}/orgs",
    "GET /api/authentication",
    "GET /api/authentications",
    "DELETE /api/authentications",
    "POST /api/authentications",
}


def list_routes(place: Place) -> Iterator[tuple[str, str]]:
    """Every method and path of the application."""
    for route in create_app(place.settings, place.registry).routes:
        assert isinstance(route, Route), route
        by_method = getattr(route.endpoint, "endpoints", None)
        methods = by_method if by_method is not None else route.methods
        for method in sorted(set(methods or ()) - {"HEAD"}):
            yield method, re.sub(r":\w+}", "}", route.path)


@pytest.fixture
def closed(served: Place, tmp_path: Path) -> tuple[Place, dict[str, str]]:
    """A private channel with a project, and a value for each parameter of a path."""
    owner = served.owner.user
    assert owner is not None
    accounts.add_channel(served.registry, "owner", "secret", owner)
    administration.set_rules(served.registry, "owner", "secret", {"public": False})
    wheel = make_wheel(tmp_path, "hidden", "7.7.7", f"Author: {MARK}", f"Keywords: {MARK}")
    done = served.publish(wheel, channel="secret")
    package = done.converted[0]
    return served, {
        "channel": "secret",
        "owner": "secret",
        "name": "hidden",
        "project": "hidden",
        "version": "7.7.7",
        "basename": wheel.name,
        "filename": wheel.name,
        "file": wheel.name,
        "package": package.filename,
        "sha256": done.file.sha256,
        "subdir": "noarch",
        "label": "main",
        "stage": "0" * 64,
        "user": "owner",
        "member": "owner",
        "organisation": "acme",
        "prefix": "hid",
        "id": "1",
        "kind": "pypi",
        "token": "twofold-0000",
        "page": "repodata.json",
        "target": "dev",
        "group": "staff",
        "names": "hidden",
        "notice": "0a",
        "place": "0",
    }


def ask(place: Place, method: str, path: str, secret: str) -> requests.Response:
    headers = {"Authorization": f"token {secret}"} if secret else {}
    body: dict[str, Any] = {"json": {}} if method != "GET" else {}
    url = f"{place.url}{path}"
    return requests.request(method, url, headers=headers, timeout=60, allow_redirects=False, **body)


def count_changes(place: Place) -> int:
    with place.registry.database.read() as db:
        return len(list(audit.list_entries(db, audit.AuditQuery())))


def make_callers(place: Place) -> dict[str, str]:
    """Secrets of callers who may not read the channel."""
    registry = place.registry
    bea = accounts.add_user(registry, "operator", "bea", "a-long-password")
    owner = place.owner.user
    assert owner is not None
    administration.set_role(registry, "operator", "main", bea, Action.ADMIN)

    def token(user: Any, **limits: Any) -> str:
        request = accounts.TokenRequest("t", **limits)
        return accounts.issue_token_for(registry, "operator", user, request)[0]

    return {
        "nobody": "",
        "another user": token(bea),
        "another user's reader": token(bea, actions=frozenset({Action.READ})),
        "a token of another channel": token(owner, channel="main"),
        "a token of a project of another channel": token(owner, channel="main", project="x"),
        "an unknown token": "twofold-" + "A" * 38,
        "a token of another form": "wrong",
    }


def _leads_to_sign_in(name: str, answer: requests.Response) -> bool:
    if not PAGES.match(name):
        return False
    return answer.headers.get("location", "/-/sign-in").startswith("/-/sign-in")


def test_no_route_serves_or_changes_a_private_channel_for_those_outside(
    closed: tuple[Place, dict[str, str]],
) -> None:
    place, words = closed
    routes = list(list_routes(place))
    callers = make_callers(place)
    before = count_changes(place)
    assert len(routes) > 100
    wrong = []
    for method, template in routes:
        path = template.format(**words)
        name = f"{method} {template}"
        if method != "GET" and name in OWN:
            continue  # it makes and ends the caller's own tokens
        for caller, secret in callers.items():
            answer = ask(place, method, path, secret)
            is_open = name in OPEN or (name in OWN and caller != "nobody")
            moves = name in SLASHES and answer.is_redirect
            is_open = is_open or _leads_to_sign_in(name, answer)
            refused = 400 <= answer.status_code < 500
            fine = refused or moves or (is_open and answer.status_code < 400)
            if MARK in answer.text or not fine:
                wrong.append((name, caller, answer.status_code, answer.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert count_changes(place) == before


def test_a_reader_changes_nothing_by_any_route(closed: tuple[Place, dict[str, str]]) -> None:
    place, words = closed
    registry = place.registry
    bea = accounts.add_user(registry, "operator", "bea", "a-long-password")
    administration.set_role(registry, "operator", "secret", bea, Action.READ)
    secret, _ = accounts.issue_token_for(registry, "operator", bea, accounts.TokenRequest("t"))
    before = count_changes(place)
    wrong = []
    for method, template in list_routes(place):
        name = f"{method} {template}"
        if method == "GET" or name in OWN or name in SLASHES:
            continue
        answer = ask(place, method, template.format(**words), secret)
        if not 400 <= answer.status_code < 500:
            wrong.append((name, answer.status_code, answer.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert count_changes(place) == before


def test_no_route_fails_for_the_owner(closed: tuple[Place, dict[str, str]]) -> None:
    """What may be asked for is answered, and what lacks a field is refused; nothing breaks."""
    place, words = closed
    wrong = []
    for method, template in sorted(list_routes(place), key=lambda one: one[0] != "GET"):
        answer = ask(place, method, template.format(**words), place.token)
        if answer.status_code >= 500:
            wrong.append((method, template, answer.status_code, answer.text[:200]))
        if f"{method} {template}" == "DELETE /api/authentications":
            continue
    assert not wrong, "\n".join(map(str, wrong))


def sign_in(place: Place, user: str, password: str) -> dict[str, str]:
    """Return the headers of a browser that is signed in and sends a request of its own site."""
    person = Person(place.url)
    assert person.sign_in(user, password).ok and person.is_signed_in
    return {"Cookie": person.cookies, "Origin": place.url, "Sec-Fetch-Site": "same-origin"}


def test_a_browsers_session_without_a_forms_token_changes_nothing(
    closed: tuple[Place, dict[str, str]],
) -> None:
    place, words = closed
    headers = sign_in(place, "owner", place.token)
    before = count_changes(place)
    wrong = []
    for method, template in list_routes(place):
        if method == "GET" or f"{method} {template}" in SLASHES:
            continue
        url = f"{place.url}{template.format(**words)}"
        for body in ({"json": {}}, {"data": {"user": "x", "name": "x", "project": "hidden"}}):
            options: dict[str, Any] = {"timeout": 60, "allow_redirects": False, **body}
            answer = requests.request(method, url, headers=headers, **options)
            if not 400 <= answer.status_code < 500:
                wrong.append((method, template, answer.status_code, answer.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert count_changes(place) == before


@pytest.mark.slow
def test_another_users_session_reads_nothing_of_a_private_channel(
    closed: tuple[Place, dict[str, str]],
) -> None:
    place, words = closed
    accounts.add_user(place.registry, "operator", "bea", "a-long-password")
    headers = sign_in(place, "bea", "a-long-password")
    for method, template in list_routes(place):
        if method == "GET":
            url = f"{place.url}{template.format(**words)}"
            answer = requests.get(url, headers=headers, timeout=60, allow_redirects=False)
            assert answer.status_code < 500 and MARK not in answer.text, template
