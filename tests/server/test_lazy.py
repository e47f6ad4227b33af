"""What nobody fetched, listed for conda by metadata alone: `/lazy` and `/v3`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.clients.rattler import install_specs, list_versions, solve_specs
from tests.factories.packages import make_conda, make_python, make_sdist, make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import advance_clock, files_of
from twofold.server.proxy import config, offer_list, offer_rounds
from twofold.server.proxy.offered_wheels import choose_wheels
from twofold.server.proxy.policy import Policy
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.registry import administration, deferred_conversion, queries
from twofold.server.store import offers


def rule(place: Place, name: str, value: str) -> None:
    administration.change_rule(place.registry, "operator", "main", name, value)


def offer(place: Place, *requirements: str) -> offer_rounds.RoundResult:
    offer_list.add(place.registry, place.owner, "main", requirements)
    channel = queries.get_channel(place.registry, place.owner, "main")
    return offer_rounds.run_round(place.registry, channel)


def fetched(place: Place) -> list[str]:
    value = place.get("/main/noarch/repodata.json").json()["packages.conda"]
    return sorted(name for name in value if not name.startswith("python-"))


@pytest.fixture
def front(served: Place, static: StaticServer, tmp_path: Path) -> Place:
    """`main` in front of an index with spam -> eggs, ham[fast] -> speed, a binary and an sdist."""
    optional = "Provides-Extra: fast", "Requires-Dist: speed; extra == 'fast'"
    static.publish(
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs>=1"),
        make_wheel(tmp_path, "spam", "2.0", "Requires-Dist: eggs>=2"),
        make_wheel(tmp_path, "eggs", "2.0"),
        make_wheel(tmp_path, "ham", "1.0", *optional),
        make_wheel(tmp_path, "speed", "1.0"),
        make_sdist(tmp_path, "source", "1.0"),
        with_metadata=True,
    )
    add_upstream(served, f"{static.url}/simple", "pypi", "acme")
    served.publish(make_python(tmp_path / "python"))
    rule(served, "lazy", "yes")
    return served


def test_rattler_solves_by_metadata_and_the_wheel_is_fetched_with_the_first_download(
    front: Place, static: StaticServer, tmp_path: Path
) -> None:
    assert offer(front, "spam").missing == {}
    static.requested.clear()
    lazy = f"{front.channel}/lazy"
    assert len(solve_specs(lazy, ["spam"], tmp_path / "solve")) == 3
    assert static.requested == [] and fetched(front) == []
    prefix = install_specs(lazy, ["spam"], tmp_path / "install")
    assert list(prefix.rglob("spam/__init__.py")) and list(prefix.rglob("eggs/__init__.py"))
    assert sorted(path for path in static.requested if path.startswith("/files")) == [
        "/files/eggs-2.0-py3-none-any.whl",
        "/files/spam-2.0-py3-none-any.whl",
    ]
    assert fetched(front) == ["eggs-2.0-py_0.conda", "spam-2.0-py_0.conda"]
    assert list_versions(lazy, "spam", tmp_path / "after") == ["1.0", "2.0"]


def test_a_package_has_the_record_that_was_listed_before_it_was_made(front: Place) -> None:
    offer(front, "spam", "ham[fast]")
    listed = front.get("/main/lazy/noarch/repodata.json").json()["packages.conda"]
    for name in ("spam-1.0-py_0.conda", "spam-2.0-py_0.conda", "ham-1.0-py_0.conda"):
        assert not {"size", "sha256", "md5"} & set(listed[name])
        assert front.get(f"/main/lazy/noarch/{name}").status_code == 200
        made = front.get("/main/noarch/repodata.json").json()["packages.conda"][name]
        for key in ("depends", "constrains", "build", "build_number", "noarch", "version"):
            assert listed[name].get(key) == made.get(key), (name, key)


def test_extras_and_versions_decide_what_is_offered(front: Place) -> None:
    offer(front, "ham[fast]", "spam<2")
    listed = front.get("/main/lazy/noarch/repodata.json").json()["packages.conda"]
    stems = {name.rsplit("-", 1)[0] for name in listed}
    assert {"ham-1.0", "speed-1.0", "spam-1.0", "eggs-2.0"} <= stems and "spam-2.0" not in stems


def test_another_requirement_or_rule_counts_though_no_page_has_changed(
    front: Place, static: StaticServer
) -> None:
    def list_releases() -> set[str]:
        listed = front.get("/main/lazy/noarch/repodata.json").json()["packages.conda"]
        return {name for name in listed if name.startswith("spam-")}

    offer(front, "spam")
    assert list_releases() == {"spam-1.0-py_0.conda", "spam-2.0-py_0.conda"}
    rule(front, "offered-releases", "1")
    offer(front, "spam")
    assert list_releases() == {"spam-2.0-py_0.conda"}
    offer(front, "spam<2")
    assert list_releases() == {"spam-1.0-py_0.conda"}
    static.statuses.clear()
    advance_clock(front, 25)
    offer(front, "spam<2")
    assert static.statuses.count(304) == len(static.statuses) > 0


def test_what_cannot_be_offered_is_explained(front: Place) -> None:
    missing = offer(front, "source", "absent", "acme-tools").missing
    assert "sdists" in missing["source"]
    assert "no upstream has it" in missing["absent"]
    assert "private" in missing["acme-tools"]
    notices = front.get("/main/lazy/notices.json").json()["notices"]
    assert {"absent", "source"} <= {notice["message"].split(" ")[0] for notice in notices}


@pytest.mark.parametrize("agent", ["conda/26.7.1 requests/2.32", "mamba/2.3.0", "libmamba/2.3"])
def test_clients_that_need_a_size_are_refused_with_another_address(
    front: Place, agent: str
) -> None:
    got = front.get("/main/lazy/noarch/repodata.json", User_Agent=agent)
    assert got.status_code == 403 and "/main/with/NAMES" in got.text


def test_the_address_exists_only_where_the_rule_allows_it(served: Place) -> None:
    for page in ("repodata.json", "repodata_shards.msgpack.zst", "spam-1.0-py_0.conda"):
        assert served.get(f"/main/lazy/noarch/{page}").status_code == 404


@pytest.mark.parametrize("name", ["acme", "ACME_tools", "Mine", "my.Own_1"])
def test_a_private_name_is_never_requested_by_a_round_or_a_download(
    served: Place, static: StaticServer, tmp_path: Path, name: str
) -> None:
    add_upstream(served, f"{static.url}/simple", "pypi", "acme")
    served.publish(make_wheel(tmp_path, "mine", "1.0"))
    served.publish(make_wheel(tmp_path, "my_own_1", "1.0"))
    rule(served, "lazy", "yes")
    rule(served, "v3", "yes")
    offer(served, name)
    for address in ("lazy", "v3"):
        assert served.get(f"/main/{address}/noarch/repodata.json").status_code == 200
    assert served.get(f"/main/lazy/noarch/{name.lower()}-9.0-py_0.conda").status_code == 404
    assert static.requested == []


def test_a_name_that_became_private_leaves_the_list(front: Place, tmp_path: Path) -> None:
    offer(front, "spam")
    front.publish(make_wheel(tmp_path / "own", "eggs", "0.1"))
    listed = front.get("/main/lazy/noarch/repodata.json").json()["packages.conda"]
    assert "eggs-2.0-py_0.conda" not in listed and "eggs-0.1-py_0.conda" in listed
    assert list_versions(f"{front.channel}/lazy", "eggs", tmp_path) == ["0.1"]
    assert front.get("/main/lazy/noarch/eggs-2.0-py_0.conda").status_code == 404


def test_every_name_asked_for_by_pip_is_offered(
    front: Place,
) -> None:
    files_of(front, "spam")
    channel = queries.get_channel(front.registry, front.owner, "main")
    with front.registry.database.read() as db:
        assert "spam" in offers.list_keys(db, channel.id)


def test_a_round_revalidates_and_notices_a_new_release(
    front: Place, static: StaticServer, tmp_path: Path
) -> None:
    offer(front, "spam")
    channel = queries.get_channel(front.registry, front.owner, "main")
    static.statuses.clear()
    assert offer_rounds.run_round(front.registry, channel).read == 0  # nothing is due
    advance_clock(front, 25)
    assert offer_rounds.run_round(front.registry, channel).changed == 0
    assert static.statuses == [304, 304]
    static.publish(make_wheel(tmp_path / "3", "spam", "3.0"), with_metadata=True)
    advance_clock(front, 50)
    assert offer_rounds.run_round(front.registry, channel).changed == 1
    assert list_versions(f"{front.channel}/lazy", "spam", tmp_path) == ["1.0", "2.0", "3.0"]


def test_v3_records_of_wheels_that_nobody_fetched_lead_to_the_wheel(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        behind.publish(make_wheel(tmp_path, "spam", version, "Requires-Dist: eggs; extra=='x'"))
    add_upstream(served, f"{behind.channel}/simple/")
    rule(served, "v3", "yes")
    rule(served, "offered-releases", "1")
    offer(served, "spam")
    wheels = served.get("/main/v3/noarch/repodata.json").json()["v3"]["whl"]
    (record,) = wheels.values()
    assert record["version"] == "2.0" and record["extra_depends"] == {}
    assert fetched(served) == []
    got = served.get(f"/main/{record['url'].removeprefix('../../')}")
    assert got.status_code == 200 and len(got.content) == record["size"]


@pytest.mark.parametrize(("value", "versions"), [("conda-forge", ["0.5"]), ("own", ["1.0", "2.0"])])
def test_a_rule_decides_whose_packages_are_listed_of_a_name_that_both_have(
    front: Place, behind: Place, tmp_path: Path, value: str, versions: list[str]
) -> None:
    behind.publish(make_conda(tmp_path / "forge", "spam", "0.5"))
    add_upstream(front, behind.channel, "conda")
    rule(front, "prefer", value)
    offer(front, "spam")
    assert list_versions(f"{front.channel}/lazy", "spam", tmp_path) == versions
    assert list_versions(f"{front.channel}/lazy", "eggs", tmp_path / "2") == ["2.0"]


def test_the_command_offers_by_metadata_and_takes_off_the_list(
    front: Place, twofold: Callable[..., Any]
) -> None:
    data = ("--data", front.settings.data, "--json")
    ran = twofold("admin", "offer", "main", "spam", "source", "--by-metadata", *data)
    assert ran.code == 1 and "sdists" in ran.err and ran.json["read"] == 3
    ran = twofold("admin", "offer", "main", "spam", "source", "eggs", "--remove", *data)
    assert ran.code == 0 and ran.json["removed"] == 3
    assert front.get("/main/lazy/noarch/repodata.json").json()["packages.conda"].keys() == {
        "python-3.12.1-0.conda"
    }


def test_metadata_are_read_by_parts_of_the_wheel_where_the_index_has_none(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.serves_parts = True
    static.publish(make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs"))
    static.publish(make_wheel(tmp_path, "eggs", "1.0"))
    add_upstream(served, f"{static.url}/simple")
    rule(served, "lazy", "yes")
    assert offer(served, "spam").missing == {}
    assert set(static.statuses) == {200, 206}
    packages = served.get("/main/lazy/noarch/repodata.json").json()["packages.conda"]
    assert set(packages) == {"spam-1.0-py_0.conda", "eggs-1.0-py_0.conda"}


def test_a_wheel_without_metadata_and_parts_is_explained(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"))
    add_upstream(served, f"{static.url}/simple")
    assert "no METADATA" in offer(served, "spam").missing["spam"]


def test_a_package_of_a_large_wheel_is_sent_once_it_was_converted(
    front: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred_conversion, "LARGE_WHEEL", 1)
    offer(front, "spam")
    assert front.get("/main/lazy/noarch/spam-2.0-py_0.conda").status_code == 200
    value = front.get("/main/with/ham/noarch/repodata.json").json()
    assert "ham-1.0-py_0.conda" in value["packages.conda"]


def test_a_policy_holds_for_what_is_offered_by_metadata(front: Place) -> None:
    offer(front, "spam")
    config.set_policy(front.registry, "operator", "main", Policy(deny=("spam==2.0",)))
    assert front.get("/main/lazy/noarch/spam-2.0-py_0.conda").status_code == 403
    assert front.get("/main/lazy/noarch/spam-1.0-py_0.conda").status_code == 200
    advance_clock(front, 25)
    offer(front, "spam")
    assert "spam-2.0-py_0.conda" not in front.get("/main/lazy/noarch/repodata.json").text


def make_remote(filename: str, requires: str = "") -> RemoteFile:
    return RemoteFile(filename, "0" * 64, "", {"requires-python": requires} if requires else {})


@pytest.mark.parametrize(
    ("older", "listed"),
    [
        (make_remote("x-2.0-cp311-cp311-manylinux_2_28_x86_64.whl"), True),
        (make_remote("x-2.0-cp39-abi3-win_amd64.whl"), True),
        (make_remote("x-2.0-py2.py3-none-any.whl"), True),
        (make_remote("x-2.0-py3-none-any.whl", ">=3.9"), True),
        (make_remote("x-2.0-py3-none-any.whl", "<3.11"), False),
        (make_remote("x-2.0-py3-none-any.whl", "~=3.11.3"), True),
        (make_remote("x-2.0-cp310-cp310-win_amd64.whl"), False),
        (make_remote("x-2.0-cp312-abi3-win_amd64.whl"), False),
        (make_remote("x-2.0-py2-none-any.whl"), False),
        (make_remote("x-2.0rc1-cp311-cp311-win_amd64.whl"), False),
    ],
)
def test_a_python_that_the_newest_releases_left_keeps_the_newest_one_for_it(
    older: RemoteFile, listed: bool
) -> None:
    newer = [make_remote(f"x-{n}.0-cp312-abi3-win_amd64.whl", ">=3.12") for n in (4, 3)]
    files = [*newer, older, make_remote("x-1.0-cp38-cp38-win_amd64.whl")]
    chosen, _ = choose_wheels(files, {}, Requirement("x"), 2)
    assert chosen == [*newer, *([older] if listed else [])]


@pytest.mark.parametrize("before", [[], ["mused"]])
def test_an_older_release_is_offered_where_an_offered_project_requires_it(
    front: Place, static: StaticServer, tmp_path: Path, before: list[str]
) -> None:
    """Whichever of the two is read first, and in later rounds; what is nowhere ends no round."""
    rule(front, "offered-releases", "1")
    static.publish(
        *(make_wheel(tmp_path, "mused", f"{number}.0") for number in (1, 2, 3, 4)),
        make_wheel(tmp_path, "user", "1.0", "Requires-Dist: mused>=1,<3"),
        make_wheel(tmp_path, "other", "1.0", "Requires-Dist: eggs<1", "Requires-Dist: mused~=4.0"),
        with_metadata=True,
    )
    assert offer(front, *before).read == len(before)
    assert offer(front, "user", "other").missing == {}
    lazy = f"{front.channel}/lazy"
    assert len(solve_specs(lazy, ["user"], tmp_path / "solve")) == 3
    advance_clock(front, 50)
    assert offer(front).changed == 0
    assert list_versions(lazy, "mused", tmp_path / "listed") == ["2.0", "4.0"]
