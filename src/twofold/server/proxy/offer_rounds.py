"""Rounds that read what a channel offers by metadata alone (`proxy.offer_list`).

A round reads the pages of what is due, with conditional requests, and the METADATA of the newest
wheels; no wheel is fetched. It stores as it goes, so one that was interrupted goes on where it
ended, and what the projects require joins the list.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from packaging.requirements import Requirement

from twofold.artifact import Artifact
from twofold.convert import CondaOptions
from twofold.errors import BadFile, Refused, TwofoldError, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.fetching.remote_wheel import fetch_metadata
from twofold.formats.core_metadata import parse_metadata
from twofold.index import repodata
from twofold.index.simple_parser import find_metadata_hash
from twofold.names import normalize_name
from twofold.server.admission.names import find_sources
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import metadata_cache, offered_wheels, upstream_simple
from twofold.server.proxy.metadata_cache import MAX_METADATA_SIZE, PYPI, upstream_source
from twofold.server.proxy.offered_wheels import MAX_BOUNDS, OfferedWheel, OfferedWheels, Wanted
from twofold.server.proxy.policy import Policy, find_refused, parse_policy
from twofold.server.proxy.remote_files import ListResponse, RemoteFile, RemoteProject
from twofold.server.registry.local_metadata import find_known_names
from twofold.server.store import Connection, channels, offers
from twofold.server.store.offers import OfferedProject
from twofold.server.store.upstreams import Upstream, find_upstreams

#: Releases of a project that are offered, unless the channel's rule says otherwise.
RELEASES = 5

#: Projects read at the same time, and stored in one transaction.
PARALLEL, BATCH = 8, 64

#: How long what was read is current, and the pause between two looks for what is due.
MAX_AGE, LOOK_AGAIN = timedelta(days=1), timedelta(minutes=10)

#: The longest that a round waits for an upstream that asks for a pause (seconds); then it ends, and
#: the next one goes on where it ended.
MAX_PAUSE = 600.0

#: The most requests a second of a round that nobody waits for.
QUIET_RATE = 20.0


@dataclass
class RoundResult:
    """Projects read by a round; how many of them changed, and why some are not offered.

    `postponed` are those that an upstream would not be asked for at once: the round ended there.
    """

    read: int = 0
    changed: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    postponed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """What was read of one project; `value` is None when it is as before.

    `failure` is why it could not be read now: then it is read again soon.
    """

    key: str
    failure: str = ""
    value: OfferedProject | None = None
    upstream: Upstream | None = None
    files: Sequence[RemoteFile] = ()
    required: dict[str, Wanted] = field(default_factory=dict)
    is_postponed: bool = False
    made_for: str = ""


def run_round(registry: Registry, channel: Channel, rate: float | None = None) -> RoundResult:
    """Read every project that is due, and what they require; `rate` is in requests a second."""
    run = _Round(registry, channel, rate)
    before = registry.clock() - MAX_AGE
    with ThreadPoolExecutor(PARALLEL) as pool:
        while True:
            with registry.database.read() as db:
                due = offers.list_due(db, channel.id, before, BATCH)
            if not due:
                return run.result
            run.store(list(pool.map(run.read, due)))
            if run.result.postponed:
                return run.result


class _Round:
    """One round over a channel's list."""

    def __init__(self, registry: Registry, channel: Channel, rate: float | None) -> None:
        self.registry, self.channel = registry, channel
        self.result = RoundResult()
        self._pause = 1 / rate if rate else 0.0
        self._next, self._lock = 0.0, Lock()
        self._bounds: dict[str, list[str]] = {}  # of what this round read, by the key they bound

    @property
    def _newest(self) -> int:
        return int(self.channel.settings.get("offered-releases") or RELEASES)

    @property
    def _with_v3(self) -> bool:
        return bool(self.channel.settings.get("v3"))

    def read(self, offered: OfferedProject) -> _Reading:
        """Read one project; what is wrong with it becomes the reason why it is missing.

        While an upstream asks for a pause (429, 503 with Retry-After) nothing is wrong with it.
        """
        until = time.monotonic() + MAX_PAUSE
        while True:
            try:
                return self._read(offered)
            except Unreachable as error:
                message = error.problems[0].message
                if error.retry_after and time.monotonic() + error.retry_after > until:
                    return _Reading(offered.key, message, is_postponed=True)
                if not error.retry_after and offered.wheels is not None:
                    return _Reading(offered.key, message)  # as before, until it answers again
                if not error.retry_after:
                    return self._make_missing(offered, message, message)
                time.sleep(error.retry_after)
            except (TwofoldError, BadFile) as error:
                return self._make_missing(offered, error.problems[0].message)

    def _read(self, offered: OfferedProject) -> _Reading:
        with self.registry.database.read() as db:
            sources = find_sources(db, self.channel, PYPI, offered.key)
        last = offered_wheels.unpack(offered.wheels) if offered.wheels else OfferedWheels()
        for upstream in sources:
            self._wait()
            is_same = last.made_for == self._describe_rules(offered.requirement)
            is_same = is_same and not last.find_unmet(self._bounds.get(offered.key, ()))
            known = last.validator if is_same and _can_revalidate(last, upstream) else ""
            page = upstream_simple.fetch_files(upstream_source(upstream), offered.key, known)
            if page is not None and page.unchanged:
                return _Reading(offered.key, upstream=upstream, made_for=last.made_for)
            project = page.project if page is not None else RemoteProject()
            if page is not None and (project.files or project.unusable or project.status):
                return self._read_wheels(offered, upstream, page, last.bounds)
        return self._make_missing(offered, "no upstream has it, or its name is private")

    def _describe_rules(self, requirement: str) -> str:
        """Describe what the wheels depend on beside their page."""
        pythons = f"3.{offered_wheels.PYTHONS[0]} to 3.{offered_wheels.PYTHONS[-1]}"
        return f"{requirement}; {self._newest} releases for {pythons}; v3: {self._with_v3}"

    def _read_wheels(
        self,
        offered: OfferedProject,
        upstream: Upstream,
        page: ListResponse,
        bounds: Sequence[str],
    ) -> _Reading:
        files, requirement = page.project.files, Requirement(offered.requirement)
        refused = find_refused(self.registry, self.channel, upstream, offered.key, files)
        bounds = list(dict.fromkeys([*self._bounds.get(offered.key, ()), *bounds]))
        chosen, unmet = offered_wheels.choose_wheels(
            files, refused, requirement, self._newest, bounds
        )
        source, texts = upstream_source(upstream), dict[str, str]()
        policy = parse_policy(upstream.policy)
        wheels = [self._read_wheel(source, file, texts, policy) for file in chosen]
        required = offered_wheels.list_requirements(wheels, requirement.extras)
        made_for = self._describe_rules(offered.requirement)
        place = (upstream.name, page.validator, upstream.policy)
        made = OfferedWheels(tuple(wheels), *place, made_for, unmet)
        missing = offered_wheels.explain_missing(wheels, files, refused)
        shards = {
            subdir: (next(iter(records.values()))["name"], hash_shard(records))
            for subdir, records in offered_wheels.make_shards(wheels).items()
        }
        packed = offered_wheels.pack(made)
        value = OfferedProject(offered.key, offered.requirement, missing, packed, shards)
        return _Reading(offered.key, "", value, upstream, files, required, made_for=made_for)

    def _read_wheel(
        self, source: Endpoint, file: RemoteFile, texts: dict[str, str], policy: Policy
    ) -> OfferedWheel:
        """Read a wheel's METADATA; wheels of one release mostly have the same."""
        sha256 = find_metadata_hash(file.entry.get("core-metadata"))
        key = sha256 or upstream_simple.find_version(file.filename)
        if key not in texts:
            self._wait()
            data = self._fetch_metadata(source, file, sha256)
            if data is None:
                note = "its index has no METADATA of it, and serves no parts of files"
                return OfferedWheel(file.filename, file.sha256, "", note=note)
            texts[key] = offered_wheels.reduce_metadata(data)
            name = normalize_name(file.filename.split("-")[0])
            reason = policy.find_license_reason(name, file.filename, parse_metadata(data))
            if reason is not None:
                del texts[key]
                return OfferedWheel(file.filename, file.sha256, "", note=reason)
        return offered_wheels.make_offered_wheel(
            file, texts[key], self._find_options, self._with_v3
        )

    def _fetch_metadata(
        self, source: Endpoint, file: RemoteFile, sha256: str | None
    ) -> bytes | None:
        if not sha256:
            return fetch_metadata(source, file.url)
        url = f"{file.url}.metadata"
        found = fetch_page(source, url, "*/*", "", MAX_METADATA_SIZE)
        if found is None:
            return fetch_metadata(source, file.url)
        if hashlib.sha256(found.body).hexdigest() != sha256:
            raise Refused("upstream-changed", f"The upstream's {url} has another hash", status=502)
        return found.body

    def _find_options(self, artifact: Artifact) -> CondaOptions:
        """Return the options with which the registry converts this wheel."""
        known = find_known_names(self.registry, self.channel, artifact)
        return CondaOptions(local_names=known.names, find_metadata=known.metadata_of)

    def _make_missing(self, offered: OfferedProject, why: str, failure: str = "") -> _Reading:
        value = OfferedProject(offered.key, offered.requirement, why[:500])
        return _Reading(offered.key, failure, value)

    def _wait(self) -> None:
        """Wait for the next request's turn."""
        if self._pause:
            with self._lock:
                self._next = max(self._next, time.monotonic()) + self._pause
                wait = self._next - self._pause - time.monotonic()
            time.sleep(max(0.0, wait))

    def store(self, readings: Sequence[_Reading]) -> None:
        """Store what a batch read: pins, records, and the projects that they require."""
        at = self.registry.clock()
        required: dict[str, Wanted] = {}
        with self.registry.database.serialized_write() as db:  # serials in order
            self.channel = channels.get_channel(db, self.channel.id)
            readings = self._drop_outdated(db, readings)
            changed = [one.value for one in readings if one.value is not None]
            for one in readings:
                if one.upstream is not None:
                    place = ("", one.key)
                    args = (self.registry, db, self.channel, one.upstream, place, one.files)
                    metadata_cache.pin_files(*args)
                for key, wanted in one.required.items():
                    required.setdefault(key, Wanted()).add(wanted)
            offers.save_offers(db, self.channel.id, changed, at)
            done = [one for one in readings if not one.is_postponed]
            same = [one.key for one in done if one.value is None and not one.failure]
            offers.touch_offers(db, self.channel.id, same, at)
            failed = [one.key for one in done if one.failure]
            offers.touch_offers(db, self.channel.id, failed, at - MAX_AGE + LOOK_AGAIN)
            self._add_required(db, required, at)
        self.result.read += len(done)
        self.result.postponed |= {one.key: one.failure for one in readings if one.is_postponed}
        self.result.changed += len(changed)
        self.result.missing |= {one.key: one.missing for one in changed if one.missing}

    def _drop_outdated(self, db: Connection, readings: Sequence[_Reading]) -> list[_Reading]:
        """Leave out what was read for a policy, a requirement or rules that changed meanwhile.

        It is due again.
        """
        policies = {one.name: one.policy for one in find_upstreams(db, self.channel.id, PYPI)}
        wanted = offers.find_requirements(db, self.channel.id, (one.key for one in readings))
        return [
            one
            for one in readings
            if one.upstream is None
            or (
                policies.get(one.upstream.name) == one.upstream.policy
                and one.made_for == self._describe_rules(wanted.get(one.key, ""))
            )
        ]

    def _add_required(self, db: Connection, required: dict[str, Wanted], at: datetime) -> None:
        """Put what projects require on the list, but for the channel's own projects."""
        known = offers.find_requirements(db, self.channel.id, required)
        new = set(required) - set(known)
        own = new & set(channels.list_names(db, self.channel.id))
        wanted = {
            key: _format(key, required[key].extras)
            for key in new
            if key not in own or find_sources(db, self.channel, PYPI, key)
        }
        if wanted:
            offers.add_offers(db, self.channel.id, wanted, at)
        self._keep_bounds(db, required, known)
        for key, text in known.items():
            requirement = Requirement(text)
            if required[key].extras - requirement.extras:
                requirement.extras |= required[key].extras
                offers.set_requirement(db, self.channel.id, key, str(requirement))

    def _keep_bounds(
        self, db: Connection, required: Mapping[str, Wanted], known: Collection[str]
    ) -> None:
        """Let projects be read again of which others require older releases than are offered."""
        again = []
        for key, wanted in required.items():
            bounds = self._bounds.setdefault(key, [])
            new = sorted(wanted.bounds - set(bounds))[: MAX_BOUNDS - len(bounds)]
            bounds += new
            body = offers.read_wheels(db, self.channel.id, key) if new and key in known else None
            if body and offered_wheels.unpack(body).find_unmet(new):
                again.append(key)
        if again:
            offers.expire_offers(db, self.channel.id, again)


def _can_revalidate(last: OfferedWheels, upstream: Upstream) -> bool:
    """Whether an unchanged page means unchanged wheels: not where a policy may judge otherwise."""
    policy = parse_policy(upstream.policy)
    varies = policy.min_age or policy.approval or policy.advisories
    return (last.upstream, last.policy) == (upstream.name, upstream.policy) and not varies


def _format(key: str, extras: set[str]) -> str:
    return f"{key}[{','.join(sorted(extras))}]" if extras else key


def hash_shard(records: dict[str, dict[str, object]]) -> str:
    """Return the SHA-256 of the shard with these records."""
    return hashlib.sha256(repodata.make_shard(records)).hexdigest()
