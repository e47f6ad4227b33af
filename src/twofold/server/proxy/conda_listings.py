"""What people and programs read of a conda upstream's packages: searches, and a project's page.

A search reads the indexes that were cached for clients of conda, and asks no upstream.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

from twofold.errors import Refused, Unreachable
from twofold.names import normalize_name
from twofold.server.admission.names import filter_withheld
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import metadata_cache, remote_files, upstream_conda
from twofold.server.proxy.metadata_cache import CONDA
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.store import Connection, projects, upstream_cache, upstreams
from twofold.server.store.upstreams import Upstream

log = logging.getLogger("twofold.server")


def search_packages(db: Connection, channel: Channel, text: str) -> dict[str, set[str]]:
    """Return name -> subdirs of the conda upstreams' packages whose name contains a text."""
    found: dict[str, set[str]] = {}
    taken: set[str] = set()
    for upstream in upstreams.find_upstreams(db, channel.id, CONDA):
        mine: set[str] = set()
        for key, cached in upstream_cache.list_indexes(db, upstream).items():
            every = _list_names(cached.body, is_list=key.endswith("/"))
            names = {name for name in every if text in normalize_name(name)} - taken
            for name in names - filter_withheld(db, channel, upstream, names):
                found.setdefault(name, set()).add(key.removesuffix("/"))
            mine |= names
        taken |= mine
    return found


@lru_cache(maxsize=8)
def _list_names(body: bytes, is_list: bool) -> frozenset[str]:
    """Return the names of a cached index; conda-forge's has 30,000."""
    if not is_list:
        return frozenset(str(file.entry["name"]) for file in remote_files.deserialize(body).files)
    address, _, packed = body.partition(b"\n")
    return frozenset(upstream_conda.parse_list(packed, address.decode()).shards if packed else ())


def list_packages(registry: Registry, channel: Channel, name: str) -> list[tuple[str, RemoteFile]]:
    """Return (subdir, package) of a conda upstream's packages that the channel lacks.

    Only of subdirs that clients read before. While the upstream is down there are none.
    """
    with registry.database.read() as db:
        subdirs = search_packages(db, channel, normalize_name(name))
        every = upstreams.find_upstreams(db, channel.id, CONDA)
    called = [one for one in subdirs if normalize_name(one) == normalize_name(name)]
    found: list[tuple[str, RemoteFile]] = []
    for one in called:
        for subdir in sorted(subdirs[one]):
            with registry.database.read() as db:
                here = projects.list_local_files(db, channel.id, subdir).get(one, set())
            listed = _list_files(registry, channel, every, (subdir, one))
            found += [(subdir, file) for file in listed if file.filename not in here]
    return found


def _list_files(
    registry: Registry, channel: Channel, every: Iterable[Upstream], place: tuple[str, str]
) -> list[RemoteFile]:
    """Return the packages of a (subdir, name), of the first upstream that has some."""
    subdir, name = place
    for upstream in every:
        try:
            listed = metadata_cache.cached_shard_list(registry, upstream, subdir)
            if listed is not None and name in listed[0].shards:
                return metadata_cache.cached_shard(registry, channel, upstream, listed[0], place)[1]
            if listed is None:
                files = metadata_cache.cached_project_files(registry, channel, upstream, subdir)
                if mine := [file for file in files if file.entry["name"] == name]:
                    return mine
        except (Unreachable, Refused) as error:
            log.warning("the upstream of %s was not read for %s: %s", channel.name, name, error)
            return []
    return []
