"""Refusals of an upstream's files: by its policy, by their licence, and by their content."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from twofold import __version__
from twofold.errors import Refused
from twofold.formats.core_metadata import parse_metadata
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import metadata_cache, remote_files
from twofold.server.proxy.policy.conditions import find_refused, parse_policy
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.store import Connection, audit, channels, upstreams
from twofold.server.store.upstream_cache import CachedResponse
from twofold.server.store.upstreams import Pin, Upstream

log = logging.getLogger("twofold.server")


@dataclass(frozen=True)
class Refusal:
    """Why the content of an upstream's file was refused, as remembered with its pin.

    Valid for one version of twofold: another one may accept what this one refuses.
    """

    message: str
    hint: str = ""
    version: str = __version__
    policy: str = ""  # for whose licences it was refused; '' for its content

    @classmethod
    def find(cls, pin: Pin, policy: str) -> Refusal | None:
        """Return the refusal remembered for a file by this version of twofold and this policy."""
        refusal = cls(**json.loads(pin.refused)) if pin.refused else None
        if refusal is None or refusal.version != __version__:
            return None
        return refusal if refusal.policy in ("", policy) else None

    def to_error(self) -> Refused:
        """Return the error for the client: permanent, so that it does not retry."""
        return Refused("upstream-refused", self.message, self.hint, 403)


def list_refusals(registry: Registry, channel: str, limit: int) -> list[tuple[Pin, Refusal]]:
    """Return the files of a channel's upstreams that were asked for and refused, by name."""
    with registry.database.read() as db:
        found = channels.find_channel(db, channel)
        pins = [] if found is None else upstreams.list_refused_pins(db, found.id, limit)
    return [(pin, Refusal(**json.loads(pin.refused))) for pin in pins if pin.refused]


def check_policy(
    registry: Registry, channel: Channel, upstream: Upstream, pin: Pin, cached: CachedResponse
) -> None:
    """Check a file against the upstream's policy, by the cached page. Raises Refused (403)."""
    listed = remote_files.deserialize(cached.body).files
    mine = [file for file in listed if file.filename == pin.filename]
    mine = mine or [RemoteFile(pin.filename, pin.sha256, pin.url)]
    for reason in find_refused(registry, channel, upstream, pin.key, mine).values():
        log.info("%s/%s is refused: %s", channel.name, pin.filename, reason)
        raise Refused(
            "policy",
            f"{pin.filename} is not served: {reason}",
            "choose another release, or ask the operator",
            403,
        )


def find_refusals(
    registry: Registry, channel: Channel, upstream: Upstream, key: str, remote: Iterable[RemoteFile]
) -> dict[str, str]:
    """Return filename -> reason of a project's files that are not served.

    Their content was refused, or the upstream's policy refuses them.
    """
    by_policy = find_refused(registry, channel, upstream, key, remote)
    with registry.database.read() as db:
        return by_policy | _find_refused_content(db, channel, upstream, key)


def _find_refused_content(
    db: Connection, channel: Channel, upstream: Upstream, key: str
) -> dict[str, str]:
    pins = upstreams.list_pins_of(db, channel.id, key, only_refused=True)
    found = {name: Refusal.find(pin, upstream.policy) for name, pin in pins.items()}
    return {name: refusal.message for name, refusal in found.items() if refusal is not None}


def check_listed_license(
    registry: Registry, channel: Channel, upstream: Upstream, pin: Pin
) -> None:
    """Check a wheel's licence before it is fetched, if its index has METADATA. Raises Refused."""
    if parse_policy(upstream.policy).licenses and pin.filename.endswith(".whl"):
        body = metadata_cache.cached_wheel_metadata(registry, channel, upstream, pin)
        if body is not None:
            check_license(upstream, pin, body)


def check_license(upstream: Upstream, pin: Pin, metadata: bytes) -> None:
    """Check a file's licence against the upstream's policy. Raises Refused (403)."""
    policy = parse_policy(upstream.policy)
    if not policy.licenses:
        return
    reason = policy.find_license_reason(pin.key, pin.filename, parse_metadata(metadata))
    if reason is not None:
        raise Refused("license", reason, "choose another project, or ask the operator", 403)


def remember_refusal(
    registry: Registry, channel: Channel, upstream: Upstream, pin: Pin, error: Refused
) -> Refused:
    """Remember why a file was refused, so that it is not fetched again; return the error.

    Only its content is a reason for good, and its licence for one policy: a full quota or a status
    may change.
    """
    problem = error.problems[0]
    policy = upstream.policy if error.code == "license" else ""
    text = f"The upstream's {pin.filename} was refused: {problem.message}"
    refusal = Refusal(text, problem.hint or "", policy=policy)
    log.info("%s/%s is refused: %s", channel.name, pin.filename, problem.message)
    detail = {"reason": problem.message, "code": error.code, "sha256": pin.sha256}
    with registry.database.write() as db:
        if error.status == 400 or error.code == "license":
            upstreams.update_pin(db, channel.id, pin, refused=json.dumps(asdict(refusal)))
        note = audit.AuditEntry(
            registry.clock(), "upstream", "upstream-refused", channel.name, pin.filename, detail
        )
        audit.add_entry(db, note)
    return refusal.to_error()
