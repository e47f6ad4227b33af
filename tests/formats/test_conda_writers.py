"""Packages that are written: judged by conda's and prefix.dev's own readers."""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
from pathlib import Path

import pytest
from conda_package_handling import api as handling
from conda_package_streaming import package_streaming
from rattler_build import Package

from tests.factories.artifacts import write_conda
from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.deep_check import find_problems
from twofold.formats.reader import read_artifact
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold_build.archive import Content, Entry

ENDINGS = (".conda", ".tar.bz2")
FILES = {
    "site-packages/my_package/__init__.py": b"from .a import f\n",
    "site-packages/my_package/a.py": b"def f():\n    return 42\n",
    "site-packages/my_package/" + "deep/" * 40 + "ö" * 60 + ".py": b"x = 1\n",
    "site-packages/my_package/" + "n" * 180 + ".txt": b"",
    "share/my_package/large.bin": random.Random(1).randbytes(1 << 16) * 18,
}


def package() -> CondaPackage:
    return CondaPackage(
        "my_package",
        "1.0.0",
        depends=["python >=3.9", "numpy >=1.26,<3dev0"],
        constrains=["scipy >=1"],
        about={"summary": "Ünïcode", "license": "MIT"},
        entry_points=["my-tool = my_package:f"],
        timestamp=1_700_000_000_000,
        info_files={"licenses/LICENSE": b"MIT\n", "run_exports.json": b'{"weak": ["a >=1"]}'},
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_conda_package_streaming_reads_every_file_back(tmp_path: Path, ending: str) -> None:
    path = write_conda(tmp_path, package(), FILES, ending)
    found = {}
    for component in ("pkg", "info") if ending == ".conda" else ("pkg",):
        for tar, member in package_streaming.stream_conda_component(path, component=component):
            stream = tar.extractfile(member)
            assert stream is not None
            found[member.name] = stream.read()
            assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 1_700_000_000)
    assert {name: data for name, data in found.items() if not name.startswith("info/")} == FILES
    assert json.loads(found["info/index.json"])["depends"] == [
        "python >=3.9",
        "numpy >=1.26,<3dev0",
    ]
    link = json.loads(found["info/link.json"])
    assert link["noarch"] == {"type": "python", "entry_points": ["my-tool = my_package:f"]}
    assert found["info/licenses/LICENSE"] == b"MIT\n"
    for line in json.loads(found["info/paths.json"])["paths"]:
        assert line["sha256"] == hashlib.sha256(FILES[line["_path"]]).hexdigest()
        assert line["size_in_bytes"] == len(FILES[line["_path"]])


@pytest.mark.parametrize("ending", ENDINGS)
def test_conda_package_handling_extracts_it(tmp_path: Path, ending: str) -> None:
    path = write_conda(tmp_path, package(), FILES, ending)
    handling.extract(str(path), str(tmp_path / "out"))
    for name, data in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == data
    assert json.loads((tmp_path / "out/info/about.json").read_text("utf-8"))["summary"] == "Ünïcode"


@pytest.mark.parametrize("ending", ENDINGS)
def test_rattler_builds_reader_agrees(tmp_path: Path, ending: str) -> None:
    found = Package.from_file(str(write_conda(tmp_path, package(), FILES, ending)))
    assert (found.name, found.version, found.build_string) == ("my_package", "1.0.0", "py_0")
    assert found.depends == ["python >=3.9", "numpy >=1.26,<3dev0"]
    assert found.noarch == "python"
    assert sorted(found.files) == sorted(FILES)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_and_found_sound(tmp_path: Path, ending: str) -> None:
    path = write_conda(tmp_path, package(), FILES, ending)
    artifact = read_artifact(path)
    assert (artifact.name, artifact.version, artifact.build) == ("my_package", "1.0.0", "py_0")
    assert (artifact.subdir, artifact.size) == ("noarch", path.stat().st_size)
    assert artifact.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert find_problems(path) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_package_is_the_same_to_the_byte(tmp_path: Path, ending: str) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        write_conda(folder, package(), FILES, ending, threads=1 if folder is one else 3)
    name = f"my_package-1.0.0-py_0{ending}"
    assert (one / name).read_bytes() == (other / name).read_bytes()


def test_info_comes_first_in_a_tar_bz2(tmp_path: Path) -> None:
    with tarfile.open(write_conda(tmp_path, package(), FILES, ".tar.bz2")) as tar:
        names = tar.getnames()
    assert names[0] == "info/index.json"
    assert [name.startswith("info/") for name in names] == sorted(
        (name.startswith("info/") for name in names), reverse=True
    )


@pytest.mark.parametrize("writer_class", [CondaWriter, TarBz2Writer])
def test_an_aborted_package_leaves_nothing(
    tmp_path: Path, writer_class: type[CondaWriter | TarBz2Writer]
) -> None:
    writer = writer_class(tmp_path / "my_package-1.0.0-py_0.conda", package())
    writer.add(Entry("a"), Content(b"a", hashlib.sha256(b"a").digest()))
    writer.abort()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writer_class", [CondaWriter, TarBz2Writer])
def test_nothing_has_the_final_name_before_close(
    tmp_path: Path, writer_class: type[CondaWriter | TarBz2Writer]
) -> None:
    target = tmp_path / "noarch" / "my_package-1.0.0-py_0.conda"
    target.parent.mkdir()
    target.write_bytes(b"older")
    writer = writer_class(target, package())
    writer.add(Entry("a"), Content(b"a", hashlib.sha256(b"a").digest()))
    assert target.read_bytes() == b"older"
    writer.close()
    assert target.read_bytes() != b"older"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_large_file_in_pieces_gives_the_package_that_it_gives_whole(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(1 << 20) * 3
    files = {"large.bin": data}
    whole = write_conda(tmp_path / "whole", package(), files)
    target = tmp_path / "pieces" / whole.name
    writer = CondaWriter(target, package())
    pieces = (data[at : at + 70_000] for at in range(0, len(data), 70_000))
    digest = writer.add_pieces(Entry("large.bin"), len(data), pieces)
    writer.close()
    assert digest == hashlib.sha256(data).digest()
    assert target.read_bytes() == whole.read_bytes()


def test_a_placeholder_is_listed_for_the_installer(tmp_path: Path) -> None:
    target = tmp_path / "my_package-1.0.0-py_0.conda"
    writer = CondaWriter(target, package())
    data = b"#!/long/placeholder/bin/python\n"
    writer.add(
        Entry("bin/x", executable=True),
        Content(data, hashlib.sha256(data).digest()),
        "/long/placeholder",
    )
    writer.close()
    handling.extract(str(target), str(tmp_path / "out"))
    (line,) = json.loads((tmp_path / "out/info/paths.json").read_text("utf-8"))["paths"]
    assert (line["prefix_placeholder"], line["file_mode"]) == ("/long/placeholder", "text")
    has_prefix = (tmp_path / "out/info/has_prefix").read_text("utf-8")
    assert has_prefix == "/long/placeholder text bin/x\n"
