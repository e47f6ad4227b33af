"""The upstreams of channels, set by the operator and recorded in the audit log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlsplit

from twofold.errors import Refused, Unreachable
from twofold.fetching import credentials
from twofold.fetching.client import Endpoint, fetch_page, is_public, parse_origin
from twofold.fetching.credentials import Credential, SecretReference
from twofold.names import normalize_name
from twofold.server.admission.names import find_sources
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import upstream_conda, upstream_simple
from twofold.server.proxy.metadata_cache import (
    CONDA,
    MAX_METADATA_SIZE,
    PYPI,
    upstream_source,
)
from twofold.server.proxy.policy import Policy, serialize_policy
from twofold.server.store import Connection, audit, channels, offers, upstream_cache, upstreams
from twofold.server.store.upstreams import DEFAULT as DEFAULT
from twofold.server.store.upstreams import Upstream as Upstream


@dataclass(frozen=True)
class UpstreamConfig:
    """An upstream to be set for a channel.

    `url` is the URL of an index's simple pages (`pypi`) or of a channel (`conda`). `prefixes` are
    private: names, and prefixes of names, that are never served from the upstream. `secret` is its
    login; one written into the URL is extracted from it. `files_at` are hosts (HOST or HOST:PORT)
    whose files and redirects are allowed although their addresses are not public. `name` identifies
    one of several of a kind; it is asked before the one called `before`, or last. `only` are its
    own names (`spam`, `spam-*`), which no other is asked for. `max_age` is in seconds.
    """

    url: str
    kind: str
    prefixes: tuple[str, ...] = ()
    secret: Credential | SecretReference | None = None
    files_at: tuple[str, ...] = ()
    name: str = DEFAULT
    before: str | None = None
    only: tuple[str, ...] = ()
    max_age: int | None = None


def add(registry: Registry, by: str, channel: str, config: UpstreamConfig) -> Upstream:
    """Set a channel's upstream, replacing one of the same kind and name at its place.

    The secret, or the reference to it, is stored in the database and nowhere else. Raises Refused,
    Unreachable.
    """
    if config.kind not in (PYPI, CONDA):
        raise Refused("unknown-kind", f"An upstream is '{PYPI}' or '{CONDA}', not '{config.kind}'")
    url, in_url = credentials.split_userinfo(config.url)
    secret = config.secret or in_url
    scheme, _, _ = parse_origin(url)
    internal = not is_public(url)
    if secret is not None and scheme == "http" and not internal:
        raise Refused(
            "unencrypted-secret",
            "A password or token is not sent over http to a public address",
            "use the upstream's https address",
        )
    _check_options(config)
    only = tuple(sorted({_parse_own_name(name) for name in config.only}))
    keys = tuple(sorted({normalize_name(prefix.rstrip("*-_.")) for prefix in config.prefixes}))
    files_at = tuple(sorted({_parse_host(host) for host in config.files_at}))
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_channel(db, channel)
        packed = credentials.serialize(secret)
        before = upstreams.find_upstream(db, found.id, config.kind, config.name)
        policy = before.policy if before is not None else ""  # a new login does not lift it
        added = Upstream(
            found.id, config.kind, url.rstrip("/"), internal, keys, packed, files_at, policy
        )
        added = replace(
            added,
            name=config.name,
            only=only,
            max_age=config.max_age,
            position=_make_position(db, found, config, before),
        )
        upstreams.set_upstream(db, added, at)
        detail = {"url": added.url, "prefixes": list(keys), "internal": internal}
        if config.name != DEFAULT:
            detail["name"] = config.name
        if only:
            detail["only"] = list(only)
        if files_at:
            detail["files_at"] = list(files_at)
        if secret is not None:
            detail["login"] = secret.kind
        if isinstance(secret, SecretReference):
            detail["secret"] = secret.location
        audit.add_entry(db, audit.AuditEntry(at, by, "upstream", channel, config.kind, detail))
    registry.proxied_channels.invalidate()
    return added


def _check_options(config: UpstreamConfig) -> None:
    if not re.fullmatch("[a-z0-9][a-z0-9._-]{0,62}", config.name):
        raise Refused(
            "invalid-name",
            f"{config.name[:100]!a} is not a name of an upstream",
            "use lower-case letters, digits, '.', '_' and '-'",
        )
    if config.max_age is not None and not 0 <= config.max_age <= 7 * 86400:
        raise Refused("invalid-time", "The time to live is 0 to 604800 seconds (a week)")


def _parse_own_name(text: str) -> str:
    """Parse `spam` or `spam-*`. Raises Refused."""
    is_prefix = text.endswith("*")
    name = normalize_name(text.rstrip("*"))
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", name) or not (is_prefix or name[-1] != "-"):
        raise Refused(
            "invalid-name",
            f"{text[:100]!a} is not a name of a project",
            "write a name, or the beginning of names with *: torch, nvidia-*",
        )
    return f"{name}*" if is_prefix else name


def _make_position(
    db: Connection,
    channel: Channel,
    config: UpstreamConfig,
    previous: Upstream | None,
) -> int:
    """Return the place of an upstream among those of its kind; the others may move."""
    every = upstreams.find_upstreams(db, channel.id, config.kind)
    if config.before is None:
        last = max((one.position for one in every), default=-1)
        return previous.position if previous is not None else last + 1
    others = [one for one in every if one.name != config.name]
    place = next((n for n, one in enumerate(others) if one.name == config.before), None)
    if place is None:
        raise _no_upstream(channel.name, f"{config.kind} upstream '{config.before[:100]}'")
    for number, one in enumerate(others):
        position = number if number < place else number + 1
        upstreams.set_position(db, replace(one, position=position))
    return place


def probe(registry: Registry, channel: str, upstream: Upstream, project: str) -> list[str]:
    """Try an upstream; return what can and what cannot be done with it, a sentence each.

    Of an index the page of one project is read, and one request is sent to each host of its files.
    """
    source = upstream_source(upstream)
    with registry.database.read() as db:
        every = find_sources(db, _require_channel(db, channel), upstream.kind, project)
    if upstream.kind == PYPI and upstream.name not in {one.name for one in every}:
        text = "it was not tried: '%s' is private, or not among its names; name another with --try"
        return [text % project[:100]]
    try:
        if upstream.kind == CONDA:
            return [_describe_channel(source)]
        found = upstream_simple.fetch_files(source, normalize_name(project))
    except (Unreachable, Refused) as error:
        return [f"it cannot be used now: {error.problems[0].message}"]
    if found is None:
        return [f"it answers, and has no project '{project}': try one that it has"]
    files = found.project.files
    if not files:
        return [f"no file of '{project}' has a usable name and a SHA-256: none is served"]
    with_metadata = sum("core-metadata" in file.entry for file in files)
    with_time = sum("upload-time" in file.entry for file in files)
    lines = [
        f"'{project}' has {len(files)} usable files, {with_metadata} with METADATA (PEP 658) and "
        f"{with_time} with an upload time"
    ]
    hosts = {urlsplit(file.url).netloc: file.url for file in files}
    return lines + [_describe_host(source, host, hosts[host]) for host in sorted(hosts)[:5]]


def _describe_channel(source: Endpoint) -> str:
    if upstream_conda.fetch_list(source, "noarch") is not None:
        return "it has shards: only requested packages are read"
    return "it has no shards: repodata.json is read whole"


def _describe_host(source: Endpoint, host: str, url: str) -> str:
    try:
        fetch_page(source, f"{url}.metadata", "*/*", max_size=MAX_METADATA_SIZE)
    except Refused as error:
        return f"files at {host} are refused: {error.problems[0].message}; {error.hint}"
    except Unreachable as error:
        return f"files at {host} may not be available: {error.problems[0].message}"
    return f"files at {host} are fetched"


def _parse_host(text: str) -> str:
    """Parse HOST, HOST:PORT or a URL with them; return it in lower case. Raises Refused."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.username is not None or any(c.isspace() or c == "*" for c in host):
        raise Refused(
            "invalid-host",
            f"{text[:100]!a} is not a host",
            "name one host, with its port where only that is meant: files.example:8443",
        )
    return f"{host}:{port}" if port else host


