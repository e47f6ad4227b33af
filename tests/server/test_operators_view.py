"""What operators read of a fault, and what clients do not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, new_place
from twofold.errors import StoreUnreachable, TwofoldError
from twofold.server.opening import open_registry
from twofold.server.registry import maintenance
from twofold.server.registry.leftovers import delete_leftovers
from twofold.server.settings import Settings
from twofold.server.spool_lock import SpoolLock
from twofold.server.store import Blobs, Database
from twofold.server.web.error_responses import storage_error


def test_verify_names_the_files_of_what_is_damaged_or_missing(
    place: Place, tmp_path: Path, twofold: Any
) -> None:
    done = place.publish(make_wheel(tmp_path))
    folder = place.settings.data / "objects"
    [wheel] = folder.rglob(done.file.sha256)
    wheel.write_bytes(b"rot")
    [package] = folder.rglob(done.converted[0].sha256)
    package.unlink()
    found = maintenance.verify(place.registry)
    assert found.files_of == {
        done.file.sha256: ["main/my_package-1.0.0-py3-none-any.whl"],
        done.converted[0].sha256: [f"main/{done.converted[0].basename}"],
    }
    checked = twofold("admin", "verify", "--data", place.settings.data)
    assert checked.code == 1 and "(main/my_package-1.0.0-py3-none-any.whl)" in checked.err


def test_a_move_from_a_store_that_misses_an_object_names_the_way_on(
    place: Place, tmp_path: Path
) -> None:
    done = place.publish(make_wheel(tmp_path))
    [wheel] = (place.settings.data / "objects").rglob(done.file.sha256)
    wheel.unlink()
    target = Settings(tmp_path / "target")
    database = Database(target.database_url)
    with pytest.raises(TwofoldError, match="is missing") as refused:
        maintenance.migrate_storage(place.registry, database, Blobs(target.objects_url), print)
    database.close()
    assert "verify" in str(refused.value)


@pytest.mark.parametrize(
    "error",
    [
        StoreUnreachable("the database is unreachable: /run/secret/.s.PGSQL.5432 refused"),
        StoreUnreachable("the object store failed to read: http://10.0.0.7:9000/secret-bucket"),
        OSError("/srv/secret/registry is gone"),
        FileNotFoundError(2, "No such file or directory", "/srv/secret/blobs/ab"),
    ],
)
def test_no_answer_names_a_path_or_host_of_the_store(error: Exception) -> None:
    request: Any = None  # an answer to a failure of the store depends on no request
    answer = asyncio.run(storage_error(request, error))
    assert answer.status_code == 503
    text = json.dumps([str(bytes(answer.body)), str(answer.raw_headers)])
    assert "secret" not in text and "10.0.0.7" not in text


@pytest.mark.skipif(os.name == "nt", reason="no process is known to be alone there")
def test_a_start_removes_what_killed_processes_left_and_nothing_of_living_ones(
    tmp_path: Path,
) -> None:
    settings = Settings(tmp_path / "data")
    place = new_place(settings)
    settings.spool.mkdir()
    two_days_ago = time.time() - 2 * 86_400

    def leave() -> list[str]:
        for name in ("incoming-old", "incoming-new", "advisories-x", "verify.json"):
            (settings.spool / name).write_bytes(b"x")
        os.utime(settings.spool / "incoming-old", (two_days_ago, two_days_ago))
        (settings.spool / "upload-new").mkdir(exist_ok=True)
        delete_leftovers(place.registry)
        return sorted(path.name for path in settings.spool.iterdir())

    other = open_registry(settings)
    assert leave() == ["advisories-x", "incoming-new", "upload-new", "verify.json"]
    other.database.close()
    del other
    assert leave() == ["advisories-x", "verify.json"]
    assert place.registry.spool_lock is not None
    with place.registry.spool_lock.alone() as is_alone:
        assert is_alone
        command = [sys.executable, "-c", WAIT, str(settings.data)]
        other_process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert other_process.stdout is not None
        assert other_process.stdout.readline() == b"begins\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other_process.wait(0.2)
    assert other_process.wait(60) == 0
    other_process.stdout.close()
    place.registry.database.close()
    with SpoolLock(tmp_path / "absent").alone() as is_alone:  # as on a full disk
        assert not is_alone


#: Another process that begins to use the spool.
WAIT = """import pathlib, sys
from twofold.server.spool_lock import SpoolLock
print("begins", flush=True)
SpoolLock(pathlib.Path(sys.argv[1]))
"""
