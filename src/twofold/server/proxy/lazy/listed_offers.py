"""Which offers are listed at `/CHANNEL/lazy`, and under which conda names; kept by what changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twofold.names import normalize_name
from twofold.server.admission.checks import find_prefix
from twofold.server.admission.names import filter_private
from twofold.server.model import Channel
from twofold.server.proxy.metadata_cache import PYPI
from twofold.server.store import Connection, channels, offers, upstreams


class ListedOffers:
    """The offers of a channel with packages for one subdir. Not thread-safe.

    Hidden are those whose name is private, and those that no upstream may be asked for any more.
    """

    def __init__(self, subdir: str) -> None:
        self._subdir = subdir
        self._serial = 0  # of the table of offers
        self._rules: tuple[object, ...] = ()
        self._entries: dict[str, tuple[str, str]] = {}  # key -> conda name, SHA-256; '' for none
        self._called: dict[str, set[str]] = {}  # a name of either world -> keys
        self._forbidden: set[str] = set()
        self._hidden: set[str] = set()

    def find(self, name: str) -> tuple[str, str] | None:
        """Return the key and the SHA-256 of the shard that a conda name has; None if none."""
        keys = [key for key in self.find_keys(name) if key not in self._hidden]
        return (keys[0], self._entries[keys[0]][1]) if keys else None

    def find_keys(self, name: str) -> Sequence[str]:
        """Return the keys of all offers with a conda name, hidden ones too."""
        return sorted(key for key in self._called.get(name, ()) if self._entries[key][0] == name)

    def list_names(self) -> set[str]:
        """Return the conda names of all offers, hidden ones too."""
        return {name for name, _ in self._entries.values() if name}

    def update(self, db: Connection, channel: Channel) -> set[str]:
        """Take over what changed; return the conda names that it concerns."""
        names, keys = self._take_changes(db, channel.id)
        prefixes = channels.list_prefixes(db, channel.id)
        sources = upstreams.find_upstreams(db, channel.id, PYPI)
        rules = (tuple(sorted(prefixes)), tuple(sources))
        if rules != self._rules:
            self._rules, keys = rules, set(self._entries)
        for key in keys & self._entries.keys():
            conda_key = normalize_name(self._entries[key][0])
            is_reserved = any(find_prefix(one, prefixes) for one in (key, conda_key))
            if is_reserved or not any(source.may_have(key) for source in sources):
                self._forbidden.add(key)
            else:
                self._forbidden.discard(key)
        asked = channels.list_names(db, channel.id) & self._called.keys()
        private = [self._called[name] for name in filter_private(db, channel, asked)]
        hidden = self._forbidden.union(*private)
        turned, self._hidden = hidden ^ self._hidden, hidden
        return names | {self._entries[key][0] for key in turned & self._entries.keys()} - {""}

    def _take_changes(self, db: Connection, channel_id: int) -> tuple[set[str], set[str]]:
        """Return the conda names and the keys of the offers that changed."""
        serial = offers.get_serial(db, channel_id)
        if serial == self._serial:
            return set(), set()
        changed = dict(offers.list_shards(db, channel_id, self._serial))
        gone: Iterable[str] = ()
        if len(self._entries.keys() | changed.keys()) != offers.count_read(db, channel_id):
            gone = self._entries.keys() - dict(offers.list_shards(db, channel_id)).keys()
        names = {self._forget(key) for key in [*changed, *gone] if key in self._entries}
        for key, shards in changed.items():
            names.add(self._remember(key, shards.get(self._subdir, ("", ""))))
        self._serial = serial
        return names - {""}, set(changed)

    def _remember(self, key: str, entry: tuple[str, str]) -> str:
        self._entries[key] = entry
        for name in _list_called(key, entry[0]):
            self._called.setdefault(name, set()).add(key)
        return entry[0]

    def _forget(self, key: str) -> str:
        name, _ = self._entries.pop(key)
        for one in _list_called(key, name):
            self._called[one].discard(key)
            if not self._called[one]:
                del self._called[one]
        self._forbidden.discard(key)
        return name


def _list_called(key: str, conda_name: str) -> set[str]:
    return {key, conda_name, normalize_name(conda_name)} if conda_name else {key}
