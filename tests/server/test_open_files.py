"""The store's files as Windows has them: open while they are moved or deleted, and as file URLs."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twofold.server.store.blobs import Blobs, contents
from twofold.server.store.downloads import Download
from twofold.shared_files import open_shared

pytestmark = pytest.mark.windows


def test_a_shared_file_can_be_moved_and_deleted_while_it_is_open(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    handle = open_shared(first, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        assert os.write(handle, b"a\nb\r\n\x1a c") == 8
        first.replace(second)
        reader = open_shared(second, os.O_RDONLY)
        second.unlink()
        assert os.read(reader, 100) == b"a\nb\r\n\x1a c"
        os.close(reader)
    finally:
        os.close(handle)
    assert list(tmp_path.iterdir()) == []


def test_a_shared_file_is_opened_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with pytest.raises(FileNotFoundError) as caught:
        open_shared(path, os.O_RDONLY)
    assert caught.value.filename is not None
    path.write_bytes(b"longer than before")
    os.close(open_shared(path, os.O_RDWR | os.O_CREAT))
    assert path.read_bytes() == b"longer than before"
    os.close(open_shared(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
    assert path.read_bytes() == b""


def test_a_download_is_published_and_removed_while_it_is_read(tmp_path: Path) -> None:
    spooled, published = tmp_path / "fetching-1", tmp_path / "published"
    download = Download(spooled, hashlib.sha256(b"x" * 10).hexdigest())
    assert download.follow_until_locked()
    download.begin(10)
    download.write(b"x" * 10)
    spooled.replace(published)
    download.finish()
    assert download.is_readable
    assert published.read_bytes() == b"x" * 10
    assert list(tmp_path.iterdir()) == [published]


def test_the_url_of_a_folder_is_that_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a blob & more"
    assert Blobs(folder.as_uri()).folder == Blobs(str(folder)).folder == folder.resolve()


def test_a_blob_is_deleted_while_it_is_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"y" * 3_000_000)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    blobs = Blobs(str(tmp_path / "blobs"))
    blobs.put(digest, source)
    chunks = blobs.stream(digest, 3_000_000, 0, 3_000_000)
    received = next(chunks)
    blobs.delete(digest)
    assert received + b"".join(chunks) == source.read_bytes()


@pytest.mark.parametrize("has_links", [True, False])
def test_a_taken_file_stays_when_its_first_name_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:  # as on a disk without links

        def refuse(_source: Path, _target: Path) -> None:
            raise OSError

        monkeypatch.setattr(os, "link", refuse)
    source = tmp_path / "source"
    source.write_bytes(b"y" * 3_000)
    os.utime(source, (1, 1))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    monkeypatch.setattr(contents, "FLUSHED_EARLY", 1)
    blobs = Blobs(str(tmp_path / "blobs"))
    for _ in range(2):  # the second time it is there
        with blobs.flushing(source):
            blobs.take(digest, source)
    source.unlink()
    assert blobs.read(digest) == b"y" * 3_000
    (stored,) = blobs.list_all()
    assert stored.written_at.timestamp() > time.time() - 600  # new for garbage collection
    assert not blobs.list_leftovers(datetime.now(UTC))
