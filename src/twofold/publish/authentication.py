"""Credentials, and the ways in which servers want them."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from requests.auth import AuthBase

from twofold.publish.secret import Secret


@dataclass(frozen=True)
class Credentials:
    """What proves who uploads: `user` with a password or token, or a bare token (user None).

    `source` says where it was found, for messages: never the secret itself.
    """

    secret: Secret
    user: str | None = None
    source: str = ""


class HeaderAuth(AuthBase):
    """Sets one header, or none; being given explicitly, it also keeps ~/.netrc out."""

    def __init__(self, name: str = "", value: str = "") -> None:
        self.name, self.value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.name:
            request.headers[self.name] = self.value
        return request


def basic_auth(credentials: Credentials, default_user: str = "__token__") -> AuthBase:
    """HTTP Basic, UTF-8, for indexes with the legacy API."""
    user = credentials.user or default_user
    return requests.auth.HTTPBasicAuth(user.encode(), credentials.secret.reveal().encode())


def bearer_auth(credentials: Credentials) -> AuthBase:
    return HeaderAuth("Authorization", f"Bearer {credentials.secret.reveal()}")
