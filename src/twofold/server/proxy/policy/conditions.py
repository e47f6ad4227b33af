"""Which files of an upstream a channel takes: the operator's policy, checked before any is fetched.

It is checked where pages are made and again where a file is fetched. A file that it refuses stays
on its project's page, as yanked and with the reason, and is answered 403 with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from twofold.errors import Refused
from twofold.formats.core_metadata import CoreMetadata
from twofold.names import normalize_name
from twofold.server.admission.licenses import find_license_problem
from twofold.server.admission.vulnerabilities import Advisories
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_simple import find_version
from twofold.server.store.upstreams import Upstream


@dataclass(frozen=True)
class PolicyFacts:
    """What conditions are checked against: the time, the granted names, known vulnerabilities."""

    at: datetime
    approved: frozenset[str] = frozenset()
    advisories: Advisories | None = None


@dataclass(frozen=True)
class Policy:
    """The conditions on an upstream's files.

    `min_age` is in days since the upload, except for the names in `at_once`. `allow` and `deny` are
    names, or names with versions (`spam<2`); an empty `allow` allows all. `wheels_only` leaves out
    sdists. `licenses` are SPDX identifiers that alone are allowed. `advisories` is where OSV's
    database is, and `accept` are ids of advisories that do not count. `approval`: only names that
    an administrator granted. `exceptions`, as `allow`, are free of all these conditions.
    """

    min_age: int = 0
    at_once: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    wheels_only: bool = False
    licenses: tuple[str, ...] = ()
    advisories: str = ""
    accept: tuple[str, ...] = ()
    approval: bool = False
    exceptions: tuple[str, ...] = ()

    def is_excepted(self, key: str, filename: str) -> bool:
        """Whether a release is free of the conditions."""
        return _find_match(self.exceptions, key, find_version(filename)) is not None

    def find_reason(self, key: str, file: RemoteFile, facts: PolicyFacts) -> str | None:
        """Return why a project's file is refused; None when it is not.

        Licences are not on an index's page: they are checked where METADATA is read.
        """
        if self.is_excepted(key, file.filename):
            return None
        if self.wheels_only and not file.filename.endswith(".whl"):
            return "the policy of this channel takes wheels only"
        version = find_version(file.filename)
        denied = _find_match(self.deny, key, version)
        if denied is not None:
            return f"the policy of this channel denies '{denied}'"
        if self.allow and _find_match(self.allow, key, version) is None:
            return "the policy of this channel does not allow it"
        if self.approval and key not in facts.approved:
            return "the policy of this channel asks for approval: ask an administrator to grant it"
        if facts.advisories is not None:
            found = facts.advisories.find(key, version, self.accept)
            if found is not None:
                return f"it has a known vulnerability: {found}"
        if self.min_age and key not in map(normalize_name, self.at_once):
            return self._find_age_reason(file, facts.at)
        return None

    def find_license_reason(self, key: str, filename: str, metadata: CoreMetadata) -> str | None:
        """Return why a file's licence is refused; None when it is not."""
        if not self.licenses or self.is_excepted(key, filename):
            return None
        return find_license_problem(metadata, self.licenses)

    def _find_age_reason(self, file: RemoteFile, at: datetime) -> str | None:
        wanted = f"the policy of this channel takes files {self.min_age} days after their upload"
        uploaded = _parse_time(str(file.entry.get("upload-time") or ""))
        if uploaded is None:
            return f"{wanted}, and the upstream does not state when that was"
        ready = uploaded + timedelta(days=self.min_age)
        return None if ready <= at else f"{wanted}: from {ready:%Y-%m-%d %H:%M} UTC on"


_LISTS = ("at_once", "allow", "deny", "licenses", "accept", "exceptions")


def parse_policy(text: str) -> Policy:
    """Parse a stored policy; '' is one without conditions."""
    value: dict[str, Any] = json.loads(text) if text else {}
    lists: dict[str, Any] = {name: tuple(value.pop(name, ())) for name in _LISTS}
    return Policy(**value, **lists)


def serialize_policy(policy: Policy) -> str:
    """Serialize a policy after checking it. Raises Refused."""
    for entry in (*policy.allow, *policy.deny, *policy.at_once, *policy.exceptions):
        try:
            parsed = Requirement(entry)
        except InvalidRequirement as error:
            raise Refused(
                "invalid-policy",
                f"{entry[:100]!a} is not a name, or a name with versions: {error}",
                "write it as spam, or spam<2",
            ) from None
        if parsed.url or parsed.marker or parsed.extras:
            raise Refused("invalid-policy", f"{entry[:100]!a} has more than a name and versions")
    if not 0 <= policy.min_age <= 3650:
        raise Refused("invalid-policy", "The minimum age is 0 to 3650 days")
    return json.dumps(asdict(policy)) if policy != Policy() else ""


def read_facts(registry: Registry, channel: Channel, policy: Policy) -> PolicyFacts:
    """Return what a policy is checked against. Raises Unreachable without its advisories."""
    granted = channel.settings.get("approved", []) if policy.approval else []
    advisories = None
    if policy.advisories:
        cache = registry.proxied_channels.advisories
        advisories = cache.get(policy.advisories, registry.spool)
    return PolicyFacts(registry.clock(), frozenset(granted), advisories)


def find_refused(
    registry: Registry, channel: Channel, upstream: Upstream, key: str, files: Iterable[RemoteFile]
) -> dict[str, str]:
    """Return filename -> reason of the files that the upstream's policy refuses.

    Raises Unreachable when the advisories that it names were never read.
    """
    if not upstream.policy:
        return {}
    policy = parse_policy(upstream.policy)
    facts = read_facts(registry, channel, policy)
    found = {file.filename: policy.find_reason(key, file, facts) for file in files}
    return {name: reason for name, reason in found.items() if reason is not None}


def _find_match(entries: Iterable[str], key: str, version: str) -> str | None:
    """Return the entry that matches a release; a version that PEP 440 lacks matches none."""
    for entry in entries:
        wanted = Requirement(entry)
        if normalize_name(wanted.name) != key:
            continue
        if not str(wanted.specifier):
            return entry
        try:
            if wanted.specifier.contains(Version(version), prereleases=True):
                return entry
        except InvalidVersion:
            continue
    return None


def _parse_time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
