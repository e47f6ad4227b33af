"""Repodata patches correct repodata and shards as conda-index's do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard

from tests.conftest import CommandResult
from tests.factories.artifacts import write_conda
from twofold.conda_metadata import CondaPackage
from twofold.errors import BadFile
from twofold.index.patches import apply_patches, read_patches

INSTRUCTIONS = {
    "patch_instructions_version": 1,
    "packages": {"a-1.0-py_0.tar.bz2": {"depends": ["python >=3.9"], "constrains": ["x <2"]}},
    "packages.conda": {"gone-1-py_0.conda": {"depends": []}},
    "revoke": ["b-1.0-py_0.conda"],
    "remove": ["c-1.0-py_0.tar.bz2"],
}


def make_channel(folder: Path) -> Path:
    for name in ("a", "b", "c"):
        write_conda(folder / "noarch", CondaPackage(name, "1.0", depends=["python"]))
    return folder


def load(path: Path) -> Any:
    data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    return msgpack.unpackb(data)


def test_instructions_of_a_folder_correct_repodata_and_shards(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "channel" / "noarch").mkdir(parents=True)
    channel = make_channel(tmp_path / "channel")
    (tmp_path / "patches" / "noarch").mkdir(parents=True)
    file = tmp_path / "patches" / "noarch" / "patch_instructions.json"
    file.write_text(json.dumps(INSTRUCTIONS), encoding="utf-8")
    assert twofold("index", channel, "--patches", tmp_path / "patches").code == 0
    noarch = channel / "noarch"
    found = json.loads((noarch / "repodata.json").read_text("utf-8"))
    records = found["packages.conda"]
    assert records["a-1.0-py_0.conda"]["depends"] == ["python >=3.9"]
    assert records["a-1.0-py_0.conda"]["constrains"] == ["x <2"]
    assert records["b-1.0-py_0.conda"]["depends"] == ["python", "package_has_been_revoked"]
    assert records["b-1.0-py_0.conda"]["revoked"] is True
    assert "c-1.0-py_0.conda" not in records
    assert found["removed"] == ["c-1.0-py_0.conda"]
    plain = json.loads((noarch / "repodata_from_packages.json").read_text("utf-8"))
    assert plain["packages.conda"]["a-1.0-py_0.conda"]["depends"] == ["python"]
    shards = load(noarch / "repodata_shards.msgpack.zst")["shards"]
    assert sorted(shards) == ["a", "b"]
    shard = load(noarch / "shards" / f"{shards['a'].hex()}.msgpack.zst")
    assert shard["packages.conda"]["a-1.0-py_0.conda"]["depends"] == ["python >=3.9"]
    file.write_text("{}", encoding="utf-8")
    assert twofold("index", channel, "--patches", tmp_path / "patches").code == 0
    shards = load(noarch / "repodata_shards.msgpack.zst")["shards"]
    shard = load(noarch / "shards" / f"{shards['a'].hex()}.msgpack.zst")
    assert shard["packages.conda"]["a-1.0-py_0.conda"]["depends"] == ["python"]
    assert sorted(shards) == ["a", "b", "c"]


def test_a_python_file_makes_the_instructions(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "channel" / "noarch").mkdir(parents=True)
    channel = make_channel(tmp_path / "channel")
    hotfix = tmp_path / "hotfix.py"
    hotfix.write_text(
        "def _patch_repodata(repodata, subdir):\n"
        "    names = repodata['packages.conda']\n"
        "    return {'packages.conda': {name: {'license': subdir} for name in names}}\n",
        encoding="utf-8",
    )
    assert twofold("index", channel, "--patches", hotfix).code == 0
    found = json.loads((channel / "noarch" / "repodata.json").read_text("utf-8"))
    assert {record["license"] for record in found["packages.conda"].values()} == {"noarch"}
    done = twofold("index", channel, "--patches", tmp_path / "nothing.txt")
    assert done.code == 1
    assert "neither a folder nor a Python file" in done.err


def test_records_stay_as_they_are_where_patches_are_applied() -> None:
    records = {"a-1.0-py_0.conda": {"depends": ["python"]}}
    patched = apply_patches(records, INSTRUCTIONS)
    assert patched.changed["a-1.0-py_0.conda"]["depends"] == ["python >=3.9"]
    assert records == {"a-1.0-py_0.conda": {"depends": ["python"]}}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([], "not an object"),
        ({"packages": []}, "'packages' is not a map of file names to keys"),
        ({"packages.conda": {"a-1.0-py_0.conda": None}}, "'packages.conda' is not a map"),
        ({"remove": "a-1.0-py_0.conda"}, "'remove' is not a list of file names"),
        ({"revoke": [1]}, "'revoke' is not a list of file names"),
        ({"patch_instructions_version": "1"}, "not of version 1"),
        ({"packages": {"a-1.0-py_0.tar.bz2": {"depends": "x"}}}, "'depends' a value that cannot"),
        ({"packages": {"a-1.0-py_0.tar.bz2": {"depends": ["x >=,"]}}}, "'x >=,' has a version"),
        ({"packages": {"a-1.0-py_0.tar.bz2": {"name": "z"}}}, "'name', which describes the file"),
        ({"packages": {"a-1.0-py_0.tar.bz2": {"sha256": "z"}}}, "'sha256', which describes"),
        ({"packages": {"a-1.0-py_0.tar.bz2": {"timestamp": float("inf")}}}, "'timestamp' a value"),
        ("raise KeyError('x')", "_patch_repodata failed for noarch: KeyError: 'x'"),
        ("return {'remove': {1}}", "set is not JSON serializable"),
        ("(", "the file cannot be run: SyntaxError"),
    ],
)
def test_instructions_that_would_spoil_the_channel_are_refused_with_their_place(
    tmp_path: Path, written: object, message: str
) -> None:
    path = tmp_path / "hotfix.py"
    if isinstance(written, str):
        path.write_text(f"def _patch_repodata(repodata, subdir):\n    {written}\n", "utf-8")
    else:
        path = tmp_path / "patches"
        (path / "noarch").mkdir(parents=True)
        (path / "noarch" / "patch_instructions.json").write_text(json.dumps(written), "utf-8")
    records = {"a-1.0-py_0.conda": {"name": "a", "version": "1.0", "build": "py_0"}}
    with pytest.raises(BadFile, match=re.escape(message)) as refused:
        apply_patches(records, read_patches(path)("noarch", {"packages": {}}))
    assert refused.value.problems[0].where


@pytest.mark.parametrize("ending", [".conda", ".tar.bz2"])
def test_a_package_has_the_instructions_of_every_subdir(tmp_path: Path, ending: str) -> None:
    files = {"noarch/patch_instructions.json": b'{"remove": ["a"], "revoke": null}'}
    made = write_conda(tmp_path, CondaPackage("patches", "1"), files, ending)
    patches = read_patches(made)
    assert patches("noarch", {}) == {"remove": ["a"]}
    assert patches("linux-64", {}) == {}


def test_null_removes_a_key_and_maps_are_merged_as_by_conda_index() -> None:
    names = ("a-1-0.conda", "a-1-0.tar.bz2")
    own = {"name": "a", "version": "1", "build": "0", "build_number": 0, "depends": ["x"]}
    records = {name: {**own, "license": "MIT", "extra_depends": {"a": ["q"]}} for name in names}
    keys = {"license": None, "extra_depends": {"b": ["z"]}}
    given = {"packages": {names[1]: keys}, "packages.conda": {names[1]: {"depends": []}}}
    changed = apply_patches(records, given).changed
    assert changed == {key: {**own, "extra_depends": {"a": ["q"], "b": ["z"]}} for key in names}
