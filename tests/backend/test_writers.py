"""The hand-packed zip and tar.gz, read by the standard library and by other people's programs."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold_build import sdist, zip_writer
from twofold_build.archive import Entry, to_content
from twofold_build.plan import EARLIEST
from twofold_build.sdist import TarGzWriter
from twofold_build.zip_writer import ZipWriter

_NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\", exclude_categories=["Cs"]),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in (".", ".."))
_PATHS = st.lists(_NAMES, min_size=1, max_size=6).map("/".join)
_FILES = st.dictionaries(_PATHS, st.tuples(st.binary(max_size=3000), st.booleans()), max_size=6)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_FILES)
def test_any_files_come_back_from_both(
    tmp_path: Path, files: dict[str, tuple[bytes, bool]]
) -> None:
    zipped = ZipWriter(str(tmp_path / "x.zip"), EARLIEST)
    tarred = TarGzWriter(str(tmp_path / "x.tar.gz"), "top", EARLIEST)
    for path, (data, executable) in files.items():
        for writer in (zipped, tarred):
            writer.add(Entry(path, data=data, executable=executable), to_content(data))
    zipped.close()
    tarred.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        found = {
            i.filename: (archive.read(i), bool(i.external_attr >> 16 & 0o100))
            for i in archive.infolist()
        }
    assert found == files
    with tarfile.open(tmp_path / "x.tar.gz") as archive:
        found = {}
        for member in archive.getmembers():
            data = archive.extractfile(member)
            assert data is not None
            found[member.name.removeprefix("top/")] = (data.read(), bool(member.mode & 0o100))
    assert found == files


def test_an_archive_over_the_old_limits_needs_and_has_zip64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_writer, "_LIMIT32", 5000)
    monkeypatch.setattr(zip_writer, "_LIMIT16", 20)
    data = bytes(range(256)) * 40
    writer = ZipWriter(str(tmp_path / "x.zip"), EARLIEST)
    for number in range(30):
        writer.add(Entry(f"f{number}"), to_content(data))
    writer.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 30
        assert archive.read("f29") == data


def test_a_size_over_the_ustar_limit_goes_into_a_pax_header() -> None:
    block = sdist.make_tar_header("big.bin", 9 << 30, False, EARLIEST)
    assert len(block) == 3 * 512
    info = tarfile.TarInfo.frombuf(block[:512], "utf-8", "strict")
    assert info.type == tarfile.XHDTYPE
    assert b"size=9663676416\n" in block[512:1024]


@pytest.mark.slow
def test_a_file_over_four_gigabytes_can_be_packed(tmp_path: Path) -> None:
    data = bytes((4 << 30) + 5)
    content = to_content(data)
    zipped = ZipWriter(str(tmp_path / "x.zip"), EARLIEST)
    zipped.add(Entry("zeros"), content)
    zipped.add(Entry("after", data=b"x"), to_content(b"x"))
    zipped.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.getinfo("zeros").file_size == len(data)
        assert archive.read("after") == b"x"


@pytest.mark.parametrize("program", ["unzip", "tar", "gzip"])
def test_other_programs_read_them(program: str, tmp_path: Path) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not there")
    zipped = ZipWriter(str(tmp_path / "x.zip"), EARLIEST)
    tarred = TarGzWriter(str(tmp_path / "x.tar.gz"), "top", EARLIEST)
    for number in range(40):
        content = to_content(bytes([number]) * 5000 * number)
        for writer in (zipped, tarred):
            writer.add(Entry(f"folder/file{number}"), content)
    zipped.close()
    tarred.close()
    words = {
        "unzip": ["unzip", "-tqq", "x.zip"],
        "tar": ["tar", "tzf", "x.tar.gz"],
        "gzip": ["gzip", "-t", "x.tar.gz"],
    }
    subprocess.run(words[program], cwd=tmp_path, check=True, capture_output=True)
    assert gzip.decompress((tmp_path / "x.tar.gz").read_bytes()).endswith(bytes(1024))


def test_the_compressor_without_isal_is_zlib_and_what_it_packs_is_the_same(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['isal'] = None\n"
        "from twofold_build import archive; assert archive.COMPRESSOR == 'zlib'\n"
        "from twofold_build.zip_writer import ZipWriter\n"
        "from twofold_build.archive import Entry, to_content\n"
        "w = ZipWriter(sys.argv[1], 315532800)\n"
        "w.add(Entry('a'), to_content(b'abc' * 999)); w.close()"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "x.zip"], check=True)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("a") == b"abc" * 999


def test_an_abort_leaves_nothing(tmp_path: Path) -> None:
    writer = ZipWriter(str(tmp_path / "x.zip"), EARLIEST)
    writer.add(Entry("a"), to_content(b"a"))
    writer.abort()
    assert list(tmp_path.iterdir()) == []
