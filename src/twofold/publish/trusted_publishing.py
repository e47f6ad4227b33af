"""Trusted publishing: in CI, a short-lived token for the identity the CI vouches for.

Two dialects: PyPI's (`/_/oidc/audience` and `/_/oidc/mint-token` at the host's root, or where
PEP 807's `/.well-known/pytp` says), which twofold registries speak too, and prefix.dev's
(`/api/oidc/mint_token`, the host as audience, the token as plain text).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit

from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret, is_on_loopback
from twofold.publish.config import TargetSettings
from twofold.publish.http import HttpClient
from twofold.publish.responses import HttpResult

#: Kinds that may know trusted publishing.
TRUSTED_KINDS = ("registry", "pypi", "legacy", "prefix")

#: One of these is set in the CI systems that give identities (those of the `id` library).
CI_VARIABLES = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI")


@dataclass(frozen=True)
class TokenExchange:
    """Where identities are exchanged for tokens, and the audience they must be made for."""

    audience: str
    mint_url: str


def fetch_trusted_credentials(settings: TargetSettings, http: HttpClient) -> Credentials | None:
    """A token by trusted publishing; None outside CI and where the target does not know it.

    Raises TwofoldError when the target knows it and the CI gives no identity, Refused when the
    target does not trust the identity. Identities are sent over TLS only (or to loopback).
    """
    if settings.kind not in TRUSTED_KINDS or not any(os.environ.get(name) for name in CI_VARIABLES):
        return None
    parts = urlsplit(settings.url)
    if parts.scheme != "https" and not is_on_loopback(settings.url):
        return None
    exchange = _discover_exchange(settings, http)
    if exchange is None:
        return None
    token = _mint_token(exchange, http, plain=settings.kind == "prefix")
    http.secrets.append(token)
    return Credentials(token, None, "trusted publishing")


def _discover_exchange(settings: TargetSettings, http: HttpClient) -> TokenExchange | None:
    parts = urlsplit(settings.url)
    root = f"{parts.scheme}://{parts.netloc}"
    if settings.kind == "prefix":
        return TokenExchange(parts.hostname or "", f"{root}/api/oidc/mint_token")
    path = parts.path if settings.kind != "registry" else f"{parts.path.rstrip('/')}/legacy/"
    discovery = http.get(f"{root}/.well-known/pytp?{urlencode({'discover': path})}")
    found = discovery.json() if discovery.ok else None
    if isinstance(found, dict) and {"audience-endpoint", "token-mint-endpoint"} <= set(found):
        asked = urljoin(root, str(found["audience-endpoint"]))
        mint = urljoin(root, str(found["token-mint-endpoint"]))
        if urlsplit(asked).netloc != parts.netloc or urlsplit(mint).netloc != parts.netloc:
            return None  # an identity goes to the host one publishes to and to no other
    else:
        asked, mint = f"{root}/_/oidc/audience", f"{root}/_/oidc/mint-token"
    answer = http.get(asked)
    value = answer.json() if answer.ok else None
    if not isinstance(value, dict) or not value.get("audience"):
        return None
    return TokenExchange(str(value["audience"]), mint)


def _request_identity(audience: str) -> Secret:
    from id import AmbientCredentialError, detect_credential

    try:
        token = detect_credential(audience)
    except AmbientCredentialError as error:
        raise TwofoldError(
            f"this CI run has no identity to publish with: {error}",
            "GitHub: give the job `permissions: id-token: write`; GitLab: an `id_tokens` entry; "
            "or set TWOFOLD_TOKEN",
        ) from error
    if token is None:
        raise TwofoldError(
            "this CI run has no identity to publish with", "set TWOFOLD_TOKEN in its secrets"
        )
    return Secret(token)


def _mint_token(exchange: TokenExchange, http: HttpClient, *, plain: bool) -> Secret:
    """Exchange an identity; each attempt takes a fresh one, because each is good once."""

    def attempt() -> HttpResult:
        identity = _request_identity(exchange.audience)
        http.secrets.append(identity)
        return http.request_once("POST", exchange.mint_url, json={"token": identity.reveal()})

    answer = http.with_retries(attempt)
    if not answer.ok:
        hint = "add this repository, workflow and environment as a trusted publisher of the target"
        if "invalid-reuse-token" in answer.text():
            hint = "an identity is good once, and GitLab gives a job one: run the job again"
        raise http.make_refusal(answer, exchange.mint_url, hint)
    value = answer.json()
    if plain:
        return Secret(answer.text().strip().strip('"'))
    if not isinstance(value, dict) or not value.get("token"):
        raise http.make_refusal(answer, exchange.mint_url, "the answer holds no token")
    return Secret(str(value["token"]))
