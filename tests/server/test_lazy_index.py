"""The shard index of `/lazy` is patched; what it lists is what an index made anew would list."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.factories.packages import make_sdist, make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import add_upstream
from twofold.convert import CondaOptions
from twofold.server.auth import accounts
from twofold.server.model import View
from twofold.server.proxy import (
    config,
    lazy,
    offer_list,
    offer_rounds,
    offered_wheels,
    upstream_conda,
)
from twofold.server.proxy.lazy.index import LazyIndex, get_index
from twofold.server.proxy.metadata_cache import PYPI
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.registry import administration, lifecycle, queries
from twofold.server.store import offers, upstreams
from twofold.server.store.offers import OfferedProject
from twofold.server.store.upstreams import Pin

NAMES = ("spam", "eggs", "acme-ham")


@pytest.fixture
def front(place: Place) -> Place:
    """`main` in front of an index that is never asked; it offers `NAMES`."""
    add_upstream(place, "http://127.0.0.1:1/simple")
    administration.change_rule(place.registry, "operator", "main", "lazy", "yes")
    for name in NAMES:
        save_offer(place, name, "1.0")
    return place


def save_offer(place: Place, name: str, version: str) -> None:
    """Store what a round would have read of one wheel."""
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    file = RemoteFile(filename, hashlib.sha256(filename.encode()).hexdigest(), "", {})
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    wheel = offered_wheels.make_offered_wheel(file, text, lambda _: CondaOptions())
    shards = {
        subdir: (next(iter(records.values()))["name"], offer_rounds.hash_shard(records))
        for subdir, records in offered_wheels.make_shards([wheel]).items()
    }
    packed = offered_wheels.pack(offered_wheels.OfferedWheels((wheel,)))
    with place.registry.database.write() as db:
        offers.add_offers(db, 1, {name: name}, place.registry.clock())
        row = OfferedProject(name, name, "", packed, shards)
        offers.save_offers(db, 1, [row], place.registry.clock())


def fetch(place: Place, wheel: Path) -> None:
    """Publish a wheel as if it had come from the upstream."""
    name, at = wheel.name.split("-")[0].replace("_", "-"), place.registry.clock()
    pin = Pin(PYPI, "", wheel.name, name, sha256_of(wheel), "")
    with place.registry.database.write() as db:
        upstreams.add_pins(db, 1, [pin], at)
        upstreams.update_pin(db, 1, pin, wanted=True)
    place.publish(wheel, is_fetched=True)


def read_shards(place: Place, is_new: bool = False) -> dict[str, set[str]]:
    """Name -> file names of the shards that the index lists, each read by its hash."""
    view = View(place.owner, "main")
    channel = queries.get_channel(place.registry, place.owner, "main")
    index = LazyIndex(place.registry, "noarch")
    if is_new:
        index.update(view, channel)
    else:
        index = get_index(place.registry, view, channel, "noarch")
    listed = unpack(index.render().body)["shards"]
    return {name: read_shard(place, name, sha256.hex()) for name, sha256 in listed.items()}


def read_shard(place: Place, name: str, sha256: str) -> set[str]:
    body, _ = lazy.get_shard(place.registry, View(place.owner, "main"), "noarch", sha256)
    assert hashlib.sha256(body).hexdigest() == sha256
    return {f"{name}: {filename}" for filename in unpack(body)["packages.conda"]}


def unpack(body: bytes) -> Any:
    return msgpack.unpackb(upstream_conda.decompress(body, 1 << 20), strict_map_key=False)


def reserve(place: Place) -> None:
    owner = accounts.get_user(place.registry, "owner")
    administration.reserve_prefix(place.registry, "operator", "main", "acme", owner)


def keep_private(place: Place) -> None:
    add_upstream(place, "http://127.0.0.1:1/simple", PYPI, "acme")


def upload_sdist(place: Place) -> None:
    place.publish(make_sdist(place.settings.data, "Acme.Ham", "0.1"))


def remove_offer(place: Place) -> None:
    offer_list.remove(place.registry, place.owner, "main", ["acme-ham"])


@pytest.mark.parametrize("change", [reserve, keep_private, upload_sdist, remove_offer])
def test_a_name_that_is_no_longer_offered_leaves_the_index_at_once(
    front: Place, change: Callable[[Place], None]
) -> None:
    assert set(read_shards(front)) == set(NAMES)
    change(front)
    assert set(read_shards(front)) == {"spam", "eggs"}


def test_nothing_is_listed_without_an_upstream(front: Place) -> None:
    assert read_shards(front)
    config.remove(front.registry, "operator", "main", PYPI)
    assert read_shards(front) == {}


def test_after_any_changes_the_index_is_that_which_is_made_anew(
    front: Place, tmp_path: Path
) -> None:
    draw, fetched = random.Random(5), list[tuple[str, str]]()
    for number in range(25):
        name = draw.choice([*NAMES, "new"])
        match draw.randrange(6):
            case 0 | 1:
                save_offer(front, name, f"{number}.0")
            case 2:
                offer_list.remove(front.registry, front.owner, "main", [name])
            case 3 if name == "eggs":  # from then on it is private
                front.publish(make_wheel(tmp_path, name, f"{number}.5"))
            case 3:
                fetch(front, make_wheel(tmp_path, name, f"{number}.0"))
                fetched.append((name, f"{number}.0"))
            case 4 if fetched:
                lifecycle.delete_release(front.registry, front.owner, "main", *fetched.pop())
            case _:
                value = draw.choice(["own", "conda-forge"])
                administration.change_rule(front.registry, "operator", "main", "prefer", value)
        assert read_shards(front) == read_shards(front, is_new=True), number
