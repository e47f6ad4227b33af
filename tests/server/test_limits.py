"""No way round a limit: quotas, quarantines and private names hold on every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import View
from twofold.server.proxy import fetch, pages
from twofold.server.proxy.fetch import FileRequest
from twofold.server.registry import (
    administration,
    conversion,
    lifecycle,
    queries,
    staged_upload,
)
from twofold.server.registry.labels import Promotion, Selection, promote
from twofold.server.store import files


def used(place: Place) -> int:
    with place.registry.database.read() as db:
        return files.sum_sizes(db, 1)


def send_again(place: Place, wheel: Path) -> None:
    """By the Anaconda.org API's three steps, as `anaconda upload --force` does after a deletion."""
    registry, owner = place.registry, place.owner
    stage = staged_upload.begin(registry, owner, "main", staged_upload.StagedUpload(wheel.name))
    staged_upload.store_bytes(registry, stage, wheel)
    staged_upload.commit(registry, owner, stage, staged_upload.FormClaims())


def test_what_is_brought_back_counts_and_an_archived_project_takes_nothing_back(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    wheel = make_wheel(tmp_path, "one")
    place.publish(wheel)
    lifecycle.delete_release(registry, owner, "main", "one")
    place.publish(make_wheel(tmp_path, "two"))
    administration.set_rules(registry, "operator", "main", {"quota": used(place) + 1})
    with pytest.raises(Refused, match="do not fit"):
        send_again(place, wheel)
    administration.set_rules(registry, "operator", "main", {"quota": None})
    lifecycle.set_status(registry, owner, "main", "one", "archived")
    with pytest.raises(Refused, match="archived"):
        send_again(place, wheel)
    lifecycle.set_status(registry, owner, "main", "one", "active")
    send_again(place, wheel)
    project = queries.get_project(registry, owner, "main", "one")
    assert len(queries.list_files(registry, project)) == 2


def test_a_package_made_later_counts_and_is_made_when_there_is_room(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    assert owner.user is not None
    extra = ("Provides-Extra: more", 'Requires-Dist: x; extra == "more"')
    dependency = make_wheel(tmp_path, "dep", "1.0", *extra)
    accounts.add_channel(registry, "operator", "other", owner.user)
    measured = place.publish(dependency, "other")
    waiting = place.publish(make_wheel(tmp_path, "asks", "1.0", "Requires-Dist: dep[more]"))
    assert waiting.converted == ()
    room = measured.file.size + sum(twin.size for twin in measured.converted)
    administration.set_rules(registry, "operator", "main", {"quota": used(place) + room})
    place.publish(dependency)
    made, left = conversion.reconvert_all(registry, "main")
    assert made == []
    assert "do not fit" in left[waiting.file.filename]
    administration.set_rules(registry, "operator", "main", {"quota": None})
    made, left = conversion.reconvert_all(registry, "main")
    assert ([file.name for file in made], left) == (["asks"], {})


def test_nothing_is_promoted_out_of_a_quarantine(place: Place, tmp_path: Path) -> None:
    registry, owner = place.registry, place.owner
    assert owner.user is not None
    accounts.add_channel(registry, "operator", "stable", owner.user)
    place.publish(make_wheel(tmp_path))
    lifecycle.set_status(registry, owner, "main", "my_package", "quarantined", "malware")
    for target in ("stable", "main"):
        promotion = Promotion("main", target, Selection("my_package"), to_label="checked")
        with pytest.raises(Refused, match="quarantined: malware") as refused:
            promote(registry, owner, promotion)
        assert refused.value.status == 403
    assert queries.list_projects(registry, owner, "stable") == []


def test_a_name_that_becomes_private_while_its_file_is_on_the_way_gets_nothing_from_upstream(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    static = StaticServer(tmp_path / "static")
    theirs = make_wheel(tmp_path / "theirs", "spam", "9.0")
    static.publish(theirs)
    add_upstream(place, f"{static.url}/simple")
    pages.get_simple_page(registry, View(owner, "main"), "spam", "json")
    found = fetch.find_fetchable(registry, owner, FileRequest("main", "", theirs.name))
    assert found is not None
    place.publish(make_wheel(tmp_path, "spam", "1.0"))
    with pytest.raises(Refused, match="'spam' is private"):
        download = fetch.Download(registry.spool / "fetched", found.pin.sha256)
        registry.spool.mkdir(exist_ok=True)
        fetch.fetch_and_publish(registry, found, download)
    project = queries.get_project(registry, owner, "main", "spam")
    assert {file.version for file in queries.list_files(registry, project)} == {"1.0"}
    static.close()
