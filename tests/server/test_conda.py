"""The conda side: twins, repodata, shards, labels, private channels, a real client."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import msgpack
import pytest
import requests
import zstandard

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, convert_wheel
from twofold.formats.conda_writer import CondaWriter
from twofold.server.auth import accounts
from twofold.server.model import StoredFile
from twofold.server.registry import labels, lifecycle, queries
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.store import channels, files
from twofold_build.archive import Entry, to_content


def unpacked(body: bytes) -> dict[str, object]:
    return msgpack.unpackb(zstandard.ZstdDecompressor().decompressobj().decompress(body))  # type: ignore[no-any-return]


def records(
    place: Place, path: str = "/main", subdir: str = "noarch"
) -> dict[str, dict[str, object]]:
    value = place.get(f"{path}/{subdir}/repodata.json").json()
    return {**value["packages"], **value["packages.conda"]}


def test_an_empty_channel_has_a_noarch_subdir(served: Place) -> None:
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    assert served.get("/main/linux-64/repodata.json").status_code == 404
    assert served.get("/nothing/noarch/repodata.json").status_code == 404


def test_a_pure_wheel_is_there_for_conda(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0", "Requires-Python: >=3.9")
    done = served.upload(wheel).json()
    assert done["conda"] == ["noarch/my_package-1.0-py_0.conda"]
    found = records(served)
    record = found["my_package-1.0-py_0.conda"]
    assert record["depends"] == ["python >=3.9"]
    assert isinstance(record["indexed_timestamp"], int)
    body = served.get("/main/noarch/my_package-1.0-py_0.conda").content
    assert hashlib.sha256(body).hexdigest() == record["sha256"]
    assert hashlib.md5(body).hexdigest() == record["md5"]
    assert len(body) == record["size"]


def test_every_page_of_a_subdir_has_the_same_content(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    plain = served.get("/main/noarch/repodata.json")
    packed = served.get("/main/noarch/repodata.json.zst")
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed.content) == plain.content
    index = served.get("/main/noarch/repodata_shards.msgpack.zst")
    shards = unpacked(index.content)["shards"]
    assert isinstance(shards, dict)
    assert list(shards) == ["my_package"]
    sha256 = shards["my_package"].hex()
    shard = served.get(f"/main/noarch/shards/{sha256}.msgpack.zst")
    assert hashlib.sha256(shard.content).hexdigest() == sha256
    assert "immutable" in shard.headers["cache-control"]
    (record,) = unpacked(shard.content)["packages.conda"].values()  # type: ignore[attr-defined]
    (response,) = plain.json()["packages.conda"].values()
    assert record.pop("sha256").hex() == response.pop("sha256")
    assert record.pop("md5").hex() == response.pop("md5")
    assert record == response


def test_the_shard_index_has_one_strong_etag_on_200_and_304(served: Place) -> None:
    url = "/main/noarch/repodata_shards.msgpack.zst"
    first = served.get(url)
    again = served.get(url, if_none_match=first.headers["etag"])
    assert again.status_code == 304
    assert again.headers["etag"] == first.headers["etag"]
    assert not first.headers["etag"].startswith("W/")


def test_the_pages_around_a_channel_are_there(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    data = served.get("/main/channeldata.json").json()
    assert data["packages"]["my_package"]["version"] == "1.0.0"
    assert data["subdirs"] == ["noarch"]
    assert served.get("/main/notices.json").json() == {"notices": []}
    exports = served.get("/main/noarch/run_exports.json").json()
    assert list(exports["packages.conda"]) == ["my_package-1.0.0-py_0.conda"]


def test_a_dependency_gets_the_name_its_package_has_here(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path, "Some_Base")).raise_for_status()
    user = make_wheel(tmp_path, "user", "1.0", "Requires-Dist: some-base>=1")
    served.upload(user).raise_for_status()
    assert "some_base >=1" in records(served)["user-1.0-py_0.conda"]["depends"]  # type: ignore[operator]


def test_the_converted_package_of_a_pre_release_is_labelled_pre(
    served: Place, tmp_path: Path
) -> None:
    served.upload(make_wheel(tmp_path, "my_package", "2.0rc1")).raise_for_status()
    assert records(served) == {}
    assert len(records(served, "/main/label/pre")) == 1
    assert "2.0rc1" in served.get("/main/simple/my-package/").text


def test_a_wheel_that_cannot_be_converted_is_published_with_the_reason(
    served: Place, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "odd", "1.0", tag="py3-none-zos_390")
    done = served.upload(wheel)
    assert done.status_code == 200
    assert done.json()["conda"] == []
    assert "odd" in done.json()["remark"]
    assert "odd-1.0" in served.get("/main/simple/odd/").text


def test_a_conda_package_is_uploaded_as_a_body(served: Place, tmp_path: Path) -> None:
    package = make_conda(tmp_path)
    body = package.read_bytes()
    headers = {
        "x-file-name": package.name,
        "x-file-sha256": hashlib.sha256(body).hexdigest(),
        "authorization": f"Bearer {served.token}",
    }
    for path in ("/main/upload", "/api/v1/upload/main"):
        done = requests.post(f"{served.url}{path}", data=body, headers=headers, timeout=120)
        assert done.status_code == 200, done.text
        assert done.json()["sha256"] == headers["x-file-sha256"]
        assert requests.get(done.json()["url"], timeout=120).content == body
    headers["x-file-sha256"] = "0" * 64
    wrong = requests.post(f"{served.channel}/upload", data=body, headers=headers, timeout=120)
    assert wrong.json()["code"] == "digest-mismatch"


def stored(place: Place, name: str) -> StoredFile:
    """The record of a wheel, deleted or not."""
    with place.registry.database.read() as db:
        (channel,) = [c for c in channels.list_channels(db) if c.name == "main"]
        found = files.find_file(db, channel.id, "", name)
    assert found is not None
    return found


def send(place: Place, package: Path) -> requests.Response:
    headers = {"x-file-name": package.name, "authorization": f"Bearer {place.token}"}
    return requests.post(
        f"{place.channel}/upload", data=package.read_bytes(), headers=headers, timeout=120
    )


def test_the_authors_package_of_the_same_content_is_the_converted_package(
    served: Place, tmp_path: Path
) -> None:
    served.upload(make_wheel(tmp_path, "my_package")).raise_for_status()
    (before,) = records(served).values()
    wheel = make_wheel(tmp_path / "w", "my_package")
    package = convert_wheel(wheel, tmp_path / "c", CondaOptions(timestamp=1_700_000_000_000)).path
    done = send(served, package)
    assert (done.status_code, done.json()["new"]) == (200, False)
    assert list(records(served).values()) == [before]


def test_the_authors_own_package_replaces_the_converted_one_once(
    served: Place, tmp_path: Path
) -> None:
    served.upload(make_wheel(tmp_path, "my_package")).raise_for_status()
    address = "/main/noarch/my_package-1.0.0-py_0.conda"
    assert "no-cache" in served.get(address).headers["cache-control"]
    own = convert_wheel(make_wheel(tmp_path / "w", "my_package", code="own = 1\n"), tmp_path / "c")
    done = send(served, own.path)
    assert (done.status_code, done.json()["new"]) == (200, True)
    (record,) = records(served).values()
    assert record["sha256"] == own.sha256
    assert served.get(address).content == own.path.read_bytes()
    assert "immutable" in served.get(address).headers["cache-control"]
    third = convert_wheel(make_wheel(tmp_path / "t", "my_package", code="x = 1\n"), tmp_path / "d")
    refused = send(served, third.path)
    assert (refused.status_code, refused.json()["code"]) == (400, "file-exists")
    assert "build number" in refused.json()["hint"]
    assert send(served, own.path).json()["new"] is False


@pytest.mark.parametrize("first", ["wheel", "package"])
def test_the_authors_package_keeps_the_name_whichever_came_first(
    first: str, served: Place, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package")
    own = convert_wheel(make_wheel(tmp_path / "w", "my_package", code="own = 1\n"), tmp_path / "c")
    if first == "wheel":
        served.upload(wheel).raise_for_status()
    send(served, own.path).raise_for_status()
    if first == "package":
        served.upload(wheel).raise_for_status()
    assert [record["sha256"] for record in records(served).values()] == [own.sha256]
    lifecycle.delete(served.registry, served.owner, "main", "", wheel.name)
    again = wheel if wheel.exists() else make_wheel(tmp_path, "my_package")
    assert [record["sha256"] for record in records(served).values()] == [own.sha256]
    deleted = stored(served, wheel.name)
    lifecycle.restore_deleted(served.registry, served.owner, "main", deleted, again)
    assert [record["sha256"] for record in records(served).values()] == [own.sha256]


def test_a_replaced_package_keeps_labels_and_yank_and_needs_an_unlocked_label(
    served: Place, tmp_path: Path
) -> None:
    registry, owner = served.registry, served.owner
    served.upload(make_wheel(tmp_path, "my_package", "1.0rc1")).raise_for_status()
    source = make_wheel(tmp_path / "w", "my_package", "1.0rc1", code="own = 1\n")
    own = convert_wheel(source, tmp_path / "c")
    labels.lock_label(registry, owner, "main", "pre")
    assert send(served, own.path).json()["code"] == "label-locked"
    labels.lock_label(registry, owner, "main", "pre", locked=False)
    lifecycle.yank(registry, owner, "main", "my_package", "1.0rc1", "broken")
    send(served, own.path).raise_for_status()
    (project,) = queries.list_projects(registry, owner, "main")
    shown = [f for f in queries.list_files(registry, project) if f.kind.is_conda]
    assert [(f.sha256, f.labels, f.yanked) for f in shown] == [(own.sha256, {"pre"}, "broken")]


@pytest.mark.parametrize("is_in_source", [True, False])
def test_promotion_prefers_the_authors_package_to_a_converted_one(
    is_in_source: bool, served: Place, tmp_path: Path
) -> None:
    registry, owner = served.registry, served.owner
    assert owner.user is not None
    accounts.add_channel(registry, "owner", "stable", owner.user)
    wheel = make_wheel(tmp_path, "my_package")
    own = convert_wheel(make_wheel(tmp_path / "w", "my_package", code="own = 1\n"), tmp_path / "c")
    served.publish(wheel)
    if is_in_source:
        served.publish(wheel, "stable")
        served.publish(own.path)
    else:
        served.publish(own.path, "stable")
    labels.promote(
        registry, owner, Promotion("main", "stable", Selection("my_package"), existing="add")
    )
    assert [record["sha256"] for record in records(served, "/stable").values()] == [own.sha256]


def test_labels_show_their_files_alone(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path, "one")).raise_for_status()
    served.upload(make_wheel(tmp_path, "two")).raise_for_status()
    registry, owner = served.registry, served.owner
    labels.add_label(registry, owner, "main", "test", Selection("one"))
    assert set(records(served, "/main/label/test")) == {"one-1.0.0-py_0.conda"}
    assert "one-1.0.0" in served.get("/main/label/test/simple/one/").text
    assert served.get("/main/label/test/simple/two/").status_code == 404
    labels.unlabel(registry, owner, "main", "main", Selection("one"))
    assert set(records(served)) == {"two-1.0.0-py_0.conda"}
    assert "one-1.0.0" not in served.get("/main/simple/one/").text
    labels.remove_label(registry, owner, "main", "test")
    assert served.get("/main/label/test/noarch/repodata.json").status_code == 404


def test_promotion_carries_files_to_another_channel(served: Place, tmp_path: Path) -> None:
    registry, owner = served.registry, served.owner
    assert owner.user is not None
    accounts.add_channel(registry, "owner", "stable", owner.user)
    served.upload(make_wheel(tmp_path)).raise_for_status()
    promotion = Promotion("main", "stable", Selection("my_package"))
    assert len(labels.promote(registry, owner, promotion)) == 2
    assert records(served, "/stable").keys() == records(served).keys()
    assert "my_package-1.0.0" in served.get("/stable/simple/my-package/").text
    name = "my_package-1.0.0-py_0.conda"
    here, there = (served.get(f"/{c}/noarch/{name}").content for c in ("main", "stable"))
    assert here == there


def test_a_private_channel_shows_nothing_without_a_token(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_wheel(tmp_path), "secret")
    for path in ("/secret/noarch/repodata.json", "/secret/simple/", "/secret/simple/my-package/"):
        assert served.get(path).status_code == 401
        assert served.get(path).headers["www-authenticate"].startswith("Basic")
        assert served.get(path, served.token).status_code == 200
        assert "private" in served.get(path, served.token).headers["cache-control"]
        assert served.get(f"/t/{served.token}{path}").status_code == 200
        assert served.get(path, authorization=f"Bearer {served.token}").status_code == 200
        assert served.get(f"/t/twofold-wrong{path}").status_code == 401


@pytest.mark.parametrize("address", ["{url}/main", "{url}/t/{token}/secret"])
def test_rattler_solves_from_the_channel(served: Place, tmp_path: Path, address: str) -> None:
    from rattler import Gateway, SourceConfig

    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    for channel in ("main", "secret"):
        served.publish(make_wheel(tmp_path, "my_package", "1.0"), channel)
    source = address.format(url=served.url, token=served.token)

    async def versions() -> list[str]:
        config = SourceConfig(cache_action="cache-or-fetch")
        gateway = Gateway(cache_dir=tmp_path / "cache", default_config=config)
        found = await gateway.query([source], ["noarch"], ["my_package"])
        return [str(record.version) for records in found for record in records]

    assert asyncio.run(versions()) == ["1.0"]
    for channel in ("main", "secret"):
        served.publish(make_wheel(tmp_path, "my_package", "1.1"), channel)
    assert sorted(asyncio.run(versions())) == ["1.0", "1.1"]


def test_records_are_json_with_sorted_keys(served: Place, tmp_path: Path) -> None:
    done = served.publish(make_conda(tmp_path))
    assert done.file.record is not None
    assert list(json.loads(done.file.record)) == sorted(json.loads(done.file.record))


def test_run_exports_of_a_package_are_listed(served: Place, tmp_path: Path) -> None:
    package = CondaPackage(
        "lib", "1.0", info_files={"run_exports.json": b'{"weak": ["lib >=1.0,<2"]}'}
    )
    path = tmp_path / f"{package.stem}.conda"
    writer = CondaWriter(path, package)
    writer.add(Entry("site-packages/lib.py"), to_content(b"x = 1\n"))
    writer.close()
    assert send(served, path).status_code == 200
    response = served.get("/main/noarch/run_exports.json").json()["packages.conda"]
    assert response == {path.name: {"run_exports": {"weak": ["lib >=1.0,<2"]}}}
