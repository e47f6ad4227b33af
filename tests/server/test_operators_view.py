"""What operators read of a fault, and what clients do not."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, new_place
from twofold.errors import StoreUnreachable, TwofoldError
from twofold.server.registry import maintenance
from twofold.server.settings import Settings
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


def test_a_start_removes_what_killed_uploads_left(tmp_path: Path) -> None:
    place = new_place(Settings(tmp_path / "data"))
    spool = place.settings.spool
    spool.mkdir()
    old, new = spool / "incoming-old", spool / "incoming-new"
    for path in (old, new):
        path.write_bytes(b"x")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    maintenance.delete_leftovers(place.registry)
    assert (old.exists(), new.exists()) == (False, True)
    place.registry.database.close()
