"""Faults: mutated uploads, a full disk, stores that go away and return, damage."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.packages import make_conda, make_sdist, make_wheel
from tests.server.conftest import Place, new_place, serve
from tests.servers.processes import fetch_all_wheels, run_server, upload
from tests.servers.stores import PostgreSQL, s3_server
from twofold.errors import Refused
from twofold.server.app import open_registry
from twofold.server.registry import maintenance
from twofold.server.settings import Settings


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_mutated_file_is_taken_or_refused_but_never_breaks_the_registry(
    place: Place, tmp_path: Path, data: st.DataObject
) -> None:
    made = data.draw(st.sampled_from([make_wheel, make_sdist, make_conda]))
    path = made(tmp_path / "in")
    body = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        piece = data.draw(st.binary(max_size=8))
        body[at : at + data.draw(st.integers(0, 8))] = piece
    path.write_bytes(bytes(body))
    try:
        place.publish(path)
    except Refused as refusal:
        assert 400 <= refusal.status < 500
    assert maintenance.verify(place.registry).is_sound


def test_a_database_that_stops_is_reported_and_works_again_once_it_starts(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    place = new_place(Settings(tmp_path / "r", postgresql.new_database()))
    wheel = make_wheel(tmp_path)
    with serve(place):
        postgresql.stop()
        try:
            answer = place.upload(wheel)
            assert answer.status_code == 503
            assert "database is unreachable" in answer.reason
            assert answer.headers["retry-after"] == "5"
            assert place.get("/main/simple/my-package/").status_code == 503
            assert place.get("/healthz").status_code == 200
            ready = place.get("/readyz")
            assert (ready.status_code, "cannot reach database" in ready.reason) == (503, True)
        finally:
            postgresql.start()
        assert place.get("/readyz").status_code == 200
        assert place.upload(wheel).status_code == 200
        assert len(place.get("/main/noarch/repodata.json").json()["packages.conda"]) == 1
    assert maintenance.verify(place.registry).is_sound
    place.registry.database.close()


def test_an_object_store_that_stops_is_reported_and_works_again_once_it_starts(
    tmp_path: Path,
) -> None:
    """What was uploaded before is listed meanwhile; what was refused is not."""
    before, wheel = make_wheel(tmp_path, "before"), make_wheel(tmp_path)
    with s3_server() as first:
        place = new_place(Settings(tmp_path / "r", objects=first.new_bucket()))
        with serve(place):
            assert place.upload(before).status_code == 200
            first.stop()
            answer = place.upload(wheel)
            assert answer.status_code == 503
            assert "object store" in answer.reason
            assert answer.headers["retry-after"] == "5"
            ready = place.get("/readyz")
            assert (ready.status_code, "cannot reach objects" in ready.reason) == (503, True)
            assert place.get("/main/simple/my-package/").status_code == 404
            assert place.get("/main/simple/before/").status_code == 200
            first.start()
            assert place.get("/readyz").status_code == 200
            assert place.upload(wheel).status_code == 200
            assert len(place.get("/main/noarch/repodata.json").json()["packages.conda"]) == 2
        assert maintenance.verify(place.registry).is_sound


@pytest.mark.skipif(shutil.which("unshare") is None, reason="a file system of one's own")
def test_a_full_disk_is_reported_with_507_and_works_again_once_there_is_space(
    tmp_path: Path,
) -> None:
    """On a file system of 12 MB of its own, filled up to some bytes less than an upload needs."""
    mount = 'mount -t tmpfs -o size=12m tmpfs "$0" && exec "$@"'
    folder = tmp_path / "small"
    folder.mkdir()
    within = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
    try_it = subprocess.run([*within, "true"], capture_output=True, check=False)
    if try_it.returncode:
        pytest.skip("nobody may mount here")
    chance = random.Random(7)
    first, *wheels = [
        make_wheel(tmp_path / "in", f"p{n}", code=f"x = {chance.randbytes(150_000).hex()!r}\n")
        for n in range(8)
    ]
    with run_server(folder / "data", within=within) as (process, ready):
        seen = Path(f"/proc/{process.pid}/root{folder}")  # the folder as the server sees it
        url, token = ready["url"], ready["token"]
        assert upload(ready, token, first).status_code == 200
        acknowledged = {"p0-1.0.0-py3-none-any.whl"}
        statuses = []
        for wheel, free in zip(wheels, (0, 100, 180, 350, 520, 650, 800), strict=True):
            ballast = fill_up(seen, free << 10)
            answer = upload(ready, token, wheel)
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                acknowledged.add(wheel.name)
            else:
                assert answer.status_code in (503, 507), answer.text
                assert "retry-after" in answer.headers
                assert "space" in answer.reason or "full" in answer.reason, answer.reason
            assert set(fetch_all_wheels(url)) == acknowledged  # reading goes on
            ballast.unlink()
        assert 507 in statuses
        for wheel in wheels:
            assert upload(ready, token, wheel).status_code == 200
        assert len(fetch_all_wheels(url)) == 8
        shutil.copytree(seen / "data", tmp_path / "out")
    registry = open_registry(Settings(tmp_path / "out"))
    assert maintenance.verify(registry).is_sound
    assert list(registry.spool.iterdir()) == []
    registry.database.close()


def fill_up(folder: Path, free: int) -> Path:
    """Leave so many bytes; returns the file that takes the others."""
    ballast = folder / "ballast"
    space = os.statvfs(folder)
    with ballast.open("wb") as file:
        file.write(bytes(max(0, space.f_bavail * space.f_frsize - free)))
    return ballast


def test_a_damaged_object_is_found_and_repaired_from_the_other_side_or_reported(
    place: Place, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    """By the command: exit code 1 while anything is damaged or missing, 0 once it is repaired."""
    files = [place.publish(make_wheel(tmp_path / "in", f"p{n}")).file for n in range(3)]
    folder = place.registry.blobs.folder
    assert folder is not None
    shutil.copytree(folder, tmp_path / "copy")
    blobs = [folder / "blobs" / f.sha256[:2] / f.sha256[2:4] / f.sha256 for f in files]
    damaged = bytearray(blobs[0].read_bytes())
    damaged[40] ^= 1
    blobs[0].write_bytes(bytes(damaged))
    blobs[1].unlink()
    words = ("admin", "verify", "--data", place.settings.data)
    ran = twofold(*words)
    assert ran.code == 1
    assert f"damaged: {files[0].sha256}" in ran.err
    assert f"missing: {files[1].sha256}" in ran.err
    repaired = twofold(*words, "--repair-from", tmp_path / "copy")
    assert repaired.code == 0, repaired.err
    assert "2 repaired" in repaired.out
    assert twofold(*words).code == 0


def test_what_a_kill_left_behind_is_swept_after_a_day(place: Place, tmp_path: Path) -> None:
    place.publish(make_wheel(tmp_path))
    spool, folder = place.registry.spool, place.registry.blobs.folder
    assert folder is not None
    (spool / "upload-x").mkdir()
    left = [spool / "upload-x" / "x.whl", spool / "form-y", folder / "blobs" / ".z.1.2.part"]
    for path in left:
        path.write_bytes(b"x")
    maintenance.collect_garbage(place.registry)
    assert all(path.exists() for path in left)
    for path in (*left, spool / "upload-x"):
        os.utime(path, (1, 1))
    maintenance.collect_garbage(place.registry)
    assert not any(path.exists() for path in left)
    assert maintenance.verify(place.registry).is_sound


def test_readers_do_not_wait_for_a_writer_of_another_process(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path))
    database = sqlite3.connect(served.settings.data / "registry.sqlite", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        for path in ("/main/simple/", "/main/noarch/repodata.json", "/main/channeldata.json"):
            assert served.get(path).status_code == 200
        assert time.monotonic() - begun < 10
    finally:
        database.close()
    assert served.upload(make_wheel(tmp_path, "other")).status_code == 200


def test_an_upload_heals_a_damaged_blob(place: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    file = place.publish(wheel).file
    folder = place.registry.blobs.folder
    assert folder is not None
    blob = next(path for path in folder.rglob(file.sha256))
    blob.write_bytes(b"0" * file.size)
    place.registry.blobs.put(file.sha256, wheel)
    assert blob.read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("is_missing", [False, True])
def test_the_same_upload_heals_its_converted_package(
    place: Place, tmp_path: Path, is_missing: bool
) -> None:
    wheel = make_wheel(tmp_path)
    package = place.publish(wheel).converted[0]
    folder = place.registry.blobs.folder
    assert folder is not None
    blob = next(path for path in folder.rglob(package.sha256))
    before = blob.read_bytes()
    if is_missing:
        blob.unlink()
    else:
        blob.write_bytes(b"0" * len(before))
    assert not place.publish(wheel).is_new
    assert blob.read_bytes() == before
