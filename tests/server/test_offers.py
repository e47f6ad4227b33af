"""Projects that nobody fetched, offered to conda by the names in the channel's address."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.rattler import install_specs, solve_specs
from tests.factories.packages import make_python, make_sdist, make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from twofold.errors import Refused, TwofoldError
from twofold.install.offered_channel import find_channel_address
from twofold.server.proxy import offers


@pytest.fixture
def front(served: Place, behind: Place, tmp_path: Path) -> Place:
    """`main` in front of an index with spam -> eggs, ham[fast] -> speed, and an sdist."""
    for wheel in (
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs>=2"),
        make_wheel(tmp_path, "spam", "2.0", "Requires-Dist: eggs>=2"),
        make_wheel(tmp_path, "eggs", "1.0"),
        make_wheel(tmp_path, "eggs", "2.0"),
        make_wheel(tmp_path, "eggs", "3.0.dev1"),
        make_wheel(tmp_path, "early", "1.0rc1"),
        make_wheel(
            tmp_path, "ham", "1.0", "Provides-Extra: fast", "Requires-Dist: speed; extra == 'fast'"
        ),
        make_wheel(tmp_path, "speed", "1.0"),
        make_sdist(tmp_path, "source", "1.0"),
    ):
        behind.publish(wheel)
    add_upstream(served, f"{behind.channel}/simple/", "pypi", "acme")
    served.publish(make_python(tmp_path / "python"))
    return served


def list_packages(place: Place, address: str = "/main") -> set[str]:
    value = place.get(f"{address}/noarch/repodata.json").json()
    return {name.rsplit("-", 1)[0] for name in value["packages.conda"]} - {"python-3.12.1"}


def test_rattler_installs_what_nobody_fetched_and_its_packages_are_the_channels(
    front: Place, tmp_path: Path
) -> None:
    assert list_packages(front) == set()
    address = f"{front.channel}/with/spam;python=3.12"
    records = solve_specs(address, ["spam"], tmp_path / "solve")
    urls = {record.url for record in records if record.name.source in ("spam", "eggs")}
    assert urls == {
        f"{front.channel}/noarch/spam-2.0-py_0.conda",
        f"{front.channel}/noarch/eggs-2.0-py_0.conda",
    }
    prefix = install_specs(address, ["spam"], tmp_path / "install")
    assert list(prefix.rglob("spam/__init__.py")) and list(prefix.rglob("eggs/__init__.py"))
    assert list_packages(front) == {"spam-2.0", "eggs-2.0"}  # from now on in `main` itself


def test_install_finds_the_address_that_offers_what_nobody_fetched(
    front: Place, tmp_path: Path
) -> None:
    args = (front.channel, {}, "3.12", tmp_path / "cache")
    offered = f"{front.channel}/with/spam%3C2,eggs;python=3.12"
    assert find_channel_address(["spam<2", "eggs"], *args) == offered
    assert list_packages(front) == {"spam-1.0", "eggs-2.0"}
    assert find_channel_address(["spam=1.0"], *args) == front.channel
    with pytest.raises(TwofoldError, match="does not have absent"):
        find_channel_address(["absent=1.0"], *args)


@pytest.mark.parametrize(
    ("names", "packages"),
    [
        ("spam,eggs", {"spam-2.0", "eggs-2.0"}),
        ("ham+eggs", {"ham-1.0", "eggs-2.0"}),
        ("ham[fast]", {"ham-1.0", "speed-1.0"}),
        ("spam==1.0,eggs>=1,<3", {"spam-1.0", "eggs-2.0"}),
        ("Spam;python=3.12;platform=osx-arm64", {"spam-2.0", "eggs-2.0"}),
    ],
)
def test_the_address_holds_names_versions_extras_and_a_target(
    front: Place, names: str, packages: set[str]
) -> None:
    assert list_packages(front, f"/main/with/{names}") == packages


def test_what_cannot_be_offered_is_in_the_notices_of_the_address(front: Place) -> None:
    address = "/main/with/spam,source,absent"
    assert list_packages(front, address) == {"spam-2.0", "eggs-2.0"}
    notices = front.get(f"{address}/notices.json").json()["notices"]
    text = " ".join(notice["message"] for notice in notices)
    assert "source is not offered here" in text and "only sdists" in text
    assert "absent is not offered here" in text
    assert front.get("/main/notices.json").json()["notices"] == []


def test_a_pre_release_is_offered_only_where_nothing_else_is_and_at_its_label(front: Place) -> None:
    address = "/main/with/early,eggs"
    assert list_packages(front, address) == {"eggs-2.0"}
    (notice,) = front.get(f"{address}/notices.json").json()["notices"]
    assert "early is not offered here: 1.0rc1 is listed at /main/label/pre" in notice["message"]
    assert list_packages(front, "/main/label/pre") == {"early-1.0rc1"}


@pytest.mark.parametrize("name", ["acme", "acme-tools", "ACME_tools", "Mine", "my.Own_1"])
def test_a_private_name_in_an_address_is_never_requested_from_the_upstream(
    served: Place, static: StaticServer, tmp_path: Path, name: str
) -> None:
    add_upstream(served, f"{static.url}/simple", "pypi", "acme")
    served.publish(make_wheel(tmp_path, "mine", "1.0"))
    served.publish(make_wheel(tmp_path, "my_own_1", "1.0"))
    assert list_packages(served, f"/main/with/{name}") == {"mine-1.0", "my_own_1-1.0"}
    assert static.requested == []


@pytest.mark.parametrize(
    "names", ["https:%2F%2Fx%2Fy", "spam%20@%20http:x", ",", "spam;python=2.7", "spam;x=1", "-"]
)
def test_what_names_no_project_is_refused(front: Place, names: str) -> None:
    assert front.get(f"/main/with/{names}/noarch/repodata.json").status_code in (400, 404)


def test_a_request_that_would_wait_too_long_is_answered_503_and_the_work_goes_on(
    front: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "WAIT_SECONDS", 0.0)
    got = front.get("/main/with/spam/noarch/repodata.json")
    assert got.status_code == 503 and got.headers["retry-after"]
    assert "still being fetched" in got.json()["detail"]
    monkeypatch.setattr(offers, "WAIT_SECONDS", 60.0)
    assert list_packages(front, "/main/with/spam") == {"spam-2.0", "eggs-2.0"}


def test_a_channel_without_an_upstream_answers_with_what_it_has(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "spam", "1.0"))
    assert list_packages(served, "/main/with/spam,eggs") == {"spam-1.0"}


def test_the_command_offers_names_and_the_requirements_of_a_file(
    front: Place, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    listed = tmp_path / "requirements.txt"
    listed.write_text(
        "# tools\n--index-url x\nham[fast]  # all of it\nsource --hash=sha256:00\n"
        "early; python_version < '3'\neggs==1.0; python_version < '3'\n"
    )
    ran = twofold(
        "admin",
        "offer",
        "main",
        "spam<2",
        "--from",
        listed,
        "--data",
        front.settings.data,
        "--json",
    )
    assert ran.code == 1 and "sdists" in ran.err
    assert {name.split("-py")[0] for name in ran.json["brought"]} == {
        "spam-1.0",
        "eggs-2.0",
        "ham-1.0",
        "speed-1.0",
    }
    assert list_packages(front) == {"spam-1.0", "eggs-2.0", "ham-1.0", "speed-1.0"}


def test_an_offer_of_too_many_projects_is_refused() -> None:
    with pytest.raises(Refused, match="1 to 50"):
        offers.parse_names("main", ",".join(f"p{n}" for n in range(51)), "noarch")


def test_wheels_without_metadata_are_resolved_by_parts_and_only_the_chosen_ones_are_fetched(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.serves_parts = True
    static.publish(
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs<2", "Requires-Dist: ham"),
        make_wheel(tmp_path, "ham", "1.0"),
        make_wheel(tmp_path, "ham", "2.0", "Requires-Dist: speed"),
        make_wheel(tmp_path, "eggs", "1.0", "Requires-Dist: ham<2"),
        make_wheel(tmp_path, "eggs", "2.0"),
        make_wheel(tmp_path, "speed", "1.0"),
    )
    add_upstream(served, f"{static.url}/simple")
    assert list_packages(served, "/main/with/spam") == {"spam-1.0", "eggs-1.0", "ham-1.0"}
    whole = [
        path for path, code in zip(static.requested, static.statuses, strict=True) if code == 200
    ]
    assert sorted(path for path in whole if path.endswith(".whl")) == [
        "/files/eggs-1.0-py3-none-any.whl",
        "/files/ham-1.0-py3-none-any.whl",
        "/files/spam-1.0-py3-none-any.whl",
    ]


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_follow_counts_what_it_fetched_and_keeps_nothing_that_uv_only_tried(
    served: Place, static: StaticServer, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    static.serves_parts = True
    static.publish(
        make_wheel(tmp_path, "spam", "2.0", "Requires-Dist: eggs>=2"),
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs"),
        make_wheel(tmp_path, "eggs", "1.0"),
    )
    add_upstream(served, f"{static.url}/simple")
    following = ("admin", "follow", "spam", "--python", "3.12", "--platform", "linux-64", "--json")
    ran = twofold(*following, "--data", served.settings.data)
    assert ran.json["brought"] == ["eggs-1.0-py3-none-any.whl", "spam-1.0-py3-none-any.whl"]
    assert ran.json["here"] == [] and list_packages(served) == {"spam-1.0", "eggs-1.0"}
