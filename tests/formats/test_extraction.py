"""Unpacking to disk stays inside the folder, on Pythons with and without the data filter."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.factories.archives import extract_all

pytestmark = pytest.mark.windows
WITHOUT_FILTER = "Python 3.11.0 to 3.11.3"


@pytest.fixture(params=["this Python", WITHOUT_FILTER], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == WITHOUT_FILTER:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def make(path: Path, *members: tuple[str, bytes, str]) -> Path:
    """A tar of (name, kind, content or target of a link)."""
    with tarfile.open(path, "w") as archive:
        for name, kind, value in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.mode = 0o6777
            member.uid = member.gid = 12345
            data = value.encode() if kind == tarfile.REGTYPE else b""
            member.size = len(data)
            member.linkname = "" if data else value
            archive.addfile(member, io.BytesIO(data))
    return path


def test_files_folders_and_links_inside_are_unpacked_as_this_users(tmp_path: Path) -> None:
    members = [("p", tarfile.DIRTYPE, ""), ("p/a.txt", tarfile.REGTYPE, "text")]
    if os.name != "nt":  # where links need rights
        members += [("p/b.txt", tarfile.SYMTYPE, "a.txt"), ("p/c.txt", tarfile.LNKTYPE, "p/a.txt")]
    with tarfile.open(make(tmp_path / "a.tar", *members)) as archive:
        extract_all(archive, tmp_path / "out")
    for path in (tmp_path / "out" / "p").iterdir():
        assert path.read_text() == "text"
    found = (tmp_path / "out" / "p" / "a.txt").stat()
    assert found.st_mode & 0o7022 == 0
    assert found.st_uid != 12345


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("../out.txt", tarfile.REGTYPE, "x")], id="a path that climbs"),
        pytest.param([("a/../../out.txt", tarfile.REGTYPE, "x")], id="a path that climbs later"),
        pytest.param([("link", tarfile.SYMTYPE, "../..")], id="a link that climbs"),
        pytest.param([("link", tarfile.SYMTYPE, "/etc")], id="a link to an absolute path"),
        pytest.param([("link", tarfile.LNKTYPE, "../out.txt")], id="a hard link that climbs"),
        pytest.param([("pipe", tarfile.FIFOTYPE, "")], id="a pipe"),
        pytest.param([("device", tarfile.CHRTYPE, "")], id="a device"),
    ],
)
def test_what_leads_out_or_is_no_file_is_refused(
    members: list[tuple[str, bytes, str]], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    path = make(tmp_path / "a.tar", *members)
    with tarfile.open(path) as archive, pytest.raises((tarfile.TarError, OSError)):
        extract_all(archive, tmp_path / "in" / "folder")
    assert {one.name for one in tmp_path.iterdir()} - {"a.tar", "in"} == {p.name for p in before}
