"""No way round a limit: quotas, quarantines and private names hold on every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.conftest import Place
from tests.server.packages import make_wheel
from tests.server.upstream import Static, stand
from twofold.errors import Refused
from twofold.server.model import View
from twofold.server.registry import (
    administration,
    bringing,
    changing,
    fronting,
    later_twins,
    looking,
    people,
    staging,
)
from twofold.server.registry.bringing import Wanted
from twofold.server.registry.labelling import Promotion, Selection, promote
from twofold.server.store import files


def used(place: Place) -> int:
    with place.registry.database.read() as db:
        return files.bytes_in(db, 1)


def send_again(place: Place, wheel: Path) -> None:
    """By the Anaconda.org API's three steps, as `anaconda upload --force` does after a deletion."""
    registry, owner = place.registry, place.owner
    stage = staging.announce(registry, owner, "main", staging.Announcement(wheel.name))
    staging.receive(registry, stage, wheel)
    staging.commit(registry, owner, stage, staging.Claims())


def test_what_is_brought_back_counts_and_an_archived_project_takes_nothing_back(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    wheel = make_wheel(tmp_path, "one")
    place.publish(wheel)
    changing.delete_release(registry, owner, "main", "one")
    place.publish(make_wheel(tmp_path, "two"))
    administration.set_rules(registry, "operator", "main", {"quota": used(place) + 1})
    with pytest.raises(Refused, match="do not fit"):
        send_again(place, wheel)
    administration.set_rules(registry, "operator", "main", {"quota": None})
    changing.set_status(registry, owner, "main", "one", "archived")
    with pytest.raises(Refused, match="archived"):
        send_again(place, wheel)
    changing.set_status(registry, owner, "main", "one", "active")
    send_again(place, wheel)
    project = looking.project(registry, owner, "main", "one")
    assert len(looking.files_of(registry, project)) == 2


def test_a_package_made_later_counts_and_is_made_when_there_is_room(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    assert owner.user is not None
    extra = ("Provides-Extra: more", 'Requires-Dist: x; extra == "more"')
    dependency = make_wheel(tmp_path, "dep", "1.0", *extra)
    people.add_channel(registry, "operator", "other", owner.user)
    measured = place.publish(dependency, "other")
    waiting = place.publish(make_wheel(tmp_path, "asks", "1.0", "Requires-Dist: dep[more]"))
    assert waiting.twins == ()
    room = measured.file.size + sum(twin.size for twin in measured.twins)
    administration.set_rules(registry, "operator", "main", {"quota": used(place) + room})
    place.publish(dependency)
    made, left = later_twins.make_all(registry, "main")
    assert made == []
    assert "do not fit" in left[waiting.file.filename]
    administration.set_rules(registry, "operator", "main", {"quota": None})
    made, left = later_twins.make_all(registry, "main")
    assert ([file.name for file in made], left) == (["asks"], {})


def test_nothing_is_promoted_out_of_a_quarantine(place: Place, tmp_path: Path) -> None:
    registry, owner = place.registry, place.owner
    assert owner.user is not None
    people.add_channel(registry, "operator", "stable", owner.user)
    place.publish(make_wheel(tmp_path))
    changing.set_status(registry, owner, "main", "my_package", "quarantined", "malware")
    for target in ("stable", "main"):
        promotion = Promotion("main", target, Selection("my_package"), to_label="checked")
        with pytest.raises(Refused, match="quarantined: malware") as refused:
            promote(registry, owner, promotion)
        assert refused.value.status == 403
    assert looking.projects(registry, owner, "stable") == []


def test_a_name_that_becomes_private_while_its_file_is_on_the_way_gets_nothing_from_upstream(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    static = Static(tmp_path / "static")
    theirs = make_wheel(tmp_path / "theirs", "spam", "9.0")
    static.offer(theirs)
    stand(place, f"{static.url}/simple")
    fronting.simple_page(registry, View(owner, "main"), "spam", "json")
    found = bringing.offered(registry, owner, Wanted("main", "", theirs.name))
    assert found is not None
    place.publish(make_wheel(tmp_path, "spam", "1.0"))
    with pytest.raises(Refused, match="'spam' is private"):
        bringing.fetch_and_publish(registry, found)
    project = looking.project(registry, owner, "main", "spam")
    assert {file.version for file in looking.files_of(registry, project)} == {"1.0"}
    static.close()
