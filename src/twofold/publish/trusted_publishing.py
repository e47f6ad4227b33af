"""Connect to a target, with stored credentials or by trusted publishing.

Trusted publishing: exchange a CI identity token for a short-lived upload token.

Two protocols: PyPI's (`/_/oidc/audience` and `/_/oidc/mint-token` at the host's root, or as
PEP 807's `/.well-known/pytp` says), also used by twofold registries, and prefix.dev's
(`/api/oidc/mint_token`, the host as audience, the token as plain text).
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit

from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret, encode_basic, is_on_loopback
from twofold.publish.credentials import clean_credentials, find_credentials, read_netrc_login
from twofold.publish.http import HttpClient
from twofold.publish.responses import AuthContext, HttpResult, RetryPolicy
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.settings import TargetSettings

#: One of these is set in each CI system with identity tokens (those of the `id` library).
CI_VARIABLES = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI")


@dataclass(frozen=True)
class TokenExchange:
    """The endpoint that exchanges identity tokens, and the audience it requires."""

    audience: str
    mint_url: str


def fetch_trusted_credentials(settings: TargetSettings, http: HttpClient) -> Credentials | None:
    """Fetch a token by trusted publishing; None outside CI or without support for it.

    Raises TwofoldError if the target supports it and CI has no identity token, Refused if the
    target does not trust the identity. Identity tokens are sent over TLS only (or to loopback).
    """
    is_in_ci = any(os.environ.get(name) for name in CI_VARIABLES)
    if not is_in_ci or not KINDS[settings.kind].has_trusted_publishing:
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
        audience_url = urljoin(root, str(found["audience-endpoint"]))
        mint_url = urljoin(root, str(found["token-mint-endpoint"]))
        if (
            urlsplit(audience_url).netloc != parts.netloc
            or urlsplit(mint_url).netloc != parts.netloc
        ):
            return None  # the identity token is sent to the upload host only
    else:
        audience_url, mint_url = f"{root}/_/oidc/audience", f"{root}/_/oidc/mint-token"
    answer = http.get(audience_url)
    value = answer.json() if answer.ok else None
    if not isinstance(value, dict) or not value.get("audience"):
        return None
    return TokenExchange(str(value["audience"]), mint_url)


def _request_identity(audience: str) -> Secret:
    from id import AmbientCredentialError, detect_credential

    try:
        token = detect_credential(audience)
    except AmbientCredentialError as error:
        # The name by which the `id` library reads a GitLab job's token.
        variable = re.sub(r"[^A-Z0-9_]|^[^A-Z_]", "_", audience.upper()) + "_ID_TOKEN"
        if os.environ.get(variable):
            raise TwofoldError(
                f"{variable} is not an identity token: {error}",
                "let the CI system set it (GitLab: an `id_tokens` entry of the job)",
            ) from error
        raise TwofoldError(
            f"cannot get an identity token for trusted publishing: {error}",
            "GitHub: give the job `permissions: id-token: write`; GitLab: an `id_tokens` entry; "
            "or set TWOFOLD_TOKEN",
        ) from error
    if token is None:
        raise TwofoldError(
            "this CI run has no identity token for trusted publishing",
            "set TWOFOLD_TOKEN as a secret of the job",
        )
    return Secret(token)


def _mint_token(exchange: TokenExchange, http: HttpClient, *, plain: bool) -> Secret:
    """Exchange an identity token; each attempt requests a new one, valid once."""

    claims = ""

    def attempt() -> HttpResult:
        nonlocal claims
        identity = _request_identity(exchange.audience)
        claims = describe_claims(identity)
        http.secrets.append(identity)
        return http.request_once("POST", exchange.mint_url, json={"token": identity.reveal()})

    answer = http.with_retries(attempt)
    if not answer.ok:
        hint = "add this repository, workflow and environment as a trusted publisher of the target"
        if "invalid-reuse-token" in answer.text():
            hint = "an identity token is valid once, and a GitLab job has one: run the job again"
        hint += f"; this run's identity is {claims}" if claims else ""
        raise http.make_refusal(answer, exchange.mint_url, hint)
    value = answer.json()
    if plain:
        return Secret(answer.text().strip().strip('"'))
    if not isinstance(value, dict) or not value.get("token"):
        raise http.make_refusal(answer, exchange.mint_url, "the response contains no token")
    return Secret(str(value["token"]))


#: The claims by which servers recognise a publisher, of the CI systems with identity tokens.
_CLAIMS = (
    *("iss", "aud", "sub"),
    *("repository", "repository_owner", "repository_owner_id", "repository_visibility"),
    *("workflow_ref", "job_workflow_ref", "ref", "environment"),
    *("namespace_path", "project_path", "ci_config_ref_uri"),
    *("organization_slug", "pipeline_slug"),
    *("oidc.circleci.com/project-id", "oidc.circleci.com/org-id"),
)


def describe_claims(identity: Secret) -> str:
    """The claims of an identity token that name the CI run, without secrets; '' if it has none.

    They are read without the issuer's key: the server has judged them.
    """
    parts = identity.reveal().split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    if not isinstance(claims, dict):
        return ""
    return ", ".join(f"{name}={claims[name]}" for name in _CLAIMS if claims.get(name))


def open_targets(settings: Sequence[TargetSettings], retry_policy: RetryPolicy) -> list[Target]:
    """Open every target with its own credentials; none is sent to another target."""
    return [
        open_target(one, retry_policy, [other for other in settings if other is not one])
        for one in settings
    ]


def open_target(
    settings: TargetSettings, retry_policy: RetryPolicy, others: Sequence[TargetSettings] = ()
) -> Target:
    """Open one target; `others` are the other targets of the command."""
    credentials = find_credentials(settings, others)
    if credentials is None:
        http = HttpClient(retry_policy, settings.tls)
        try:
            credentials = fetch_trusted_credentials(settings, http) or read_netrc_login(settings)
        finally:
            http.close()
    return connect(settings, credentials, retry_policy)


def connect(
    settings: TargetSettings, credentials: Credentials | None, retry_policy: RetryPolicy
) -> Target:
    """Open one target with known credentials."""
    credentials = clean_credentials(settings, credentials) if credentials else None
    kind = KINDS[settings.kind]
    source = credentials.source if credentials else ""
    caller = AuthContext(settings.name, kind.name, source, kind.permission, kind.url_hint)
    reader = settings.read_login
    logins = [(credentials.user, credentials.secret)] if credentials else []
    logins += [(reader.user, reader.secret)] if reader and reader.secret else []
    secrets = [secret for _, secret in logins]
    secrets += [encode_basic(user, secret) for user, secret in logins if user]
    http = HttpClient(retry_policy, settings.tls, secrets, credentials, caller)
    return kind.open(settings, http, credentials)