def check_public(url: str) -> None:
    """Raise Refused (403) for an address that is not public: only the operator may set those."""
    if not is_public(credentials.split_userinfo(url)[0]):
        raise Refused(
            "internal-address",
            "An upstream with an internal address can be set only on the server's machine",
            "ask the operator for 'twofold admin upstream add'",
            403,
        )


def set_policy(
    registry: Registry, by: str, channel: str, policy: Policy, name: str = DEFAULT
) -> None:
    """Set the conditions on the files of a channel's index; fetched files stay. Raises Refused."""
    text = serialize_policy(policy)
    at = registry.clock()
    upstream = upstream_for(registry, channel, PYPI, name)
    with registry.database.serialized_write() as db:
        upstreams.set_policy(db, replace(upstream, policy=text))
        offers.expire_offers(db, upstream.channel_id)
        audit.add_entry(
            db, audit.AuditEntry(at, by, "upstream-policy", channel, PYPI, asdict(policy))
        )
    registry.proxied_channels.offer_rounds.pop(upstream.channel_id, None)


def remove(registry: Registry, by: str, channel: str, kind: str, name: str = DEFAULT) -> None:
    """Remove an upstream; fetched files stay."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_channel(db, channel)
        if not upstreams.remove_upstream(db, found.id, kind, name):
            raise _no_upstream(channel, _describe(kind, name))
        detail = {"name": name} if name != DEFAULT else {}
        audit.add_entry(db, audit.AuditEntry(at, by, "remove-upstream", channel, kind, detail))
    registry.proxied_channels.invalidate()


def refresh(registry: Registry, by: str, channel: str, names: Sequence[str]) -> int:
    """Let pages of the upstreams be revalidated at once: of some projects or subdirs, or all.

    Returns how many cached pages these are. Raises Refused (404).
    """
    keys = [key for name in names for key in (normalize_name(name), name, f"{name}/")]
    with registry.database.serialized_write() as db:
        found = _require_channel(db, channel)
        done = upstream_cache.expire_responses(db, found.id, keys)
        projects = [normalize_name(name) for name in names] or None
        offers.expire_offers(db, found.id, projects)
        detail = {"pages": done, **({"names": sorted(names)[:100]} if names else {})}
        audit.add_entry(
            db, audit.AuditEntry(registry.clock(), by, "refresh-upstream", channel, "", detail)
        )
    for rounds in (registry.proxied_channels.rounds, registry.proxied_channels.offer_rounds):
        rounds.pop(found.id, None)
    return done


def list_all(registry: Registry) -> list[tuple[str, Upstream]]:
    """Return (channel, upstream) pairs."""
    with registry.database.read() as db:
        return upstreams.list_upstreams(db)


def upstream_for(registry: Registry, channel: str, kind: str, name: str = DEFAULT) -> Upstream:
    """Return a channel's upstream of a kind and name. Raises Refused (404)."""
    with registry.database.read() as db:
        found = upstreams.find_upstream(db, _require_channel(db, channel).id, kind, name)
    if found is None:
        raise _no_upstream(channel, _describe(kind, name))
    return found


def require_upstreams(registry: Registry, channel: str, kind: str) -> list[Upstream]:
    """Return a channel's upstreams of a kind. Raises Refused (404) when there is none."""
    with registry.database.read() as db:
        found = upstreams.find_upstreams(db, _require_channel(db, channel).id, kind)
    if not found:
        raise _no_upstream(channel, f"{kind} upstream")
    return found


def _describe(kind: str, name: str) -> str:
    return f"{kind} upstream" if name == DEFAULT else f"{kind} upstream '{name[:100]}'"


def _no_upstream(channel: str, what: str) -> Refused:
    return Refused("no-upstream", f"'{channel}' has no {what}", status=404)


def _require_channel(db: Connection, name: str) -> Channel:
    found = channels.find_channel(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found
