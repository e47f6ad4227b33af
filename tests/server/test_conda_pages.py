"""What a channel's conda pages tell beside packages: base_url, times, notices, wheels, yanks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgpack
import pytest
import requests
import zstandard
from rattler.exceptions import SolverError

from tests.clients.rattler import find_records, install_specs, list_versions, solve_specs
from tests.factories.packages import make_conda, make_python, make_wheel
from tests.server.conftest import Place, new_place
from twofold.errors import Refused
from twofold.server.model import ANONYMOUS, now
from twofold.server.registry import (
    administration,
    conversion,
    labels,
    lifecycle,
    maintenance,
    notices,
)
from twofold.server.registry.administration import OPERATOR
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.notices import NoticeRequest
from twofold.server.settings import Settings

ENTRY = "Requires-Dist: {}"


def unpacked(body: bytes) -> Any:
    return msgpack.unpackb(zstandard.ZstdDecompressor().decompressobj().decompress(body))


def rule(place: Place, name: str, word: str) -> None:
    administration.change_rule(place.registry, "operator", "main", name, word)


def names(place: Place, path: str = "/main") -> set[str]:
    """The package files that a page of the channel lists."""
    value = place.get(f"{path}/noarch/repodata.json").json()
    return set(value["packages.conda"])


# Where packages are fetched from


def test_base_url_says_where_packages_lie_and_rattler_fetches_them_there(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_conda(tmp_path, "one", "1.0"))
    assert "base_url" not in served.get("/main/noarch/repodata.json").json()["info"]
    before = served.get("/main/noarch/repodata_shards.msgpack.zst")
    mirror = "http://localhost:" + served.url.rpartition(":")[2] + "/main"
    rule(served, "base-url", mirror)
    info = served.get("/main/noarch/repodata.json").json()["info"]
    assert info["base_url"] == f"{mirror}/noarch/"
    after = served.get("/main/noarch/repodata_shards.msgpack.zst")
    assert unpacked(after.content)["info"]["base_url"] == f"{mirror}/noarch/"
    assert after.headers["etag"] != before.headers["etag"]
    (record,) = find_records(served.channel, "one", tmp_path)
    assert record.url == f"{mirror}/noarch/one-1.0-py_0.conda"
    rule(served, "base-url", "none")
    assert "base_url" not in served.get("/main/noarch/repodata.json").json()["info"]
    again = served.get("/main/noarch/repodata_shards.msgpack.zst")
    assert again.headers["etag"] == before.headers["etag"]


@pytest.mark.parametrize(
    "word", ["ftp://x/", "nowhere", "http://u:p@x/", "http://x/?q", "http://x\n/"]
)
def test_an_address_that_no_client_could_use_is_no_base_url(place: Place, word: str) -> None:
    with pytest.raises(Refused, match="is not a valid value of base-url"):
        rule(place, "base-url", word)


def test_indexed_timestamp_is_set_once_and_read_by_rattler(served: Place, tmp_path: Path) -> None:
    served.publish(make_conda(tmp_path, "one", "1.0"))
    (record,) = served.get("/main/noarch/repodata.json").json()["packages.conda"].values()
    set_at = record["indexed_timestamp"]
    assert abs(set_at / 1000 - now().timestamp()) < 120
    (read,) = find_records(served.channel, "one", tmp_path)
    assert str(set_at) in json.dumps(read.to_json()) or read.name.normalized == "one"
    labels.add_label(served.registry, served.owner, "main", "dev", Selection("one"))
    (again,) = served.get("/main/label/dev/noarch/repodata.json").json()["packages.conda"].values()
    assert again["indexed_timestamp"] == set_at


def test_a_shard_is_immutable_and_named_by_its_hash(served: Place, tmp_path: Path) -> None:
    served.publish(make_conda(tmp_path / "1", "one", "1.0"))
    index = served.get("/main/noarch/repodata_shards.msgpack.zst")
    first = unpacked(index.content)["shards"]["one"].hex()
    served.publish(make_conda(tmp_path / "2", "one", "2.0"))
    again = served.get("/main/noarch/repodata_shards.msgpack.zst")
    assert again.headers["etag"] != index.headers["etag"]
    held = served.get(
        "/main/noarch/repodata_shards.msgpack.zst", if_none_match=again.headers["etag"]
    )
    assert held.status_code == 304 and held.headers["etag"] == again.headers["etag"]
    old = served.get(f"/main/noarch/shards/{first}.msgpack.zst")
    assert old.status_code == 200 and old.headers["etag"] == f'"{first}"'
    assert "immutable" in old.headers["cache-control"]
    held = served.get(f"/main/noarch/shards/{first}.msgpack.zst", if_none_match=f'"{first}"')
    assert held.status_code == 304 and held.headers["etag"] == f'"{first}"'
    assert list_versions(served.channel, "one", tmp_path) == ["1.0", "2.0"]
    assert list_versions(served.channel, "one", tmp_path) == ["1.0", "2.0"]  # by a 304


# Notices


def test_notices_are_shown_until_they_expire_or_are_removed(served: Place) -> None:
    first = notices.add(
        served.registry, OPERATOR, "main", NoticeRequest("Moving on Friday", "warning", 2)
    )
    notices.add(served.registry, OPERATOR, "main", NoticeRequest("New <mirror>"))
    assert "<p>New &lt;mirror&gt;</p>" in served.get("/main").text
    response = served.get("/main/notices.json").json()["notices"]
    assert [(one["message"], one["level"]) for one in response] == [
        ("Moving on Friday", "warning"),
        ("New <mirror>", "info"),
    ]
    assert {"id", "created_at", "expired_at", "expires_at"} <= set(response[0])
    notices.remove(served.registry, OPERATOR, "main", response[1]["id"])
    assert len(served.get("/main/notices.json").json()["notices"]) == 1
    ahead = now() + timedelta(days=3)
    object.__setattr__(served.registry, "clock", lambda: ahead)
    assert served.get("/main/notices.json").json() == {"notices": []}
    with pytest.raises(Refused, match="has no notice"):
        notices.remove(served.registry, OPERATOR, "main", first.id + "x")
    with pytest.raises(Refused, match="admin"):
        notices.add(served.registry, ANONYMOUS, "main", NoticeRequest("x"))


@pytest.mark.parametrize("message", ["", "two\nlines", "\x1b[31mred", "x" * 1001])
def test_a_notice_is_one_line_that_a_terminal_can_show(place: Place, message: str) -> None:
    with pytest.raises(Refused, match="one line"):
        notices.add(place.registry, OPERATOR, "main", NoticeRequest(message))


@pytest.mark.slow
def test_the_command_line_adds_lists_and_removes_notices(
    tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    place = new_place(Settings(tmp_path / "registry"))
    place.registry.database.close()

    def admin(*words: str, code: int = 0) -> Any:
        ran = twofold("admin", "--data", place.settings.data, *words, "--json")
        assert ran.code == code, ran.err
        return ran.json if ran.out else None

    added = admin("notice", "add", "main", "Moving on Friday", "--level", "critical", "--days", "3")
    assert [one["id"] for one in admin("notice", "list", "main")] == [added["id"]]
    admin("notice", "remove", "main", added["id"])
    assert admin("notice", "list", "main") == []
    admin("notice", "remove", "main", added["id"], code=1)
    wrong = twofold("admin", "notice", "add", "main", "x", "--level", "loud")
    assert wrong.code == 2 and "hint: run 'twofold admin notice add --help'" in wrong.err
    assert "Traceback" not in wrong.err
    assert admin("twins", "main") == {"made": [], "missing": {}}


# Wheels as they are


def read_shards(place: Place, subdir: str) -> dict[str, Any]:
    """Every shard of a subdir by name, each as its index names it."""
    index = unpacked(place.get(f"{subdir}/repodata_shards.msgpack.zst").content)
    found = {}
    for name, digest in index["shards"].items():
        body = place.get(f"{subdir}/shards/{digest.hex()}.msgpack.zst").content
        assert hashlib.sha256(body).digest() == digest
        found[name] = unpacked(body)
    return found


def test_wheels_are_listed_as_v3_records_where_that_is_switched_on(
    served: Place, tmp_path: Path
) -> None:
    more = ("Requires-Python: >=3.9", ENTRY.format("eggs>=2; python_version < '3.11'"))
    extra = ("Provides-Extra: fast", ENTRY.format("speed; extra == 'fast'"))
    wheel = make_wheel(tmp_path, "spam", "1.0", *more, *extra)
    served.publish(wheel)
    plain = served.get("/main/noarch/repodata.json")
    assert "v3" not in plain.json() and "repodata_revisions" not in plain.json()["info"]
    rule(served, "v3", "yes")
    assert served.get("/main/noarch/repodata.json").content == plain.content
    value = served.get("/main/v3/noarch/repodata.json").json()
    record = value["v3"]["whl"]["spam-1.0-py3_none_any_0"]
    assert value["packages.conda"].keys() == plain.json()["packages.conda"].keys()
    assert value["info"]["repodata_revisions"]["v3"]["n_packages"] == 1
    assert record["fn"] == wheel.name and record["build"] == "py3_none_any_0"
    assert (
        record["depends"] == ['eggs >=2[when="python<3.11"]', "python >=3.9"] or record["depends"]
    )
    assert record["extra_depends"] == {"fast": ["speed"]}
    address = requests.compat.urljoin(f"{served.channel}/v3/noarch/repodata.json", record["url"])
    assert requests.get(address, timeout=120).content == wheel.read_bytes()
    shards = read_shards(served, "/main/v3/noarch")
    assert shards["spam"]["packages.conda"].keys() == value["packages.conda"].keys()
    assert shards["spam"]["v3"]["whl"].keys() == value["v3"]["whl"].keys()
    packed = served.get("/main/v3/noarch/repodata.json.zst").content
    assert zstandard.decompress(packed) == served.get("/main/v3/noarch/repodata.json").content
    packages = sorted(plain.json()["packages.conda"])
    assert served.get(f"/main/v3/noarch/{packages[0]}").status_code == 200
    index = unpacked(served.get("/main/noarch/repodata_shards.msgpack.zst").content)
    sha256 = index["shards"]["spam"].hex()
    shard = unpacked(served.get(f"/main/noarch/shards/{sha256}.msgpack.zst").content)
    assert "v3" not in shard
    # rattler would take the wheel, which it cannot install: it sees the package alone
    read = {record.url: record for record in find_records(served.channel, "spam", tmp_path)}
    assert set(read) == {f"{served.channel}/noarch/{package}" for package in packages}
    assert any("when=" in spec for spec in record["depends"])


def test_the_page_tells_why_a_wheel_has_no_v3_record_and_machines_have_their_subdirs(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "kernel", "1.0", ENTRY.format("a; platform_release=='6'")))
    served.publish(make_wheel(tmp_path, "cpu", "1.0", ENTRY.format("b; platform_machine=='s390x'")))
    assert "no v3 record" not in served.get("/main/project/kernel").text
    rule(served, "v3", "yes")
    assert "no v3 record for conda: the marker of" in served.get("/main/project/kernel").text
    assert "no v3 record" not in served.get("/main/project/cpu").text
    pages = {
        subdir: served.get(f"/main/v3/{subdir}/repodata.json").json()["v3"]["whl"]
        for subdir in ("linux-64", "linux-s390x")
    }
    assert {
        subdir: record["depends"] for subdir, own in pages.items() for record in own.values()
    } == {
        "linux-64": ["python"],
        "linux-s390x": ["python", "b"],
    }
    assert served.get("/main/v3/noarch/repodata.json").json().get("v3") is None
    assert served.get("/main/v3/zos-z/repodata.json").status_code == 404


def test_current_repodata_has_the_newest_packages(served: Place, tmp_path: Path) -> None:
    for version in ("1.9", "1.10"):
        served.publish(make_wheel(tmp_path, "spam", version))
    value = served.get("/main/noarch/current_repodata.json").json()
    assert list(value["packages.conda"]) == ["spam-1.10-py_0.conda"]
    packed = served.get("/main/noarch/current_repodata.json.zst").content
    assert json.loads(zstandard.decompress(packed)) == value


def test_rattler_installs_from_a_channel_that_lists_wheels_too(
    served: Place, tmp_path: Path
) -> None:
    rule(served, "v3", "yes")
    served.publish(make_python(tmp_path / "python"))
    served.publish(make_wheel(tmp_path, "spam", "1.0", ENTRY.format("eggs")))
    served.publish(make_wheel(tmp_path, "eggs", "1.0"))
    prefix = install_specs(served.channel, ["spam"], tmp_path / "install")
    assert list(prefix.rglob("spam/__init__.py")) and list(prefix.rglob("eggs/__init__.py"))
    rule(served, "v3", "no")
    assert served.get("/main/v3/noarch/repodata.json").status_code == 404


def test_v3_records_follow_every_change_of_their_wheels(served: Place, tmp_path: Path) -> None:
    def listed(label: str = "") -> set[str]:
        answer = served.get(f"/main{label}/v3/noarch/repodata.json")
        keys = set(answer.json().get("v3", {}).get("whl", {}))
        shards = read_shards(served, f"/main{label}/v3/noarch").values()
        assert keys == {key for one in shards for key in one.get("v3", {}).get("whl", {})}
        return keys

    rule(served, "v3", "yes")
    served.publish(make_wheel(tmp_path, "spam", "1.0"))
    served.publish(make_wheel(tmp_path, "spam", "2.0"))
    served.publish(make_wheel(tmp_path, "spam", "3.0rc1"))
    served.publish(make_wheel(tmp_path, "waits", "1.0", ENTRY.format("absent[x]")))
    assert listed() == {
        "spam-1.0-py3_none_any_0",
        "spam-2.0-py3_none_any_0",
        "waits-1.0-py3_none_any_0",
    }
    assert listed("/label/pre") == {"spam-3.0rc1-py3_none_any_0"}
    assert maintenance.verify(served.registry).is_sound
    lifecycle.yank(served.registry, served.owner, "main", "spam", "2.0")
    lifecycle.delete_release(served.registry, served.owner, "main", "waits")
    assert listed() == {"spam-1.0-py3_none_any_0"}
    rule(served, "v3", "no")
    assert served.get("/main/v3/noarch/repodata.json").status_code == 404
    assert names(served) == {"spam-1.0-py_0.conda"}
    shards = unpacked(served.get("/main/noarch/repodata_shards.msgpack.zst").content)["shards"]
    assert set(shards) == {"spam"}


# Twins that come later


def test_a_dependency_with_extras_is_expanded_by_what_the_channel_holds(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "speed", "1.0"))
    extra = ("Provides-Extra: fast", ENTRY.format("speed>=1; extra == 'fast'"))
    served.publish(make_wheel(tmp_path, "eggs", "2.0", *extra))
    done = served.upload(make_wheel(tmp_path, "spam", "1.0", ENTRY.format("eggs[fast]>=2")))
    assert done.json()["conda"] == ["noarch/spam-1.0-py_0.conda"]
    value = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert {"eggs >=2", "speed >=1"} <= set(value["spam-1.0-py_0.conda"]["depends"])


def test_a_conversion_that_waited_for_a_dependency_is_made_when_it_comes(
    served: Place, tmp_path: Path
) -> None:
    spam = make_wheel(tmp_path, "spam", "1.0", ENTRY.format("eggs[fast]"))
    done = served.upload(spam)
    assert done.status_code == 200 and done.json()["conda"] == []
    assert "eggs" in done.json()["remark"]
    assert "eggs" in served.get("/main/project/spam").text
    assert names(served) == set()
    extra = ("Provides-Extra: fast", ENTRY.format("speed; extra == 'fast'"))
    served.upload(make_wheel(tmp_path, "eggs", "2.0", *extra)).raise_for_status()
    assert names(served) == {"spam-1.0-py_0.conda", "eggs-2.0-py_0.conda"}
    assert "no conda package" not in served.get("/main/project/spam").text
    log = [change.action for change in administration_log(served)]
    assert "twin" in log


def administration_log(place: Place) -> list[Any]:
    from twofold.server.store import audit

    with place.registry.database.read() as db:
        return list(audit.list_entries(db, audit.AuditQuery()))


def test_waiting_conversions_take_the_labels_and_the_yank_that_their_wheels_have_by_then(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "spam", "1.0", ENTRY.format("eggs[fast]")))
    served.publish(make_wheel(tmp_path, "spam", "2.0", ENTRY.format("eggs[fast]")))
    labels.add_label(served.registry, served.owner, "main", "dev", Selection("spam"))
    lifecycle.yank(served.registry, served.owner, "main", "spam", "2.0")
    lifecycle.delete_release(served.registry, served.owner, "main", "spam", "1.0")
    served.publish(make_wheel(tmp_path, "eggs", "2.0"))
    assert names(served) == {"eggs-2.0-py_0.conda"}
    lifecycle.unyank(served.registry, served.owner, "main", "spam", "2.0")
    assert "spam-2.0-py_0.conda" in names(served) & names(served, "/main/label/dev")
    made, missing = conversion.reconvert_all(served.registry, "main")
    assert (made, missing) == ([], {})


# Pre-releases, yanks, deletions


def test_conda_takes_a_pre_release_only_when_it_is_promoted(served: Place, tmp_path: Path) -> None:
    served.publish(make_python(tmp_path / "python"))
    served.publish(make_wheel(tmp_path, "spam", "1.0"))
    served.publish(make_wheel(tmp_path, "spam", "2.0rc1"))

    def chosen(source: str) -> str:
        records = solve_specs(source, ["spam"], tmp_path / "solve")
        return next(str(r.version) for r in records if r.name.normalized == "spam")

    assert chosen(served.channel) == "1.0"
    assert list_versions(f"{served.channel}/label/pre", "spam", tmp_path) == ["2.0rc1"]
    promotion = Promotion("main", "main", Selection("spam", "2.0rc1"), "pre", "main")
    labels.promote(served.registry, served.owner, promotion)
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0", "2.0rc1"]
    prefix = install_specs(served.channel, ["spam ==2.0rc1"], tmp_path / "install")
    assert list(prefix.rglob("spam/__init__.py"))


def test_a_yanked_release_is_out_of_the_solvers_sight_but_stays_at_its_address(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_python(tmp_path / "python"))
    for version in ("1.0", "2.0", "2!1.0"):
        served.publish(make_wheel(tmp_path, "spam", version))
    address = "/main/noarch/spam-2.0-py_0.conda"
    before = served.get(address).content
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0", "2!1.0", "2.0"]
    for version in ("2.0", "2!1.0"):
        lifecycle.yank(served.registry, served.owner, "main", "spam", version, "broken")
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0"]
    with pytest.raises(SolverError):
        solve_specs(served.channel, ["spam ==2.0"], tmp_path)
    assert served.get(address).content == before  # for those who have locked it
    lifecycle.unyank(served.registry, served.owner, "main", "spam", "2.0")
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0", "2.0"]


def test_a_deleted_release_is_gone_in_both_worlds(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "spam", "1.0"))
    served.publish(make_wheel(tmp_path, "spam", "2.0"))
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0", "2.0"]
    lifecycle.delete_release(served.registry, served.owner, "main", "spam", "2.0")
    assert list_versions(served.channel, "spam", tmp_path) == ["1.0"]
    assert served.get("/main/noarch/spam-2.0-py_0.conda").status_code == 404
    assert "spam-2.0" not in served.get("/main/simple/spam/").text
    lifecycle.delete_release(served.registry, served.owner, "main", "spam")
    assert list_versions(served.channel, "spam", tmp_path) == []
