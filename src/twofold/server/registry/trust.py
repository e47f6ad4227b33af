"""Trusted publishing: an identity token of a CI run becomes a short token for its projects.

No secret is stored anywhere: a publisher (channel, project, issuer, claims) says which runs may
publish. Each identity token is good for one exchange, the token it buys for 15 minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server import tokens
from twofold.server.model import Action, Channel
from twofold.server.oidc import Issuers
from twofold.server.registry import Registry
from twofold.server.registry.people import TokenRequest, token_of
from twofold.server.store import Connection, audit, channels, people, trust
from twofold.server.store.trust import Publisher as Publisher

#: How long a minted token lives.
LIFE = timedelta(minutes=15)

#: Claims kept with the token, for the audit log and for provenance.
TELLING = (
    "sub",
    "repository",
    "workflow_ref",
    "job_workflow_ref",
    "ci_config_ref_uri",
    "ref",
    "environment",
    "project_path",
    "sha",
)


@dataclass(frozen=True)
class Minted:
    """A token for a CI run, and when it ends."""

    token: str
    expires_at: datetime


def add_publisher(
    registry: Registry,
    by: str,
    channel: str,
    project: str,
    issuer: str,
    claims: Mapping[str, str],
) -> Publisher:
    """Trust runs whose claims have these values (`*` stands for any text)."""
    if not issuer.startswith("https://"):
        raise Refused("invalid-issuer", "An issuer's address begins with https://")
    if not claims:
        raise Refused("no-claims", "Say which claims a run must have", "--claim repository=o/r")
    at, key = registry.clock(), normalised(project)
    with registry.database.write_in_turn() as db:
        found = _channel(db, channel)
        new = Publisher(0, found.id, key, issuer.rstrip("/"), dict(claims))
        added = trust.add_publisher(db, new, at)
        detail = {"issuer": issuer, "claims": dict(claims)}
        audit.note_change(db, audit.Change(at, by, "publisher", channel, key, detail))
    return added


def publishers(registry: Registry, channel: str) -> list[Publisher]:
    with registry.database.read() as db:
        return trust.all_publishers(db, _channel(db, channel).id)


def remove_publisher(registry: Registry, by: str, channel: str, publisher_id: int) -> None:
    at = registry.clock()
    with registry.database.write_in_turn() as db:
        known = {own.id: own for own in trust.all_publishers(db, _channel(db, channel).id)}
        if publisher_id not in known:
            raise Refused("not-found", f"There is no publisher {publisher_id}", status=404)
        trust.remove_publisher(db, publisher_id)
        subject = known[publisher_id].project
        audit.note_change(db, audit.Change(at, by, "publisher-removed", channel, subject))


def mint(
    registry: Registry, issuers: Issuers, audience: str, token: str, channel: str | None = None
) -> Minted:
    """A token for all the projects (of one channel) whose publishers this run is.

    Raises Refused (422) with the codes of PyPI's endpoint.
    """
    with registry.database.read() as db:
        wanted = _channel(db, channel).id if channel else None
        known = trust.all_publishers(db, wanted)
    if not known:
        raise Refused("not-enabled", "No trusted publisher is registered here", status=422)
    claims = issuers.verify(token, audience, {publisher.issuer for publisher in known})
    fitting = [publisher for publisher in known if _fits(publisher, claims)]
    if not fitting:
        raise Refused(
            "invalid-publisher",
            "The token is right, but no trusted publisher has its claims",
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
    return _exchange(registry, claims, fitting)


def _exchange(registry: Registry, claims: Mapping[str, Any], fitting: list[Publisher]) -> Minted:
    at, secret = registry.clock(), tokens.new_token()
    with registry.database.write_in_turn() as db:
        until = datetime.fromtimestamp(int(claims["exp"]), UTC) + timedelta(minutes=1)
        if not trust.use_once(db, str(claims["iss"]), str(claims["jti"]), until, at):
            raise Refused(
                "invalid-reuse-token", "The identity token has been used already", status=422
            )
        channel = channels.channel_by_id(db, fitting[0].channel_id)
        still = {one.id for one in trust.all_publishers(db, channel.id)}
        fitting = [one for one in fitting if one.id in still]
        if not fitting:
            raise Refused("invalid-publisher", "The publisher has just been removed", status=422)
        owner = people.user_by_id(db, channel.owner_id)
        assert owner is not None
        told = {name: claims[name] for name in ("iss", *TELLING) if name in claims}
        request = TokenRequest(
            name=f"trusted publisher {told.get('sub', told['iss'])}",
            actions=frozenset({Action.READ, Action.UPLOAD}),
            channel=channel.name,
            project=",".join(sorted({publisher.project for publisher in fitting})),
            expires_at=at + LIFE,
            application={"publisher": told},
        )
        people.add_token(db, token_of(owner, request, secret, at), tokens.token_hash(secret))
        detail = {"projects": request.project, "publisher": told}
        audit.note_change(
            db, audit.Change(at, request.name, "mint", channel.name, tokens.shown(secret), detail)
        )
    return Minted(secret, at + LIFE)


def _fits(publisher: Publisher, claims: Mapping[str, Any]) -> bool:
    return claims.get("iss") == publisher.issuer and all(
        isinstance(claims.get(name), str) and fnmatchcase(claims[name], wanted)
        for name, wanted in publisher.claims.items()
    )


def _channel(db: Connection, name: str) -> Channel:
    found = channels.channel_named(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found
