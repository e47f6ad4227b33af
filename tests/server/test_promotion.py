"""What promotion carries, under which labels, and what was there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.management import Api
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Promotion, Selection, promote
from twofold.server.store import channels, files


@pytest.fixture
def stable(served: Place) -> Place:
    owner = served.owner.user
    assert owner is not None
    accounts.add_channel(served.registry, "owner", "stable", owner)
    return served


def labels_of(place: Place, channel: str = "stable") -> dict[str, set[str]]:
    with place.registry.database.read() as db:
        found = channels.find_channel(db, channel)
        assert found is not None
        return {
            file.filename: set(file.labels)
            for project in channels.list_projects(db, found.id)
            for file in files.list_project_files(db, project.id)
        }


def test_a_file_that_is_there_under_another_label_gets_the_new_one_too(
    stable: Place, tmp_path: Path
) -> None:
    stable.publish(make_wheel(tmp_path, "stg", "1.0"))
    api = Api(stable)
    for label in ("staging", "main"):
        api(
            "POST",
            "/channels/stable/promotions",
            source="main",
            project="stg",
            version="1.0",
            to_label=label,
        )
    assert set(map(frozenset, labels_of(stable).values())) == {frozenset({"staging", "main"})}
    assert "stg-1.0" in stable.get("/stable/simple/stg/").text
    assert stable.get("/stable/noarch/repodata.json").json()["packages.conda"]


def test_pre_releases_stay_out_of_main_and_withdrawn_files_away(
    stable: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "1.1", "1.2rc1"):
        stable.publish(make_wheel(tmp_path, "pkc", version))
    labels.unlabel(stable.registry, stable.owner, "main", "main", Selection("pkc", "1.1"))
    promote(stable.registry, stable.owner, Promotion("main", "stable", Selection("pkc")))
    found = labels_of(stable)
    assert {frozenset(names) for name, names in found.items() if "1.2rc1" in name} == {
        frozenset({"pre"})
    }
    assert not [name for name in found if "1.1" in name]
    packages = stable.get("/stable/noarch/repodata.json").json()["packages.conda"]
    assert set(packages) == {"pkc-1.0-py_0.conda"}
    wanted = Promotion("main", "stable", Selection("pkc", "1.1"), to_label="main")
    promote(stable.registry, stable.owner, wanted)
    assert any("1.1" in name for name in labels_of(stable))


def test_a_version_is_found_in_any_spelling(stable: Place, tmp_path: Path) -> None:
    for version in ("1.0", "2.0rc1"):
        stable.publish(make_wheel(tmp_path, "pka", version))
    for version in ("2.0RC1", "1.0.0", "v1"):
        promotion = Promotion("main", "stable", Selection("pka", version), existing="add")
        assert promote(stable.registry, stable.owner, promotion)
    yanked = lifecycle.yank(stable.registry, stable.owner, "main", "pka", "1")
    assert {file.version for file in yanked} == {"1.0"}
    gone = lifecycle.delete_release(stable.registry, stable.owner, "main", "Pka", "2.0.rc1")
    assert {file.version for file in gone} == {"2.0rc1"}


def test_a_release_is_shown_in_any_spelling_of_its_version(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "pka", "1.0rc1"))
    assert served.get("/main/project/pka/1.0-RC.1").ok
    assert served.get("/main/pypi/pka/1.0.0c1/json").json()["info"]["version"] == "1.0rc1"
    assert served.get("/api/release/main/pka/v1rc1").json()["version"] == "1.0rc1"
    for missing in ("/main/project/pka/2", "/main/pypi/pka/x/json", "/api/release/main/pka/1.0"):
        assert served.get(missing).status_code == 404
