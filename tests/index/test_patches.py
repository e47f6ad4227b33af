"""Repodata patches correct repodata and shards as conda-index's do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import zstandard

from tests.conftest import CommandResult
from tests.factories.artifacts import write_conda
from twofold.conda_metadata import CondaPackage
from twofold.index.patches import apply_patches

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
