"""Pages that files are inserted into are those that rendering gives, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place
from twofold.server.model import StoredFile
from twofold.server.pages import conda_records, page_updates, simple_pages
from twofold.server.registry import administration, lifecycle
from twofold.server.registry.conversion import reconvert_all
from twofold.server.store import channels, files, pages

VERSIONS = ["1.0", "2.0rc1", "1.10", "1.2", "1.0.post1", "1!0.1", "0.9.dev1", "1.0.0.1"]


def assert_pages_are_as_rendered(place: Place) -> None:
    with place.registry.database.read() as db:
        channel = channels.find_channel(db, "main")
        assert channel is not None
        for project in channels.list_projects(db, channel.id):
            built = page_updates.build_project_pages(db, channel, project)
            for label, value in built.items():
                keys = [
                    page_updates.simple_page_key(label, form, project.key)
                    for form in ("json", "html")
                ]
                found = [pages.find_page(db, channel.id, key) for key in keys]
                if value is None:
                    assert found == [None, None]
                    continue
                assert found[0] is not None and found[1] is not None
                assert found[0].serial == found[1].serial == channel.serial
                assert found[0].body == simple_pages.render_project_json(value, channel.serial)
                assert found[1].body == simple_pages.render_project_html(value)
                assert [page_updates.make_etag(one.body) for one in found if one] == [
                    one.etag for one in found if one
                ]
            listed = files.list_project_files(db, project.id)
            for subdir, name in {(file.subdir, file.name) for file in listed if file.subdir}:
                assert_shards_are_as_rendered(place, subdir, name)


def assert_shards_are_as_rendered(place: Place, subdir: str, name: str) -> None:
    with place.registry.database.read() as db:
        every = files.list_conda_files(db, 1, subdir, name)
        for label in {label for file in every for label in file.labels}:
            shown: list[StoredFile] = [
                file for file in every if label in file.labels and file.yanked is None
            ]
            body = conda_records.render_shard(shown)
            assert pages.find_shard_of(db, 1, (label, subdir, name)) == body
            assert pages.find_shard(db, 1, hashlib.sha256(body).hexdigest()) == body


def test_files_in_any_order_of_versions_are_inserted_where_rendering_puts_them(
    place: Place, tmp_path: Path
) -> None:
    for number, version in enumerate(VERSIONS):
        place.publish(make_wheel(tmp_path, "my_package", version))
        assert_pages_are_as_rendered(place)
        if number % 3 == 0:
            place.publish(make_sdist(tmp_path, "my_package", version))
            assert_pages_are_as_rendered(place)


def test_what_cannot_be_inserted_is_rendered(place: Place, tmp_path: Path) -> None:
    """After a yank, a deletion, another label, a reserved prefix, a status."""
    registry, owner = place.registry, place.owner
    place.publish(make_wheel(tmp_path, "my_package", "1.0"))
    lifecycle.yank(registry, owner, "main", "my_package", "1.0", 'with\n"quotes" <a href="x">')
    place.publish(make_wheel(tmp_path, "my_package", "1.1"))
    assert_pages_are_as_rendered(place)
    place.publish(make_wheel(tmp_path, "my_package", "1.2"), labels=frozenset({"dev", "main"}))
    place.publish(make_wheel(tmp_path, "my_package", "1.3"), labels=frozenset({"dev"}))
    assert_pages_are_as_rendered(place)
    administration.reserve_prefix(registry, "operator", "main", "my", owner.user)
    place.publish(make_wheel(tmp_path, "my_package", "1.4"))
    assert_pages_are_as_rendered(place)
    lifecycle.set_status(registry, owner, "main", "my_package", "archived", "no longer kept")
    lifecycle.delete_release(registry, owner, "main", "my_package", "1.0")
    assert_pages_are_as_rendered(place)


def test_a_package_that_is_converted_later_is_inserted(place: Place, tmp_path: Path) -> None:
    place.publish(make_wheel(tmp_path, "extras_user", "1.0", "Requires-Dist: late[fast]"))
    place.publish(make_wheel(tmp_path, "late", "1.0"))
    reconvert_all(place.registry, "main")
    for name in ("extras_user", "late"):
        assert_shards_are_as_rendered(place, "noarch", name)


def test_a_replaced_shard_stays_for_a_day_after_its_replacement(
    place: Place, tmp_path: Path
) -> None:
    """Clients that read the list before still ask for it, however old it is."""
    registry, start = place.registry, datetime(2026, 1, 1, tzinfo=UTC)
    registry = replace(registry, clock=lambda: start)
    place.registry = registry
    place.publish(make_wheel(tmp_path, "my_package", "1.0"))
    with registry.database.read() as db:
        old = pages.find_shard_of(db, 1, ("main", "noarch", "my_package"))
    assert old is not None
    sha256 = hashlib.sha256(old).hexdigest()
    place.registry = replace(registry, clock=lambda: start + timedelta(days=30))
    place.publish(make_wheel(tmp_path, "my_package", "1.1"))
    for days, is_kept in ((1, True), (31, True), (32, False)):
        with registry.database.write() as db:
            pages.delete_unlisted_shards(db, start + timedelta(days=days - 1))
        with registry.database.read() as db:
            assert (pages.find_shard(db, 1, sha256) is not None) is is_kept
    assert_pages_are_as_rendered(place)
