"""What is read without the full readers: archives of the usual form, and usual metadata."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import ExceptionGroup, Metadata

from twofold.errors import BadFile
from twofold.formats.core_metadata import find_specification_mistakes, parse_raw_metadata
from twofold.formats.light.plain_archives import list_wheel_files, read_sdist_files
from twofold.formats.sdist import read_sdist
from twofold.formats.zip_archive import ZipArchive

INFO = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"
LONG = "a-1/" + "folder/" * 30 + "b.py"


def write_tar(path: Path, form: int, names: list[str]) -> None:
    with tarfile.open(path, "w:gz", format=form) as tar:
        for name in names:
            member = tarfile.TarInfo(name.removesuffix("/"))
            data = b"" if name.endswith("/") else INFO if name.endswith("PKG-INFO") else b"x" * 700
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size, member.mtime = len(data), 1e9 + 0.5
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["a-1/b.py", "a-1/ä.py", LONG])
def test_a_plain_sdist_has_the_files_that_the_full_reader_finds(
    form: int, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "a-1.tar.gz"
    write_tar(path, form, ["a-1/", "a-1/PKG-INFO", name, "a-1/empty/"])
    files = read_sdist_files(str(path))
    if files is None:
        assert name == LONG and form == tarfile.GNU_FORMAT
    else:
        assert sorted(files) == sorted(read_sdist(path).files)
        assert (files["a-1/PKG-INFO"], files[name]) == (INFO, b"x" * 700)


@pytest.mark.parametrize("name", ["../a", "/a", "a-1/../../a", "a-1\\b", "a-1/./b", "a-1/\x07", ""])
def test_unusual_paths_are_left_to_the_full_reader(name: str, tmp_path: Path) -> None:
    sdist, wheel = tmp_path / "a-1.tar.gz", tmp_path / "a-1-py3-none-any.whl"
    write_tar(sdist, tarfile.PAX_FORMAT, ["a-1/PKG-INFO", name])
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"")
    assert read_sdist_files(str(sdist)) is None
    assert list_wheel_files(str(wheel)) is None


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S"])
def test_links_devices_and_doubles_are_left_to_the_full_reader(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("a-1/link")
        member.type, member.linkname = kind, "PKG-INFO"
        tar.addfile(member)
    assert read_sdist_files(str(path)) is None
    write_tar(path, tarfile.PAX_FORMAT, ["a-1/b", "a-1/b"])
    assert read_sdist_files(str(path)) is None
    path.write_bytes(path.read_bytes()[:-20])
    assert read_sdist_files(str(path)) is None


def test_a_plain_wheel_has_the_files_that_the_full_reader_finds(tmp_path: Path) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/__init__.py", "a/ä.py", "a/data/", "a-1.dist-info/RECORD"):
            archive.writestr(name, b"" if name.endswith("/") else b"x" * 700)
    with ZipArchive(path) as full:
        assert list_wheel_files(str(path)) == [n for n in full.members if n[-1] != "/"]
    path.write_bytes(path.read_bytes() + b"comment")
    assert list_wheel_files(str(path)) is None


VERSIONS = ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4"]
#: An older packaging does not know the newest.
VERSIONS += ["2.5"] if hasattr(Metadata, "import_names") else []
_KEYS = """
    Summary Keywords Home-page Author Author-email License Download-URL Maintainer Requires-Python
    Description-Content-Type License-Expression Platform Classifier Requires-Dist Project-URL
    Provides-Extra Dynamic License-File Import-Name Import-Namespace Requires Description Unknown
    name version
"""
KEYS = _KEYS.split()
VALUES = [
    *(
        "",
        "a",
        "é ü",
        "1.0",
        "MIT",
        "mit",
        "Nope",
        "a, https://x",
        ">=3.9",
        "3.6+",
        ">=3,<4",
        "name",
    ),
    *("requests>=2", "foo; python_version<'3'", "foo @ https://x", "text/markdown", "text/x-rst;"),
    *("text/markdown; charset=UTF-8; variant=GFM", "text/plain; charset=latin1", "Requires-Dist"),
    *("text/markdown; variant=gfm", "text/plain; charset=UTF-8; charset=UTF-8", "import-name"),
    *("a.b", "a.if", "a; private", "a;private", "a;b", "a..b", "1a"),
    *("a/b", "a//b", "../x", "/x", "C:/x", "a\\b", "./a", "-a", "a-", "\u2028x", "a\tb", "trail "),
    *("a\x0bb", "\x85", "a*", "=?utf-8?q?=41?=", "x\n  continued", "x\njunk", "x\n\ny: z"),
]


def test_plain_metadata_are_judged_as_packaging_judges_them() -> None:
    chance = random.Random(20261130)
    judged = 0
    for _ in range(1500):
        version = chance.choice(VERSIONS)
        lines = [f"Metadata-Version: {version}", "Name: a", "Version: 1.0"]
        chosen = chance.sample(KEYS, chance.randrange(1, 3))
        lines += [f"{key}: {chance.choice(VALUES)}" for key in chosen]
        data = "\n".join(lines).encode() + chance.choice((b"", b"\n", b"\n\nbody\n"))
        try:
            if find_specification_mistakes(data):
                continue
        except BadFile:
            continue
        raw, unparsed = parse_raw_metadata(data)
        try:
            Metadata.from_raw(raw)
        except ExceptionGroup as error:
            pytest.fail(f"{data!r}: {error.exceptions}")
        assert not unparsed, data
        judged += 1
    assert judged > 300
