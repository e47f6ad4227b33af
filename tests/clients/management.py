"""A client of the management API."""

from __future__ import annotations

from typing import Any

import requests

from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.model import Action
from twofold.server.registry import administration
from twofold.server.web.management.endpoints import BASE


class Api:
    """Calls endpoints with one login and returns the JSON."""

    def __init__(self, place: Place, token: str | None = None) -> None:
        self.place = place
        self.headers = {"authorization": f"Bearer {place.token if token is None else token}"}
        if token == "":
            self.headers = {}

    def send(self, method: str, path: str, **fields: Any) -> requests.Response:
        return requests.request(
            method,
            f"{self.place.url}{BASE}{path}",
            json=fields or None,
            headers=self.headers,
            timeout=120,
        )

    def __call__(self, method: str, path: str, **fields: Any) -> Any:
        answer = self.send(method, path, **fields)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def member(place: Place, name: str, role: Action | None = None) -> str:
    """Return the token of a new user with a role in `main`."""
    user = accounts.add_user(place.registry, "operator", name)
    if role is not None:
        administration.set_role(place.registry, "operator", "main", user, role)
    return accounts.issue_token_for(place.registry, "operator", user, accounts.TokenRequest("t"))[0]
