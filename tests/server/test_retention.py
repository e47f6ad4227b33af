"""What a retention rule leaves of a project, on both sides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.clients.management import Api
from tests.factories.packages import make_conda, make_generic_conda, make_wheel
from tests.server.conftest import Place
from twofold.server.registry import administration, labels, lifecycle, maintenance
from twofold.server.registry.administration import Retention
from twofold.server.registry.labels import Selection
from twofold.server.store.schema import shard_bodies


def retain(place: Place, keep: int = 1, days: int = 0) -> set[str]:
    rule = Retention(keep, days)
    gone = administration.apply_channel_retention(place.registry, place.owner, "main", rule)
    return {file.version for file in gone}


def publish_wheels(place: Place, folder: Path, *versions: str) -> None:
    for version in versions:
        place.publish(make_wheel(folder, "pkg", version))


def publish_conda(place: Place, folder: Path, *versions: str) -> None:
    for version in versions:
        place.publish(make_generic_conda(folder, "lib", version))


@pytest.mark.parametrize(
    "versions",
    [
        ("2022.7", "2023c", "2024a", "2024b"),
        ("1.1.1a", "1.1.1k", "1.1.1u", "1.1.1w"),
        ("4.0_9", "4.1_1", "4.1_2", "4.1_10"),
        ("9", "9.0.1", "9.1b", "9.1"),
    ],
)
def test_conda_releases_go_by_the_order_of_conda(
    place: Place, tmp_path: Path, versions: tuple[str, ...]
) -> None:
    publish_conda(place, tmp_path, *reversed(versions))
    assert retain(place, 2) == set(versions[:2])
    assert retain(place, 1) == {versions[2]}
    assert retain(place, 1) == set()


def test_a_yanked_or_unlabelled_release_takes_no_place(place: Place, tmp_path: Path) -> None:
    publish_wheels(place, tmp_path, "0.9", "1.0", "1.1", "1.2")
    lifecycle.yank(place.registry, place.owner, "main", "pkg", "1.2")
    labels.unlabel(place.registry, place.owner, "main", "main", Selection("pkg", "1.1"))
    assert retain(place) == {"0.9"}
    publish_wheels(place, tmp_path, "1.3")
    assert retain(place) == {"1.0", "1.1", "1.2"}


def test_pre_releases_newer_than_every_release_stay_and_older_ones_go(
    place: Place, tmp_path: Path
) -> None:
    publish_wheels(place, tmp_path, "1.0rc1", "1.0", "2.0", "2.1rc1", "2.1rc2")
    assert retain(place) == {"1.0rc1", "1.0", "2.1rc1"}
    publish_wheels(place, tmp_path, "2.1")
    assert retain(place) == {"2.0", "2.1rc2"}


def test_a_project_of_pre_releases_keeps_the_newest(place: Place, tmp_path: Path) -> None:
    publish_wheels(place, tmp_path, "1.0a1", "1.0a2", "1.0b1")
    assert retain(place) == {"1.0a1", "1.0a2"}


def test_each_side_is_counted_apart(place: Place, tmp_path: Path) -> None:
    publish_wheels(place, tmp_path, "1.0", "2.0")
    for version in ("2.1", "2.2"):
        place.publish(make_conda(tmp_path, "pkg", version))
    assert retain(place) == {"1.0", "2.1"}


def test_a_quarantine_deletes_nothing_more(place: Place, tmp_path: Path) -> None:
    publish_wheels(place, tmp_path, "1.0", "1.1")
    lifecycle.set_status(place.registry, place.owner, "main", "pkg", "quarantined")
    assert retain(place) == {"1.0"}


def test_days_alone_keep_the_newest_release(served: Place, tmp_path: Path) -> None:
    publish_wheels(served, tmp_path, "1.0", "1.1")
    later = served.registry.clock() + timedelta(days=40)
    object.__setattr__(served.registry, "clock", lambda: later)
    api = Api(served)
    assert api("POST", "/channels/main/retention", days=50) == []
    api("PATCH", "/channels/main", keep_days=30)
    gone = api("POST", "/channels/main/retention")
    assert {file["version"] for file in gone} == {"1.0"}


def test_shards_that_no_list_names_go_after_a_day(served: Place, tmp_path: Path) -> None:
    registry = served.registry
    for version in ("1.0", "1.1", "1.2"):
        publish_wheels(served, tmp_path, version)

    def count() -> int:
        with registry.database.read() as db:
            return int(db.execute(select(func.count()).select_from(shard_bodies)).scalar_one())

    assert count() == 3
    maintenance.collect_garbage(registry)
    assert count() == 3
    later = registry.clock() + timedelta(days=2)
    object.__setattr__(registry, "clock", lambda: later)
    maintenance.collect_garbage(registry)
    assert count() == 1
    assert "pkg-1.2-py_0.conda" in served.get("/main/noarch/repodata.json").text
    assert maintenance.verify(registry).is_sound
