"""A folder as an index and a channel: right, incremental, and whole at every moment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest
import zstandard
from packaging.version import Version

from tests.conftest import CommandResult
from tests.factories.artifacts import (
    METADATA,
    compress_tar,
    make_member,
    write_conda,
    write_raw_conda,
    write_sdist,
    write_wheel,
)
from twofold.conda_metadata import CondaPackage
from twofold.formats.reader import read_artifact
from twofold.index import repodata
from twofold.index.folder import index_folder


def read_json(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def make_channel(folder: Path) -> Path:
    (folder / "noarch").mkdir(parents=True)
    (folder / "linux-64").mkdir()
    exports = {"run_exports.json": b'{"weak": ["numpy >=2"]}'}
    write_conda(folder / "noarch", CondaPackage("a", "1.0", depends=["python"], timestamp=1000))
    write_conda(
        folder / "noarch", CondaPackage("a", "1.1", about={"summary": "A ö"}, timestamp=2000)
    )
    write_conda(folder / "noarch", CondaPackage("b", "2"), ending=".tar.bz2")
    numpy = CondaPackage("numpy", "2", build="py311_0", subdir="linux-64", noarch=None)
    numpy.info_files = exports
    write_conda(folder / "linux-64", numpy)
    return folder


def test_repodata_has_the_metadata_of_the_files(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    done = index_folder(folder)
    assert (done.files, done.read, done.removed, done.problems) == (4, 4, 0, ())
    data = (folder / "noarch/repodata.json").read_bytes()
    found = json.loads(data)
    assert found["info"] == {"subdir": "noarch"}
    assert list(found["packages.conda"]) == ["a-1.0-py_0.conda", "a-1.1-py_0.conda"]
    assert list(found["packages"]) == ["b-2-py_0.tar.bz2"]
    file = folder / "noarch/a-1.0-py_0.conda"
    record = found["packages.conda"][file.name]
    assert record["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert record["md5"] == hashlib.md5(file.read_bytes()).hexdigest()
    assert (record["size"], record["depends"]) == (file.stat().st_size, ["python"])
    assert (
        zstandard.ZstdDecompressor().decompress((folder / "noarch/repodata.json.zst").read_bytes())
        == data
    )


def test_the_bytes_are_those_of_the_pure_functions(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    for subdir in ("noarch", "linux-64"):
        artifacts = [read_artifact(path) for path in sorted((folder / subdir).glob("*-*-*.*"))]
        records = {a.filename: repodata.make_record(a) for a in artifacts}
        value = repodata.make_repodata_from_records(subdir, records)
        assert (folder / subdir / "repodata.json").read_bytes() == repodata.serialize(value)
        shards = repodata.make_shards(subdir, records)
        assert (folder / subdir / "repodata_shards.msgpack.zst").read_bytes() == shards.names
        for name, data in shards.files.items():
            assert (folder / subdir / "shards" / name).read_bytes() == data


def test_shards_name_their_bytes_by_sha256(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    packed = (folder / "noarch/repodata_shards.msgpack.zst").read_bytes()
    index = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(packed))
    assert index["version"] == 1
    assert index["info"] == {"subdir": "noarch", "base_url": "./", "shards_base_url": "./shards/"}
    assert list(index["shards"]) == ["a", "b"]
    for digest in index["shards"].values():
        data = (folder / "noarch/shards" / f"{digest.hex()}.msgpack.zst").read_bytes()
        assert hashlib.sha256(data).digest() == digest
    digest = index["shards"]["a"]
    data = (folder / "noarch/shards" / f"{digest.hex()}.msgpack.zst").read_bytes()
    shard = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(data))
    record = shard["packages.conda"]["a-1.0-py_0.conda"]
    file = folder / "noarch/a-1.0-py_0.conda"
    assert record["sha256"] == hashlib.sha256(file.read_bytes()).digest()


def test_run_exports_and_channeldata_and_notices_are_there(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    exports = read_json(folder / "linux-64/run_exports.json")
    assert exports["packages.conda"] == {
        "numpy-2-py311_0.conda": {"run_exports": {"weak": ["numpy >=2"]}}
    }
    data = read_json(folder / "channeldata.json")
    packages = data["packages"]
    assert isinstance(packages, dict)
    assert packages["a"]["version"] == "1.1"
    assert packages["a"]["summary"] == "A ö"
    assert packages["numpy"]["subdirs"] == ["linux-64"]
    assert data["subdirs"] == ["linux-64", "noarch"]
    assert read_json(folder / "notices.json") == {"notices": []}


def test_only_what_is_new_is_opened_and_written(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    done = index_folder(folder)
    assert (done.read, done.written) == (0, 0)
    write_conda(folder / "noarch", CondaPackage("c", "1"))
    done = index_folder(folder)
    assert (done.files, done.read) == (5, 1)
    after = {p: p.stat().st_mtime_ns for p in before}
    changed = {p.relative_to(folder).as_posix() for p in before if before[p] != after[p]}
    assert changed == {
        ".twofold-index.sqlite",
        "channeldata.json",
        "noarch/current_repodata.json",
        "noarch/current_repodata.json.zst",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/repodata_shards.msgpack.zst",
    }


def test_an_index_made_step_by_step_is_the_one_made_at_once(tmp_path: Path) -> None:
    steps, once = tmp_path / "steps", tmp_path / "once"
    (steps / "noarch").mkdir(parents=True)
    for number in range(6):
        write_conda(steps / "noarch", CondaPackage("abc"[number % 3], f"{number}.0"))
        index_folder(steps)
    (steps / "noarch/a-0.0-py_0.conda").unlink()
    (steps / "noarch/b-1.0-py_0.conda").unlink()
    (steps / "noarch/b-4.0-py_0.conda").unlink()
    done = index_folder(steps)
    assert done.removed == 3
    shutil.copytree(
        steps,
        once,
        ignore=lambda _, names: [n for n in names if not n.endswith(".conda") and n != "noarch"],
    )
    index_folder(once)
    for name in ("noarch/repodata.json", "noarch/repodata_shards.msgpack.zst", "channeldata.json"):
        assert (steps / name).read_bytes() == (once / name).read_bytes()


def test_a_file_replaced_by_another_is_read_again(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    write_conda(folder / "noarch", CondaPackage("a", "1.0", depends=["python >=3.12"]))
    assert index_folder(folder).read == 1
    found = json.loads((folder / "noarch/repodata.json").read_text("utf-8"))
    assert found["packages.conda"]["a-1.0-py_0.conda"]["depends"] == ["python >=3.12"]


def test_shards_that_no_index_names_stay_for_a_week(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    old = set((folder / "noarch/shards").iterdir())
    write_conda(folder / "noarch", CondaPackage("a", "1.2"))
    index_folder(folder)
    assert old <= set((folder / "noarch/shards").iterdir())
    week = time.time() - 8 * 24 * 3600
    for shard in old:
        os.utime(shard, (week, week))
    write_conda(folder / "noarch", CondaPackage("a", "1.3"))
    index_folder(folder)
    left = old & set((folder / "noarch/shards").iterdir())
    assert len(left) == 1  # that of b, which did not change


def test_damaged_and_misplaced_files_are_left_out_and_reported(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    folder = make_channel(tmp_path / "channel")
    (folder / "noarch/bad-1-0.conda").write_bytes(b"<html>")
    write_conda(folder / "linux-64", CondaPackage("lost", "1"))
    ran = twofold("index", folder)
    assert ran.code == 1
    assert "noarch/bad-1-0.conda: not a zip archive" in ran.err
    assert "linux-64/lost-1-py_0.conda: the package is for noarch but is in linux-64/" in ran.err
    assert "4 files" in ran.out
    (folder / "bad-1.0-py3-none-any.whl").write_bytes(b"PK")
    with_wheels = twofold("index", folder, "--v3")
    assert with_wheels.code == 1
    assert "bad-1.0-py3-none-any.whl: " in with_wheels.err
    assert "Traceback" not in with_wheels.err
    (folder / "bad-1.0-py3-none-any.whl").unlink()
    (folder / "noarch/bad-1-0.conda").unlink()
    (folder / "linux-64/lost-1-py_0.conda").unlink()
    assert twofold("index", folder).code == 0


def test_an_empty_folder_becomes_a_channel_and_a_missing_one_is_reported(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    index_folder(tmp_path)
    assert read_json(tmp_path / "noarch/repodata.json")["packages.conda"] == {}
    ran = twofold("index", tmp_path / "gone")
    assert (ran.code, "is not a folder" in ran.err) == (1, True)


def test_pip_installs_from_the_pages_and_sees_the_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write_wheel(folder / "dist")
    write_sdist(folder / "dist")
    newer = METADATA.replace("1.0.0", "1.10.0") + "Requires-Python: >=3.9\n"
    write_wheel(folder, metadata=newer, filename="my_package-1.10.0-py3-none-any.whl")
    index_folder(folder)
    page = read_json(folder / "simple/my-package/index.json")
    assert page["versions"] == ["1.0.0", "1.10.0"]
    assert page["meta"] == {"api-version": "1.4"}
    files = page["files"]
    assert isinstance(files, list)
    for file in files:
        target = (folder / "simple/my-package" / file["url"]).resolve()
        assert hashlib.sha256(target.read_bytes()).hexdigest() == file["hashes"]["sha256"]
        if file["core-metadata"]:
            core = target.with_name(target.name + ".metadata").read_bytes()
            assert hashlib.sha256(core).hexdigest() == file["core-metadata"]["sha256"]
    assert not (folder / "noarch").exists()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--isolated"]
    command += ["--index-url", (folder / "simple").as_uri(), "--target", str(tmp_path / "target")]
    subprocess.run([*command, "my_package"], check=True, timeout=120)
    found = next((tmp_path / "target").glob("*.dist-info")).name
    assert Version(found.split("-")[1].removesuffix(".dist")) == Version("1.10.0")


def test_a_project_whose_last_file_went_has_no_page(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    index_folder(tmp_path)
    assert (tmp_path / "simple/my-package/index.html").exists()
    wheel.unlink()
    index_folder(tmp_path)
    assert not (tmp_path / "simple/my-package").exists()
    assert "my-package" not in (tmp_path / "simple/index.html").read_text("utf-8")


@pytest.mark.parametrize("workers", [0, 2])
def test_many_files_are_read_by_several_processes_alike(tmp_path: Path, workers: int) -> None:
    (tmp_path / "noarch").mkdir()
    for number in range(12):
        write_conda(tmp_path / "noarch", CondaPackage(f"p{number:02}", "1"))
    assert index_folder(tmp_path, workers=workers).read == 12
    found = json.loads((tmp_path / "noarch/repodata.json").read_text("utf-8"))
    assert list(found["packages.conda"]) == [f"p{n:02}-1-py_0.conda" for n in range(12)]


@pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")
def test_what_is_not_a_file_is_left_out_and_reported(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    (folder / "noarch" / "nowhere-1-0.conda").symlink_to(tmp_path / "gone")
    (folder / "noarch" / "folder-1-0.conda").mkdir()
    os.mkfifo(folder / "pipe-1.0-py3-none-any.whl")
    done = index_folder(folder)
    assert [(problem.where, problem.message) for problem in done.problems] == [
        ("noarch/folder-1-0.conda", "it is not a file"),
        ("noarch/nowhere-1-0.conda", "it is not a file"),
        ("pipe-1.0-py3-none-any.whl", "it is not a file"),
    ]
    assert done.files == 4


POISON = {
    "infinite": b'"timestamp": 1e999',
    "no number": b'"x": NaN',
    "half a letter": rb'"license": "\ud800"',
    "deep": b'"x": ' + b"[" * 100 + b"]" * 100,
    "too many bits": b'"x": 99999999999999999999999',
    "time as text": b'"timestamp": "now"',
    "time before time": b'"timestamp": -5',
    "a licence of numbers": b'"license": [1]',
    "no platform": b'"noarch": [1]',
    "features of numbers": b'"track_features": [1]',
}


@pytest.mark.parametrize("case", POISON)
def test_a_package_whose_record_would_spoil_the_channels_pages_is_left_out(
    tmp_path: Path, case: str
) -> None:
    folder = make_channel(tmp_path / "channel")
    index = {"name": "x", "version": "1", "build": "0", "build_number": 0, "subdir": "noarch"}
    text = json.dumps(index)[:-1].encode() + b", " + POISON[case] + b"}"
    write_raw_conda(
        folder / "noarch",
        compress_tar(make_member("info/index.json", text)),
        compress_tar(),
        stem="x-1-0",
    )
    done = index_folder(folder)
    assert [problem.where for problem in done.problems] == ["noarch/x-1-0.conda"]
    assert "x-1-0.conda" not in read_json(folder / "noarch/repodata.json")["packages.conda"]


def test_keys_that_only_the_channel_sets_are_not_copied_from_a_package(tmp_path: Path) -> None:
    folder = tmp_path / "channel"
    lying = {"url": "http://elsewhere.example/", "fn": "../x", "md5": "0", "size": "no"}
    write_conda(folder / "noarch", CondaPackage("x", "1", extra_index=lying))
    index_folder(folder)
    (record,) = read_json(folder / "noarch/repodata.json")["packages.conda"].values()
    assert not {"url", "fn"} & record.keys()
    assert len(record["md5"]) == 32
    assert isinstance(record["size"], int)


def test_a_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    path = next((folder / "noarch").glob("b-*.tar.bz2"))
    before = path.stat()
    other = tmp_path / "other.tar.bz2"
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert index_folder(folder).read == 1


def test_a_file_that_came_anew_with_its_content_changes_no_page(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    path = next((folder / "noarch").glob("*.conda"))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    done = index_folder(folder)
    assert (done.read, done.written) == (1, 0)


def test_a_file_that_is_damaged_now_leaves_the_pages(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    path = next((folder / "noarch").glob("*.conda"))
    path.write_bytes(b"PK")
    assert len(index_folder(folder).problems) == 1
    value = json.loads((folder / "noarch/repodata.json").read_bytes())
    assert path.name not in value["packages.conda"]
    newest = json.loads((folder / "noarch/current_repodata.json").read_bytes())
    assert path.name not in newest["packages.conda"]


def test_an_index_without_news_loads_no_reader_of_packages(tmp_path: Path) -> None:
    folder = make_channel(tmp_path / "channel")
    index_folder(folder)
    code = (
        "import sys; from pathlib import Path; from twofold.index.folder import index_folder\n"
        "assert index_folder(Path(sys.argv[1])).written == 0\n"
        "print({'twofold.formats.conda_reader', 'twofold.index.folder_pages'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code, str(folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"
