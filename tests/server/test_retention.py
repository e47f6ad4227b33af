"""What a retention rule leaves of a project, on both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.clients.management import Api
from tests.factories.packages import make_conda, make_generic_conda, make_wheel
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.model import now
from twofold.server.registry import (
    administration,
    channel_retention,
    labels,
    lifecycle,
    maintenance,
)
from twofold.server.registry.channel_retention import (
    Retention,
    apply_channel_retention,
    apply_retentions,
)
from twofold.server.registry.labels import Selection
from twofold.server.registry.undelete import undelete
from twofold.server.store.schema import shard_bodies


def retain(place: Place, keep: int = 1, days: int = 0) -> set[str]:
    rule = Retention(keep, days)
    gone = apply_channel_retention(place.registry, place.owner, "main", rule)
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


def test_files_under_one_label_alone_go_by_their_own_age(place: Place, tmp_path: Path) -> None:
    for version, names in (("1.0", ("dev",)), ("1.1", ("dev", "main")), ("1.2", ("main",))):
        place.publish(make_wheel(tmp_path, "pkg", version), labels=names)
    rule = Retention(0, 0, "dev")
    gone = apply_channel_retention(place.registry, place.owner, "main", rule)
    assert {file.version for file in gone} == {"1.0"}


def test_the_oldest_releases_go_until_the_channel_fits(place: Place, tmp_path: Path) -> None:
    for name, version in (("aa", "1.0"), ("bb", "1.0"), ("aa", "1.1"), ("bb", "1.1")):
        place.publish(make_wheel(tmp_path, name, version))
    [(_, size, _)] = administration.list_channels(place.registry)
    planned = apply_channel_retention(
        place.registry, place.owner, "main", Retention(max_bytes=size - 1), True
    )
    assert {(file.name, file.version) for file in planned} == {("aa", "1.0")}
    gone = apply_channel_retention(place.registry, place.owner, "main", Retention(max_bytes=0))
    assert {(file.name, file.version) for file in gone} == {("aa", "1.0"), ("bb", "1.0")}
    fits = Retention(max_bytes=size)
    assert apply_channel_retention(place.registry, place.owner, "main", fits) == []


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ("quota", "10MB", 10_000_000),
        ("keep-bytes", "2 GiB", 2 << 30),
        ("keep-label-days", "dev=14,pre=3", {"dev": 14, "pre": 3}),
        ("undelete-days", "30", 30),
    ],
)
def test_rules_are_read_in_the_units_of_people(
    place: Place, rule: str, text: str, value: object
) -> None:
    administration.change_rule(place.registry, "ann", "main", rule, text)
    settings = administration.get_channel_detail(place.registry, "main").channel.settings
    assert settings[rule] == value
    for wrong in ("many", "10 apples", "-1", "dev=", "=3", "1e9"):
        with pytest.raises(Refused, match="not a valid value"):
            administration.change_rule(place.registry, "ann", "main", rule, wrong)


def test_a_deleted_release_comes_back_within_the_time_of_the_rule(
    place: Place, tmp_path: Path
) -> None:
    publish_wheels(place, tmp_path, "1.0", "1.1")
    administration.change_rule(place.registry, "ann", "main", "undelete-days", "30")
    lifecycle.delete_release(place.registry, place.owner, "main", "pkg")
    later = now() + timedelta(days=20)
    registry = replace(place.registry, clock=lambda: later)
    assert maintenance.collect_garbage(registry) == []
    back = undelete(place.registry, place.owner, "main", "pkg", "1.0")
    assert {file.filename.split("-py")[0] for file in back} == {"pkg-1.0"} and len(back) == 2
    assert maintenance.verify(place.registry).is_sound
    late = replace(place.registry, clock=lambda: later + timedelta(days=40))
    assert len(maintenance.collect_garbage(late)) == 2
    with pytest.raises(Refused, match="have been removed"):
        undelete(place.registry, place.owner, "main", "pkg", "1.1")
    with pytest.raises(Refused, match="There is no deleted file"):
        undelete(place.registry, place.owner, "main", "pkg", "1.0")


@pytest.mark.parametrize(
    ("rule", "hours", "swept"), [("none", 1, 0), ("none", 25, 2), ("0", 1, 2), ("3", 25, 0)]
)
def test_the_bytes_of_an_old_file_stay_for_a_while_after_its_deletion(
    place: Place, tmp_path: Path, rule: str, hours: int, swept: int
) -> None:
    """So that a backup has them whose database was copied before the deletion."""
    publish_wheels(place, tmp_path, "1.0")
    administration.change_rule(place.registry, "ann", "main", "undelete-days", rule)
    deleted_at = now() + timedelta(days=40)
    registry = replace(place.registry, clock=lambda: deleted_at)
    lifecycle.delete_release(registry, place.owner, "main", "pkg")
    later = replace(registry, clock=lambda: deleted_at + timedelta(hours=hours))
    assert len(maintenance.collect_garbage(later)) == swept


def test_retention_reports_how_far_it_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_retention, "REPORT_EVERY", 1)
    for name in ("aa", "bb"):
        place.publish(make_wheel(tmp_path, name, "1.0"))
    reports: list[str] = []
    rules = [Retention(0, 0)]
    apply_retentions(place.registry, place.owner, "main", rules, progress=reports.append)
    assert reports == ["main: 1 of 2 projects, 2 files go"]
