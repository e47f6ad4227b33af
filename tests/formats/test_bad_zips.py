"""Lying zips are refused, each with its own message, and honest ones read as others read them."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.factories.artifacts import write_wheel
from tests.formats import bad_zips
from twofold.errors import BadFile
from twofold.formats import zip_safety
from twofold.formats.deep_check import find_problems
from twofold.formats.reader import read_artifact
from twofold.formats.zip_archive import ZipArchive

NAME = "my_package-1.0.0-py3-none-any.whl"


def put(folder: Path, data: bytes) -> Path:
    path = folder / NAME
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", bad_zips.BAD_ZIPS)
def test_an_inconsistent_zip_is_refused_with_its_own_message(tmp_path: Path, case: str) -> None:
    make, words = bad_zips.BAD_ZIPS[case]
    path = put(tmp_path, make())
    with pytest.raises(BadFile, match=words) as refusal:
        read_artifact(path)
    assert str(refusal.value).startswith(NAME)
    assert words in "\n".join(map(str, find_problems(path)))


@pytest.mark.parametrize("case", bad_zips.BAD_CONTENTS)
def test_the_deep_check_finds_wrong_data(tmp_path: Path, case: str) -> None:
    make, words = bad_zips.BAD_CONTENTS[case]
    reported = "\n".join(map(str, find_problems(put(tmp_path, make()))))
    assert any(word in reported for word in words.split("|"))


def test_a_valid_zip_has_no_problems(tmp_path: Path) -> None:
    path = put(tmp_path, bad_zips.build(bad_zips.sound_members()))
    assert find_problems(path) == []
    assert read_artifact(path).name == "my_package"


def test_data_descriptors_are_read_but_refused_when_strict(tmp_path: Path) -> None:
    path = put(tmp_path, bad_zips.has_descriptors())
    assert read_artifact(path).version == "1.0.0"
    assert "data descriptor" in str(find_problems(path)[0])


def test_zipfile_and_uv_see_the_files_that_we_see(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"my_package/__init__.py": b"", "my_package/ö.py": b"x = 1\n"})
    with ZipArchive(path) as archive:
        ours = sorted(archive.members)
    assert ours == sorted(bad_zips.zipfile_names(path.read_bytes()))
    target = tmp_path / "target"
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--no-index", "--offline"]
    command += ["--python", sys.executable, "--target", str(target), str(path)]
    subprocess.run(command, check=True, timeout=60)
    installed = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert {name for name in ours if not name.endswith("RECORD")} <= installed


def test_a_zip_of_100_000_members_is_read_in_bounded_time(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"a/{number}"), b"")
    path = put(tmp_path, buffer.getvalue())
    with path.open("rb") as stream:
        listing = zip_safety.scan(stream)
    assert (len(listing.members), listing.problems) == (100_000, [])


def test_a_zip_that_claims_millions_of_members_is_not_listed(tmp_path: Path) -> None:
    data = bytearray(bad_zips.build(bad_zips.sound_members()))
    directory = data[-100:]
    assert directory
    # A directory of 97 MiB is refused by its size, before it is read.
    size = 97 << 20
    data[-10:-6] = size.to_bytes(4, "little")
    path = put(tmp_path, bytes(data))
    assert "larger than" in str(find_problems(path)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited as on Linux")
def test_a_bomb_is_refused_within_a_limit_of_memory(tmp_path: Path) -> None:
    path = put(tmp_path, bad_zips.BAD_ZIPS["bomb"][0]())
    code = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        "from twofold.formats.deep_check import find_problems\n"
        "print(find_problems(Path(sys.argv[1]))[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert "a bomb" in done.stdout, done.stderr
