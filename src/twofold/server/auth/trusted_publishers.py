"""Trusted publishing: exchanges the identity token of a CI run for a short-lived token.

No secret is stored: a publisher (channel, project, issuer, claims) defines which runs may publish.
Each identity token can be exchanged once; the minted token is valid for 15 minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from twofold.errors import Refused
from twofold.fetching.client import is_public_name
from twofold.names import normalize_name
from twofold.names.star_patterns import matches_stars
from twofold.server.auth import tokens
from twofold.server.auth.accounts import TokenRequest, make_token
from twofold.server.auth.oidc import Issuers, is_plain_claim
from twofold.server.context import Registry
from twofold.server.model import Action, Channel
from twofold.server.store import Connection, accounts, audit, channels
from twofold.server.store.accounts import TrustedPublisher as TrustedPublisher

#: How long a minted token is valid.
TOKEN_LIFETIME = timedelta(minutes=15)

#: Claims that say whose a run is; a publisher names one of them.
IDENTITY_CLAIMS = (
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "project_path",
    "project_id",
    "namespace_path",
    "namespace_id",
    "sub",
)

#: Claims stored with the token, for the audit log and provenance.
AUDITED_CLAIMS = (
    "sub",
    "repository",
    "repository_owner_id",
    "workflow_ref",
    "job_workflow_ref",
    "ci_config_ref_uri",
    "ref",
    "environment",
    "project_path",
    "sha",
)


@dataclass(frozen=True)
class MintedToken:
    """A token for a CI run, and its expiry."""

    token: str
    expires_at: datetime


def add_publisher(
    registry: Registry,
    by: str,
    channel: str,
    project: str,
    issuer: str,
    claims: Mapping[str, str],
) -> TrustedPublisher:
    """Trust runs whose claims match these values (`*` matches any text), for the operator.

    The issuer's address may be internal.
    """
    new = TrustedPublisher(0, 0, normalize_name(project), issuer, dict(claims), internal=True)
    return _add(registry, by, channel, new)


def add_public_publisher(
    registry: Registry,
    by: str,
    channel: str,
    project: str,
    issuer: str,
    claims: Mapping[str, str],
) -> TrustedPublisher:
    """Trust runs of an issuer whose address is public, for an administrator of the channel."""
    _check_issuer(issuer)
    if not is_public_name(issuer):
        raise Refused(
            "internal-address",
            "An issuer with an internal address can be set only on the server's machine",
            "ask the operator for 'twofold admin publisher'",
            403,
        )
    new = TrustedPublisher(0, 0, normalize_name(project), issuer, dict(claims))
    return _add(registry, by, channel, new)


def _check_issuer(issuer: str) -> None:
    if not issuer.startswith("https://"):
        raise Refused("invalid-issuer", "An issuer's address begins with https://")
    text = "An issuer's address has a host, and neither a login, a query nor a fragment"
    try:
        parts, port = urlsplit(issuer), urlsplit(issuer).port
    except ValueError as error:
        raise Refused("invalid-issuer", text) from error
    is_plain = issuer.isascii() and issuer.isprintable() and " " not in issuer and port != 0
    if not is_plain or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise Refused("invalid-issuer", text)


def _add(registry: Registry, by: str, channel: str, new: TrustedPublisher) -> TrustedPublisher:
    _check_issuer(new.issuer)
    if not new.claims:
        raise Refused("no-claims", "A publisher needs at least one claim", "--claim repository=o/r")
    if not any(_names_owner(new.claims.get(name, "")) for name in IDENTITY_CLAIMS):
        raise Refused(
            "no-identity",
            f"No claim names whose runs may publish: one of {', '.join(IDENTITY_CLAIMS)}",
            "give one without '*', as --claim repository=owner/project",
        )
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_channel(db, channel)
        new = replace(new, channel_id=found.id, issuer=new.issuer.rstrip("/"))
        added = accounts.add_publisher(db, new, at)
        detail = {"issuer": new.issuer, "claims": new.claims}
        audit.add_entry(db, audit.AuditEntry(at, by, "publisher", channel, new.project, detail))
    return added


def _names_owner(pattern: str) -> bool:
    """Whether a pattern is a literal, or one whose literal start names the owner: `repo:o/*`."""
    start, star, _ = pattern.partition("*")
    return bool(start) and (not star or re.search(r"[^/:]/", start) is not None)


def list_publishers(registry: Registry, channel: str) -> list[TrustedPublisher]:
    """Return the trusted publishers of a channel."""
    with registry.database.read() as db:
        return accounts.list_publishers(db, _require_channel(db, channel).id)


def remove_publisher(registry: Registry, by: str, channel: str, publisher_id: int) -> None:
    """Remove a trusted publisher. Raises Refused (404)."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        known = {
            own.id: own for own in accounts.list_publishers(db, _require_channel(db, channel).id)
        }
        if publisher_id not in known:
            raise Refused("not-found", f"There is no publisher {publisher_id}", status=404)
        accounts.remove_publisher(db, publisher_id)
        subject = known[publisher_id].project
        audit.add_entry(db, audit.AuditEntry(at, by, "publisher-removed", channel, subject))


