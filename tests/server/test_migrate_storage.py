"""`twofold admin move` that is killed in the middle goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.stores import S3, PostgreSQL
from twofold.server.app import open_registry
from twofold.server.registry import maintenance
from twofold.server.settings import Settings
from twofold.server.store import Blobs


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
    moved.database.close()
    assert (verdict.is_sound, verdict.checked) == (True, 60)
