"""Conda packages from before 2017 have no paths.json, and `platform` and `arch` for a subdir."""

from __future__ import annotations

import bz2
import io
import json
import tarfile
from pathlib import Path

import pytest

from twofold.errors import BadFile
from twofold.formats.deep_check import find_problems
from twofold.formats.reader import read_artifact
from twofold.index.folder import index_folder

FILES = {"lib/python2.7/site-packages/old.py": b"x = 1\n", "bin/old": b"#!/bin/sh\n"}


def write_old(folder: Path, listed: list[str] | None, **index: object) -> Path:
    value = {"name": "old", "version": "1.0", "build": "py27_0", "build_number": 0, "depends": []}
    members = {"info/index.json": json.dumps({**value, **index}).encode(), **FILES}
    if listed is not None:
        members["info/files"] = "".join(f"{name}\n" for name in listed).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "old-1.0-py27_0.tar.bz2"
    path.write_bytes(bz2.compress(buffer.getvalue()))
    return path


@pytest.mark.parametrize(
    ("platform", "arch", "subdir"),
    [
        ("linux", "x86_64", "linux-64"),
        ("linux", "x86", "linux-32"),
        ("osx", "x86_64", "osx-64"),
        ("win", "x86_64", "win-64"),
        ("linux", "ppc64le", "linux-ppc64le"),
        ("linux", "armv7l", "linux-armv7l"),
        (None, None, "noarch"),
    ],
)
def test_the_subdir_follows_from_platform_and_arch(
    tmp_path: Path, platform: str | None, arch: str | None, subdir: str
) -> None:
    path = write_old(tmp_path / "anywhere", list(FILES), platform=platform, arch=arch)
    assert read_artifact(path).subdir == subdir
    assert find_problems(path) == []


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"platform": "../../outside", "arch": "x"},
        {"platform": "linux", "arch": "../../x"},
        {"platform": "a/b", "arch": "x86_64"},
    ],
)
def test_a_package_that_names_no_platform_is_refused_outside_a_folder_of_one(
    tmp_path: Path, index: dict[str, object]
) -> None:
    """The subdir becomes a folder of channels: it is never a path, nor one of ours."""
    path = write_old(tmp_path / "upload-x1", list(FILES), **index)
    with pytest.raises(BadFile, match="names no platform"):
        read_artifact(path)
    if not index:
        assert read_artifact(write_old(tmp_path / "osx-64", list(FILES))).subdir == "osx-64"


def test_an_old_package_is_indexed_where_it_belongs(tmp_path: Path) -> None:
    write_old(tmp_path / "linux-64", list(FILES), platform="linux", arch="x86_64")
    assert index_folder(tmp_path).problems == ()
    found = json.loads((tmp_path / "linux-64" / "repodata.json").read_text(encoding="utf-8"))
    assert found["packages"]["old-1.0-py27_0.tar.bz2"]["subdir"] == "linux-64"


def test_a_list_of_files_that_is_wrong_or_missing_is_reported(tmp_path: Path) -> None:
    path = write_old(tmp_path, ["bin/old", "bin/gone"], platform="linux", arch="x86_64")
    messages = [problem.message for problem in find_problems(path)]
    assert messages == [
        "info/files does not list lib/python2.7/site-packages/old.py",
        "info/files lists bin/gone, which is missing",
    ]
    (problem,) = find_problems(write_old(tmp_path, None, platform="linux", arch="x86_64"))
    assert problem.message == "info/paths.json is missing"
