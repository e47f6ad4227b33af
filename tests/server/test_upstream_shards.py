"""A channel in front of a conda channel with shards: only what is asked for is fetched."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard

from tests.clients.rattler import list_versions, solve_specs
from tests.factories.packages import make_conda, make_python, make_wheel
from tests.server.conftest import Place, new_place, serve
from tests.servers.stores import S3, PostgreSQL
from tests.servers.upstream import StaticServer, add_upstream, set_old_time
from twofold.index.folder import index_folder
from twofold.server.proxy import config, metadata_cache, upstream_conda
from twofold.server.registry import administration, lifecycle
from twofold.server.settings import Settings
from twofold.server.store import audit, channels, upstreams

LIST = "/main/noarch/repodata_shards.msgpack.zst"


def offer(static: StaticServer, *packages: tuple[str, str]) -> None:
    for name, version in packages:
        path = make_conda(static.folder / "made" / name / version, name, version)
        target = static.folder / "channel" / "noarch" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    index_folder(static.folder / "channel")
    for page in (static.folder / "channel" / "noarch").glob("repodata*"):
        set_old_time(page)


def listed(place: Place) -> dict[str, str]:
    answer = place.get(LIST)
    assert answer.status_code == 200, answer.text
    body = zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
    return {name: sha256.hex() for name, sha256 in msgpack.unpackb(body)["shards"].items()}


def shard(place: Place, sha256: str, code: int = 200) -> Any:
    answer = place.get(f"/main/noarch/shards/{sha256}.msgpack.zst")
    assert answer.status_code == code, answer.text
    if code != 200:
        return answer.json()
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    body = zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
    return msgpack.unpackb(body)


def advance_clock(place: Place, hours: float = 1) -> None:
    ahead = place.registry.clock() + timedelta(hours=hours)
    object.__setattr__(place.registry, "clock", lambda: ahead)


def repack(static: StaticServer, name: str, change: Any) -> None:
    """Change a shard of the upstream, which gets another name by it, and its list."""
    folder = static.folder / "channel" / "noarch"
    path = folder / "repodata_shards.msgpack.zst"
    value = msgpack.unpackb(zstandard.decompress(path.read_bytes()))
    old = folder / "shards" / f"{value['shards'][name].hex()}.msgpack.zst"
    inner = msgpack.unpackb(
        zstandard.ZstdDecompressor().decompressobj().decompress(old.read_bytes())
    )
    change(inner)
    body = zstandard.compress(msgpack.packb(inner))
    digest = hashlib.sha256(body)
    (folder / "shards" / f"{digest.hexdigest()}.msgpack.zst").write_bytes(body)
    value["shards"][name] = digest.digest()
    path.write_bytes(zstandard.compress(msgpack.packb(value)))
    set_old_time(path)


def test_only_the_shards_that_a_client_needs_are_fetched(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    offer(static, ("one", "1.0"), ("one", "2.0"), ("two", "1.0"), ("three", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    assert set(listed(served)) == {"one", "two", "three"}
    assert list_versions(served.channel, "one", tmp_path) == ["1.0", "2.0"]
    requests_made = [path for path in static.requested if "/shards/" in path]
    assert len(requests_made) == 1
    assert not [path for path in static.requested if path.endswith(("repodata.json", ".json.zst"))]
    package = served.get("/main/noarch/one-2.0-py_0.conda")
    made = static.folder / "channel" / "noarch" / "one-2.0-py_0.conda"
    assert package.content == made.read_bytes()
    assert list_versions(served.channel, "one", tmp_path) == ["1.0", "2.0"]
    assert list_versions(served.channel, "two", tmp_path) == ["1.0"]


def test_rattler_solves_over_own_upstream_and_converted_packages(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    behind.publish(make_python(tmp_path / "python"))
    behind.publish(make_conda(tmp_path / "1", "eggs", "2.0"))
    add_upstream(served, behind.channel, "conda")
    served.publish(make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs>=2"))
    records = solve_specs(served.channel, ["spam"], tmp_path)
    assert {record.name.normalized for record in records} == {"spam", "eggs", "python"}
    assert all(record.url.startswith(served.channel) for record in records)


def test_a_name_with_packages_on_both_sides_has_one_shard_of_both(
    served: Place, static: StaticServer
) -> None:
    offer(static, ("one", "1.0"), ("one", "2.0"), ("one", "3.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    theirs = listed(served)["one"]
    for version in ("1.0", "2.0"):  # fetched, so here too
        assert served.get(f"/main/noarch/one-{version}-py_0.conda").status_code == 200
    lifecycle.delete(served.registry, served.owner, "main", "noarch", "one-2.0-py_0.conda")
    ours = listed(served)["one"]
    assert ours != theirs
    assert set(shard(served, ours)["packages.conda"]) == {
        "one-1.0-py_0.conda",
        "one-3.0-py_0.conda",
    }
    whole = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert set(whole) == {"one-1.0-py_0.conda", "one-3.0-py_0.conda"}


@pytest.mark.parametrize("fault", [None, 404, 500, "hangs up"])
def test_a_private_name_is_in_no_list_and_its_shard_is_not_given_out(
    served: Place, static: StaticServer, tmp_path: Path, fault: object
) -> None:
    offer(static, ("mine", "99.0"), ("acme-tools", "99.0"), ("one", "1.0"))
    value = msgpack.unpackb(
        zstandard.ZstdDecompressor()
        .decompressobj()
        .decompress(
            (static.folder / "channel" / "noarch" / "repodata_shards.msgpack.zst").read_bytes()
        )
    )
    hashes = {name: sha256.hex() for name, sha256 in value["shards"].items()}
    served.publish(make_conda(tmp_path, "mine", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda", "acme")
    static.fault = fault
    answer = served.get(LIST)
    if answer.status_code == 200:
        response = listed(served)
        assert "acme-tools" not in response and response.get("mine") != hashes["mine"]
        assert set(shard(served, response["mine"])["packages.conda"]) == {"mine-1.0-py_0.conda"}
    for name in ("mine", "acme-tools"):
        shard(served, hashes[name], 404)
        assert served.get(f"/main/noarch/{name}-99.0-py_0.conda").status_code == 404
    assert not [path for path in static.requested if "/shards/" in path or path.endswith(".conda")]
    static.fault = None
    whole = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert "mine-99.0-py_0.conda" not in whole and "acme-tools-99.0-py_0.conda" not in whole


def test_a_name_that_becomes_private_leaves_the_list_at_once(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    offer(static, ("mine", "99.0"), ("one", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    before = listed(served)
    served.publish(make_conda(tmp_path, "mine", "1.0"))
    assert listed(served)["mine"] != before["mine"]
    shard(served, before["mine"], 404)
    assert list_versions(served.channel, "mine", tmp_path) == ["1.0"]


def test_cached_shards_are_served_while_the_upstream_is_down(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    offer(static, ("one", "1.0"), ("two", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    assert list_versions(served.channel, "one", tmp_path) == ["1.0"]
    assert served.get("/main/noarch/one-1.0-py_0.conda").status_code == 200
    unseen = listed(served)["two"]
    static.fault = 500
    advance_clock(served)
    assert "one" in listed(served)
    fresh = tmp_path / "another client"
    assert list_versions(served.channel, "one", fresh) == ["1.0"]
    assert served.get("/main/noarch/one-1.0-py_0.conda").status_code == 200
    assert shard(served, unseen, 503)["error"]


def test_a_shard_index_is_fetched_again_only_when_it_has_changed(
    served: Place, static: StaticServer
) -> None:
    offer(static, ("one", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    first = served.get(LIST).headers["etag"]
    assert served.get(LIST).headers["etag"] == first
    assert len(static.requested) == 1
    advance_clock(served)
    assert served.get(LIST).headers["etag"] == first
    assert static.statuses == [200, 304]


def test_a_package_is_fetched_for_a_client_that_has_had_its_shard_for_long(
    served: Place, static: StaticServer
) -> None:
    offer(static, ("one", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    assert served.get("/main/noarch/one-1.0-py_0.conda").status_code == 200
    assert served.get("/main/noarch/one-9.0-py_0.conda").status_code == 404
    assert served.get("/main/noarch/absent-1.0-py_0.conda").status_code == 404


def test_what_has_changed_since_it_was_first_seen_is_left_out_of_its_shard(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    offer(static, ("one", "1.0"), ("one", "2.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    shard(served, listed(served)["one"])

    def poison(value: Any) -> None:
        value["packages.conda"]["one-2.0-py_0.conda"]["sha256"] = bytes(32)

    repack(static, "one", poison)
    advance_clock(served)
    assert shard(served, listed(served)["one"], 502)["code"] == "upstream-changed"
    assert set(shard(served, listed(served)["one"])["packages.conda"]) == {"one-1.0-py_0.conda"}
    assert list_versions(served.channel, "one", tmp_path) == ["1.0"]
    with served.registry.database.read() as db:
        (noted,) = audit.list_entries(db, audit.AuditQuery(action="upstream-changed"))
    assert noted.subject == "one-2.0-py_0.conda"


def test_no_package_hides_in_the_shard_of_another_name(served: Place, static: StaticServer) -> None:
    offer(static, ("one", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")

    def smuggle(value: Any) -> None:
        (record,) = value["packages.conda"].values()
        value["packages.conda"]["mine-99.0-py_0.conda"] = {**record, "name": "mine"}
        value["packages.conda"]["mine-98.0-py_0.conda"] = record
        value["packages.conda"]["one-97.0-py_0.conda"] = {**record, "name": "mine"}
        value["packages.conda"]["../one-1-0.conda"] = record
        value["v3"] = {"whl": {"one-9-py3_none_any_0": {"url": "http://elsewhere/x.whl"}}}

    repack(static, "one", smuggle)
    shard(served, listed(served)["one"], 502)
    response = shard(served, listed(served)["one"])
    assert set(response["packages.conda"]) == {"one-1.0-py_0.conda"} and "v3" not in response


DAMAGE = {
    "no zstd": b"not zstd",
    "cut": zstandard.compress(msgpack.packb({"version": 1}) * 50)[:20],
    "a list": zstandard.compress(msgpack.packb([1])),
    "no shards": zstandard.compress(msgpack.packb({"version": 1, "info": {}})),
    "bad hashes": zstandard.compress(
        msgpack.packb({"version": 1, "info": {}, "shards": {"one": b"x", "two": 7, 3: b""}})
    ),
    "nothing": b"",
    "bomb": zstandard.compress(bytes(80 << 20)),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_list_is_no_list_and_no_fault_of_ours(
    served: Place, static: StaticServer, tmp_path: Path, case: str
) -> None:
    offer(static, ("one", "1.0"))
    served.publish(make_conda(tmp_path, "mine", "1.0"))
    (static.folder / "channel" / "noarch" / "repodata_shards.msgpack.zst").write_bytes(DAMAGE[case])
    add_upstream(served, f"{static.url}/channel", "conda")
    assert set(listed(served)) == {"mine"}


def test_a_damaged_shard_is_reported_and_not_cached(served: Place, static: StaticServer) -> None:
    offer(static, ("one", "1.0"))
    add_upstream(served, f"{static.url}/channel", "conda")
    sha256 = listed(served)["one"]
    path = static.folder / "channel" / "noarch" / "shards" / f"{sha256}.msgpack.zst"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert shard(served, sha256, 502)["code"] == "upstream-damaged"
    path.write_bytes(whole)
    shard(served, sha256)


def test_an_upstream_without_shards_is_read_whole_and_one_too_large_is_refused(
    served: Place, static: StaticServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(static, ("one", "1.0"))
    noarch = static.folder / "channel" / "noarch"
    (noarch / "repodata_shards.msgpack.zst").unlink()
    add_upstream(served, f"{static.url}/channel", "conda")
    assert served.get(LIST).status_code == 404
    assert list_versions(served.channel, "one", tmp_path) == ["1.0"]
    assert served.get("/main/noarch/one-1.0-py_0.conda").status_code == 200
    advance_clock(served)
    served.get("/main/noarch/repodata.json")
    assert 304 in static.statuses
    big = json.dumps({"packages": {}, "info": {}, "x": "y" * 1000}).encode()
    (noarch / "repodata.json.zst").write_bytes(zstandard.compress(big))
    monkeypatch.setattr(upstream_conda, "MAX_PAGE_SIZE", 900)
    add_upstream(served, f"{static.url}/channel/", "conda")
    response = served.get("/main/noarch/repodata.json")
    assert (response.status_code, response.json()["code"]) == (404, "upstream-too-large")
    assert "shards" in response.json()["hint"]


def test_the_records_of_ten_thousand_names_are_listed_without_their_shards(
    served: Place, static: StaticServer
) -> None:
    offer(static, ("one", "1.0"))
    path = static.folder / "channel" / "noarch" / "repodata_shards.msgpack.zst"
    value = msgpack.unpackb(zstandard.decompress(path.read_bytes()))
    value["shards"].update(
        {f"name-{n}": hashlib.sha256(str(n).encode()).digest() for n in range(10_000)}
    )
    path.write_bytes(zstandard.compress(msgpack.packb(value)))
    add_upstream(served, f"{static.url}/channel", "conda")
    assert len(listed(served)) == 10_001
    assert len(static.requested) == 1
    with served.registry.database.read() as db:
        channel = channels.find_channel(db, "main")
        assert channel is not None
        upstream = upstreams.find_upstream(db, channel.id, metadata_cache.CONDA)
        assert upstream is not None
        assert list(upstreams.find_pins(db, channel.id, "noarch", ["one-1.0-py_0.conda"])) == []


@pytest.mark.slow
def test_the_same_holds_on_postgresql_with_an_object_store(
    request: pytest.FixtureRequest, static: StaticServer, tmp_path: Path
) -> None:
    postgresql: PostgreSQL = request.getfixturevalue("postgresql")
    s3: S3 = request.getfixturevalue("s3")
    store = Settings(tmp_path / "registry", postgresql.new_database(), s3.new_bucket())
    offer(static, ("one", "1.0"), ("one", "2.0"), ("two_x", "1.0"))
    place = new_place(store)
    with serve(place):
        front = config.UpstreamConfig(f"{static.url}/channel", "conda", ("acme",))
        config.add(place.registry, "operator", "main", front)
        assert {"one", "two_x"} <= set(listed(place))
        assert list_versions(place.channel, "one", tmp_path) == ["1.0", "2.0"]
        assert place.get("/main/noarch/one-1.0-py_0.conda").status_code == 200
        lifecycle.delete(place.registry, place.owner, "main", "noarch", "one-1.0-py_0.conda")
        assert set(shard(place, listed(place)["one"])["packages.conda"]) == {"one-2.0-py_0.conda"}

        def poison(value: Any) -> None:
            value["packages.conda"]["one-2.0-py_0.conda"]["sha256"] = bytes(32)

        repack(static, "one", poison)
        advance_clock(place)
        assert "one" not in listed(place)  # deleted here, and changed there
        administration.change_rule(place.registry, "operator", "main", "v3", "yes")
        place.publish(make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs[fast]"))
        place.publish(make_wheel(tmp_path, "eggs", "1.0"))
        value = place.get("/main/noarch/repodata.json").json()
        assert "spam-1.0-py_0.conda" in value["packages.conda"]
        value = place.get("/main/v3/noarch/repodata.json").json()
        assert set(value["v3"]["whl"]) == {"spam-1.0-py3_none_any_0", "eggs-1.0-py3_none_any_0"}
    place.registry.database.close()
