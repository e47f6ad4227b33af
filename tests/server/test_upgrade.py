"""Data folders of earlier versions are opened and upgraded; those of later ones are refused."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, insert, select

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import new_place
from twofold.errors import TwofoldError
from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.model import View
from twofold.server.registry import maintenance, queries
from twofold.server.registry.browsing.search import SearchQuery, search_projects
from twofold.server.registry.publish import Upload, publish
from twofold.server.settings import Settings
from twofold.server.store import Database
from twofold.server.store.revisions import MIGRATIONS, list_revisions

SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder of this version with files of both worlds, and the owner's token."""
    folder = tmp_path_factory.mktemp("newest")
    place = new_place(Settings(folder / "data"))
    place.publish(make_wheel(folder, "alpha"))
    place.publish(make_conda(folder, "beta"))
    place.registry.database.close()
    return folder / "data", place.token


def make_older(data: Path, target: Path, revision: str) -> None:
    """Make the data folder that a version with this schema would have left."""
    shutil.copytree(data / "objects", target / "objects")
    older = Database(f"sqlite:///{(target / 'registry.sqlite').as_posix()}")
    with older.serialized_write() as db:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = db
        command.upgrade(config, revision)
    newer = Database(f"sqlite:///{(data / 'registry.sqlite').as_posix()}")
    now, then = MetaData(), MetaData()
    now.reflect(newer.engine)
    then.reflect(older.engine)
    with newer.read() as source, older.write() as db:
        for table in then.sorted_tables:
            if table.name == "alembic_version" or table.name.startswith("search_index"):
                continue  # the full-text index is filled when the store is opened
            rows = [dict(row._mapping) for row in source.execute(select(now.tables[table.name]))]
            kept = [{c.name: row[c.name] for c in table.columns} for row in rows]
            kept = [row for row in kept if row.get("key") != "search-index"]
            if kept:
                db.execute(insert(table), kept)
    newer.close()
    older.close()


#: The first schema and the last but one are in every run.
REVISIONS = [
    pytest.param(one, marks=[] if one in (list_revisions()[0], list_revisions()[-2]) else SLOW)
    for one in list_revisions()
]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_data_folder_of_every_schema_is_opened_and_goes_on(
    newest: tuple[Path, str], tmp_path: Path, revision: str
) -> None:
    data, token = newest
    settings = Settings(tmp_path / "data")
    settings.data.mkdir()
    make_older(data, settings.data, revision)
    registry = open_registry(settings)
    try:
        assert registry.database.read_revision() == list_revisions()[-1]
        owner = accounts.identify(registry, token)
        found = search_projects(registry, owner, SearchQuery("bet")).projects
        assert [one.listing.key for one in found] == ["beta"]
        page, _ = queries.get_simple_page(registry, View(owner, "main"), "alpha", "json")
        assert b"alpha-1.0.0-py3-none-any.whl" in page.body
        [file] = queries.list_files(registry, queries.get_project(registry, owner, "main", "beta"))
        assert registry.blobs.compute_hash(file.sha256) == file.sha256
        wheel = make_wheel(tmp_path, "alpha", "1.1")
        publish(registry, owner, "main", Upload(wheel, wheel.name))
        assert maintenance.verify(registry).is_sound
    finally:
        registry.database.close()


def test_going_back_needs_the_backup_made_before(newest: tuple[Path, str], tmp_path: Path) -> None:
    """A version finds a schema that it does not know, and changes nothing."""
    settings = Settings(tmp_path / "data")
    shutil.copytree(newest[0], settings.data)
    file = settings.data / "registry.sqlite"
    before = sqlite3.connect(file)
    backup = sqlite3.connect(tmp_path / "backup.sqlite")
    before.backup(backup)
    before.execute("UPDATE alembic_version SET version_num = '9999'")
    before.commit()
    before.close()
    backup.close()
    with pytest.raises(TwofoldError, match="schema 9999"):
        open_registry(settings)
    for left in settings.data.glob("registry.sqlite*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.sqlite", file)
    registry = open_registry(settings)
    assert maintenance.verify(registry).is_sound
    registry.database.close()


def test_a_backup_taken_while_it_is_served_is_restored_and_verified(
    newest: tuple[Path, str], tmp_path: Path
) -> None:
    """The story of the how-to: database first, objects after it, restore, doctor, verify."""
    live, copy = Settings(tmp_path / "live"), Settings(tmp_path / "copy")
    shutil.copytree(newest[0], live.data)
    registry = open_registry(live)
    owner = accounts.identify(registry, newest[1])
    copy.data.mkdir()
    source = sqlite3.connect(live.data / "registry.sqlite")
    target = sqlite3.connect(copy.data / "registry.sqlite")
    source.backup(target)
    source.close()
    target.close()
    late = make_wheel(tmp_path, "late")
    publish(registry, owner, "main", Upload(late, late.name))  # between the two copies
    shutil.copytree(live.data / "objects", copy.data / "objects")
    registry.database.close()
    restored = open_registry(copy)
    found = maintenance.verify(restored)
    assert found.is_sound and len(found.unused) == 2  # the late wheel and its package: sweep
    assert accounts.identify(restored, newest[1]).user == owner.user
    [damaged] = copy.data.rglob(
        queries.list_files(restored, queries.get_project(restored, owner, "main", "beta"))[0].sha256
    )
    damaged.write_bytes(b"rot")
    assert maintenance.verify(restored).damaged == [damaged.name]
    repaired = maintenance.verify(restored, registry.blobs)
    assert repaired.repaired == [damaged.name] and repaired.is_sound
    restored.database.close()