def mint_token(
    registry: Registry, issuers: Issuers, audience: str, token: str, channel: str | None = None
) -> MintedToken:
    """Mint a token for the projects (of one channel) whose publishers match this run.

    Raises Refused (422) with the error codes of PyPI's endpoint. The token is verified before the
    channel is looked at, so that nobody learns which private channels there are.
    """
    with registry.database.read() as db:
        wanted = channels.find_channel(db, channel) if channel else None
        known = accounts.list_publishers(db, None)
    if not known:
        raise Refused("not-enabled", "No trusted publisher is registered here", status=422)
    by_operator = {publisher.issuer for publisher in known if publisher.internal}
    trusted = {publisher.issuer: publisher.issuer in by_operator for publisher in known}
    claims = issuers.verify(token, audience, trusted)
    if channel:
        own = wanted.id if wanted else None
        known = [publisher for publisher in known if publisher.channel_id == own]
    fitting = [publisher for publisher in known if _matches_publisher(publisher, claims)]
    if not fitting:
        raise Refused(
            "invalid-publisher",
            "The token is valid, but no trusted publisher matches its claims",
            f"its subject is {str(claims.get('sub', ''))[:200]}",
            422,
        )
    if len({publisher.channel_id for publisher in fitting}) > 1:
        raise Refused(
            "invalid-publisher",
            "Publishers of several channels have these claims",
            "use the channel's own endpoints (PEP 807)",
            422,
        )
    return _issue_token(registry, claims, fitting)


def _issue_token(
    registry: Registry, claims: Mapping[str, Any], publishers: list[TrustedPublisher]
) -> MintedToken:
    at, secret = registry.clock(), tokens.new_token()
    with registry.database.serialized_write() as db:
        until = datetime.fromtimestamp(int(claims["exp"]), UTC) + timedelta(minutes=1)
        if not accounts.record_first_use(db, str(claims["iss"]), str(claims["jti"]), until, at):
            raise Refused(
                "invalid-reuse-token", "The identity token has been used already", status=422
            )
        channel = channels.get_channel(db, publishers[0].channel_id)
        still = {one.id for one in accounts.list_publishers(db, channel.id)}
        publishers = [one for one in publishers if one.id in still]
        if not publishers:
            raise Refused("invalid-publisher", "The publisher has just been removed", status=422)
        owner = accounts.find_user_by_id(db, channel.owner_id)
        assert owner is not None
        audited = {
            name: claims[name]
            for name in ("iss", *AUDITED_CLAIMS)
            if isinstance(claims.get(name), str) and is_plain_claim(claims[name])
        }
        request = TokenRequest(
            name=f"trusted publisher {audited.get('sub', audited['iss'])}",
            actions=frozenset({Action.READ, Action.UPLOAD}),
            channel=channel.name,
            project=",".join(sorted({publisher.project for publisher in publishers})),
            expires_at=at + TOKEN_LIFETIME,
            application={"publisher": audited},
        )
        accounts.add_token(db, make_token(owner, request, secret, at), tokens.hash_token(secret))
        detail = {"projects": request.project, "publisher": audited}
        audit.add_entry(
            db,
            audit.AuditEntry(
                at, request.name, "mint", channel.name, tokens.token_prefix(secret), detail
            ),
        )
    return MintedToken(secret, at + TOKEN_LIFETIME)


def _matches_publisher(publisher: TrustedPublisher, claims: Mapping[str, Any]) -> bool:
    return str(claims.get("iss")).rstrip("/") == publisher.issuer and all(
        isinstance(claims.get(name), str) and matches_stars(claims[name], wanted)
        for name, wanted in publisher.claims.items()
    )


def _require_channel(db: Connection, name: str) -> Channel:
    found = channels.find_channel(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found
