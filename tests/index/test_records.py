"""What of info/index.json reaches repodata: what clients read, in the types they read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rattler.repo_data import RepoData

from twofold.index.repodata import make_record_from_index, make_repodata_from_records, serialize

INDEX: dict[str, Any] = {
    "name": "lib",
    "version": "1.0",
    "build": "0",
    "build_number": 0,
    "depends": [],
}
HASHES = (1, "0" * 64, "0" * 32)
NULLABLE = ("depends", "constrains", "extra_depends", "flags", "track_features", "purls", "license")
UNKNOWN = ("url", "fn", "channel", "md5_of_base", "size_in_bytes", "new_key", "Depends", "sha256 ")


@pytest.mark.parametrize("more", [dict.fromkeys(NULLABLE), {key: {"a": [None]} for key in UNKNOWN}])
def test_rattler_reads_a_record_of_odd_keys(tmp_path: Path, more: dict[str, Any]) -> None:
    record = make_record_from_index({**INDEX, **more}, "noarch", HASHES)
    assert set(record) == {*INDEX, "subdir", "size", "sha256", "md5"}
    assert record["depends"] == []
    page = tmp_path / "repodata.json"
    page.write_bytes(serialize(make_repodata_from_records("noarch", {"lib-1.0-0.conda": record})))
    assert json.loads(page.read_bytes())["packages.conda"]
    RepoData.from_path(str(page))


def test_the_file_and_not_its_index_says_subdir_size_and_hashes() -> None:
    wrong = {"subdir": "linux-64", "size": 7, "sha256": "f" * 64, "md5": "f" * 32}
    record = make_record_from_index({**INDEX, **wrong}, "noarch", HASHES)
    assert (record["subdir"], record["size"], record["sha256"], record["md5"]) == (
        "noarch",
        *HASHES,
    )
