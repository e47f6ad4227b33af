"""`twofold admin move` that is killed in the middle goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel, sha256_of
from tests.server.conftest import Place, new_place
from tests.servers.stores import S3, PostgreSQL
from twofold.server.app import open_registry
from twofold.server.model import ANONYMOUS
from twofold.server.registry import maintenance
from twofold.server.registry.browsing.search import SearchQuery, search_projects
from twofold.server.settings import Settings
from twofold.server.store import Blobs, channels


def test_a_killed_migration_resumes_and_sends_nothing_twice(
    place: Place, tmp_path: Path, postgresql: PostgreSQL, s3: S3
) -> None:
    for number in range(30):
        place.publish(make_wheel(tmp_path / "in", f"p{number}", code=f"x = {number}\n"))
    there = Settings(tmp_path / "there", postgresql.empty_database(), s3.new_bucket())
    command = [sys.executable, "-m", "twofold", "admin", "move", "--data", place.settings.data]
    command += ["--to-database", there.database, "--to-objects", there.objects]
    target = Blobs(there.objects)
    first = subprocess.Popen(command, stderr=subprocess.PIPE)
    while len(sent := {blob.sha256: blob.written_at for blob in target.list_all()}) < 10:
        if first.poll() is not None:
            break  # it was through before it could be killed, and has to be as whole
        time.sleep(0.01)
    first.kill()
    first.communicate()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = {blob.sha256: blob.written_at for blob in target.list_all()}
    assert len(after) == 60
    assert all(after[sha256] == at for sha256, at in sent.items())
    moved = open_registry(there)
    verdict = maintenance.verify(moved)
    found = search_projects(moved, ANONYMOUS, SearchQuery("p17"))
    moved.database.close()
    assert (verdict.is_sound, verdict.checked) == (True, 60)
    assert [one.listing.key for one in found.projects] == ["p17"]  # by PostgreSQL's own index


def open_place(folder: Path) -> Place:
    return new_place(Settings(folder))


def move(source: Place, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "twofold", "admin", "move", "--data", source.settings.data]
    command += ["--to-database", f"sqlite:///{(folder / 'registry.sqlite').as_posix()}"]
    command += ["--to-objects", str(folder / "objects"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def list_projects(place: Place) -> list[str]:
    with place.registry.database.read() as db:
        return [project.key for project in channels.list_projects(db, 1)]


@pytest.mark.slow
def test_a_move_never_replaces_what_the_target_holds_by_itself(tmp_path: Path) -> None:
    old, new = open_place(tmp_path / "old"), open_place(tmp_path / "new")
    old.publish(make_wheel(tmp_path, "ours"))
    new.publish(make_wheel(tmp_path, "theirs"))
    for _ in range(2):
        refused = move(old, new.settings.data)
        assert refused.returncode == 1
        assert "holds a registry (1 users, 1 channels, 2 files" in refused.stderr
        assert list_projects(new) == ["theirs"]
    itself = move(old, old.settings.data)
    assert (itself.returncode, list_projects(old)) == (1, ["ours"])
    assert move(old, new.settings.data, "--replace").returncode == 0
    assert list_projects(new) == ["ours"]


@pytest.mark.slow
def test_a_move_repeated_after_the_switch_loses_no_upload(tmp_path: Path) -> None:
    old = open_place(tmp_path / "old")
    old.publish(make_wheel(tmp_path, "ours"))
    assert move(old, tmp_path / "new").returncode == 0
    registry = open_registry(Settings(tmp_path / "new"))
    new = Place(registry, Settings(tmp_path / "new"), "", old.owner)
    new.publish(make_wheel(tmp_path, "since"))
    assert move(old, tmp_path / "new").returncode == 1
    assert list_projects(new) == ["ours", "since"]


@pytest.mark.slow
def test_a_store_of_an_unfinished_move_is_opened_by_nobody_until_the_move_has_finished(
    tmp_path: Path,
) -> None:
    old, other = open_place(tmp_path / "old"), open_place(tmp_path / "other")
    wheel = make_wheel(tmp_path, "ours")
    damaged = old.registry.blobs.folder
    assert damaged is not None
    old.publish(wheel)
    found = next(path for path in damaged.rglob(sha256_of(wheel)))
    content = found.read_bytes()
    found.write_bytes(b"damaged")
    target = tmp_path / "new"
    assert move(old, target).returncode == 1
    for words in (["serve", "--port", "0"], ["admin", "users"]):
        command = [sys.executable, "-m", "twofold", *words, "--data", str(target)]
        refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert refused.returncode == 1
        assert "the target of an unfinished move" in refused.stderr
        assert "token of" not in refused.stdout
    assert "holds an unfinished move" in move(other, target).stderr
    found.write_bytes(content)
    assert move(old, target).returncode == 0
    moved = open_registry(Settings(target))
    assert maintenance.verify(moved).is_sound


def test_a_database_of_a_newer_version_stops_the_start(tmp_path: Path) -> None:
    place = open_place(tmp_path / "d")
    with place.registry.database.write() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--data"]
    refused = subprocess.run(
        [*command, str(tmp_path / "d")], capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 1
    assert "the database has the schema 0099" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_object_store_that_cannot_be_used_stops_the_start(tmp_path: Path, s3: S3) -> None:
    missing = s3.new_bucket().replace("s3://", "s3://not-")
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--data"]
    command += [str(tmp_path / "d"), "--objects", missing]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 1
    assert "the object store failed to list" in refused.stderr
    assert "token of" not in refused.stdout
