"""Large wheels are converted after their upload is acknowledged, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_wheel, record, wheel_members, zip_bytes
from tests.server.conftest import Place
from tests.servers.processes import run_server, upload, wait_until
from twofold.server.app import open_registry
from twofold.server.registry import deferred_conversion, lifecycle
from twofold.server.registry.deferred_conversion import PENDING, convert_pending
from twofold.server.store import files


@pytest.fixture
def all_are_large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_conversion, getattr(request, "param", "LARGE_WHEEL"), 1)


def list_packages(place: Place, channel: str = "main") -> dict[str, object]:
    found: dict[str, object] = place.get(f"/{channel}/noarch/repodata.json").json()[
        "packages.conda"
    ]
    return found


@pytest.mark.parametrize("all_are_large", ["LARGE_WHEEL", "MANY_MEMBERS"], indirect=True)
@pytest.mark.usefixtures("all_are_large")
def test_an_upload_is_answered_before_the_conversion_and_the_page_says_so(
    served: Place, tmp_path: Path
) -> None:
    goes_on: list[bool] = []
    served.registry.background.submit(lambda: wait_until(lambda: bool(goes_on)))
    answer = served.upload(make_wheel(tmp_path))
    assert answer.status_code == 200
    assert answer.json()["remark"] == PENDING
    assert "my_package-1.0.0" in served.get("/main/simple/my-package/").text
    assert not list_packages(served)
    assert PENDING in served.get("/main/project/my-package").text
    again = served.upload(make_wheel(tmp_path))  # the same bytes: nothing new, and nothing lost
    assert again.status_code == 200 and again.json()["remark"] == PENDING
    goes_on.append(True)
    wait_until(lambda: bool(list_packages(served)))
    assert PENDING not in served.get("/main/project/my-package").text
    (name,) = list_packages(served)
    assert served.get(f"/main/noarch/{name}").status_code == 200
    assert served.upload(make_wheel(tmp_path)).json()["remark"] is None


@pytest.mark.usefixtures("all_are_large")
def test_what_happens_to_the_wheel_before_counts_for_its_package(
    served: Place, tmp_path: Path
) -> None:
    """It is yanked or deleted while it waits."""
    registry, owner = served.registry, served.owner
    goes_on: list[bool] = []
    registry.background.submit(lambda: wait_until(lambda: bool(goes_on)))
    for name in ("yanked", "deleted", "labelled"):
        served.publish(make_wheel(tmp_path, name, "1.0"))
    lifecycle.yank(registry, owner, "main", "yanked", "1.0", "bad")
    lifecycle.delete_release(registry, owner, "main", "deleted", "1.0")
    goes_on.append(True)
    wait_until(lambda: set(list_packages(served)) == {"labelled-1.0-py_0.conda"})
    with registry.database.read() as db:
        kept = files.find_file(db, 1, "noarch", "yanked-1.0-py_0.conda")
        assert kept is not None and kept.yanked == "bad"
        assert files.find_file(db, 1, "noarch", "deleted-1.0-py_0.conda") is None


@pytest.mark.usefixtures("all_are_large")
def test_a_conversion_that_a_kill_prevented_is_made_up_for_at_the_next_start(
    place: Place, tmp_path: Path
) -> None:
    """The job of a killed process is gone; the remark is what is left."""
    place.registry.background.submit(lambda: wait_until(lambda: False))
    place.publish(make_wheel(tmp_path, "one", "1.0"))
    place.publish(make_wheel(tmp_path, "not_convertible", "1.0", "Requires-Dist: late[fast]"))
    other = open_registry(place.settings)
    convert_pending(other)
    with other.database.read() as db:
        found = files.find_file(db, 1, "noarch", "one-1.0-py_0.conda")
        assert found is not None
        wheel = files.find_file(db, 1, "", "not_convertible-1.0-py3-none-any.whl")
        assert wheel is not None
        assert wheel.remark is not None and "was not converted" in wheel.remark
    convert_pending(other)  # nothing waits
    other.database.close()


@pytest.mark.slow
def test_a_server_killed_after_its_answer_loses_no_package(tmp_path: Path) -> None:
    info = "big-1.0.dist-info/RECORD"
    members = wheel_members("big", "1.0")
    del members[info]
    members["big/data.bin"] = os.urandom(deferred_conversion.LARGE_WHEEL)
    members[info] = record(members, info)
    wheel = tmp_path / "big-1.0-py3-none-any.whl"
    wheel.write_bytes(zip_bytes(members))
    data = tmp_path / "data"
    with run_server(data) as (process, ready):
        answer = upload(ready, ready["token"], wheel)
        process.kill()
        assert answer.status_code == 200
        assert answer.json()["remark"] == PENDING
    with run_server(data) as (_, ready):
        url = f"{ready['url']}/main/noarch/repodata.json"
        wait_until(lambda: bool(requests.get(url, timeout=60).json()["packages.conda"]))
