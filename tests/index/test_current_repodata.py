"""current_repodata.json has what conda-index would choose; match specs are read as conda does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories.artifacts import write_conda
from twofold.conda_metadata import CondaPackage
from twofold.index.current_repodata import select_current
from twofold.index.folder import index_folder
from twofold.index.repodata import serialize
from twofold.names.match_specs import ParsedSpec, meets_version_spec, parse_match_spec


def select(records: dict[str, dict[str, Any]]) -> set[str]:
    return select_current({file: serialize(record).decode() for file, record in records.items()})


def make_records(*packages: str, **depends: list[str]) -> dict[str, dict[str, Any]]:
    """Records of files; `depends` are by the file's stem with `_` for `-` and `.`."""
    records = {}
    for file in packages:
        name, version, build = file.rsplit(".", 1)[0].removesuffix(".tar").rsplit("-", 2)
        key = file.rsplit(".", 1)[0].replace("-", "_").replace(".", "_")
        records[file] = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": int(build[-1]),
            "depends": depends.get(key, []),
        }
    return records


def test_the_newest_version_counts_in_all_its_builds_by_the_order_of_conda() -> None:
    records = make_records("a-1.9-h_0.conda", "a-1.10-h_0.conda", "a-1.10-h_1.conda")
    assert select(records) == {"a-1.10-h_0.conda", "a-1.10-h_1.conda"}
    assert select(make_records("a-1!1.0-h_0.conda", "a-2024b-h_0.conda")) == {"a-1!1.0-h_0.conda"}


def test_what_the_newest_require_is_kept_in_its_newest_version_that_fits() -> None:
    records = make_records(
        "a-2.0-h_0.conda",
        "b-1.0-h_0.conda",
        "b-1.5-h_0.conda",
        "b-3.0-h_0.conda",
        a_2_0_h_0=["b >=1.0,<2", "elsewhere 1.0"],
    )
    assert select(records) == {"a-2.0-h_0.conda", "b-1.5-h_0.conda", "b-3.0-h_0.conda"}


def test_a_package_with_features_keeps_the_newest_without_and_conda_goes_before_bz2() -> None:
    records = make_records("a-2.0-h_0.conda", "a-1.0-h_0.conda", "b-1-h_0.conda", "b-1-h_0.tar.bz2")
    records["a-2.0-h_0.conda"]["track_features"] = "mkl"
    assert select(records) == {"a-2.0-h_0.conda", "a-1.0-h_0.conda", "b-1-h_0.conda"}


def test_an_indexed_folder_has_the_page_and_keeps_it_current(tmp_path: Path) -> None:
    write_conda(tmp_path / "noarch", CondaPackage("a", "1.9"))
    index_folder(tmp_path)
    page = tmp_path / "noarch" / "current_repodata.json"
    assert page.read_bytes() == (tmp_path / "noarch" / "repodata.json").read_bytes()
    write_conda(tmp_path / "noarch", CondaPackage("a", "1.10"))
    index_folder(tmp_path)
    value = json.loads(page.read_bytes())
    assert list(value["packages.conda"]) == ["a-1.10-py_0.conda"]
    assert value["info"] == {"subdir": "noarch"}
    assert page.with_name("current_repodata.json.zst").is_file()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("foo", ("foo", "", "")),
        ("foo >=1.0, <2", ("foo", ">=1.0,<2", "")),
        ("foo >= 1.0 py*", ("foo", ">=1.0", "py*")),
        ("conda-forge::foo 1.0 py_0", ("foo", "1.0", "py_0")),
        ("foo=1.0", ("foo", "=1.0", "")),
        ("foo=1.0=py_0", ("foo", "1.0", "py_0")),
        ("python_abi 3.12.* *_cp312", ("python_abi", "3.12.*", "*_cp312")),
        ("foo[version='>=1,<2',build=py*]", ("foo", ">=1,<2", "py*")),
        ("Foo.b >=1.0,<2 py_0", ("foo.b", ">=1.0,<2", "py_0")),
        ("foo if x", ("foo", "", "")),
    ],
)
def test_match_specs_are_read_in_all_spellings(text: str, parsed: tuple[str, str, str]) -> None:
    assert parse_match_spec(text) == ParsedSpec(*parsed)


@pytest.mark.parametrize(
    ("spec", "fits", "fails"),
    [
        ("1.0", "1.0.0", "1.0.1"),
        ("=1.0", "1.0a1", "1.10"),
        ("1.0.*", "1.0.post1", "1.1"),
        (">=1.0,<2|3.*", "3.1", "2.5"),
        ("!=1.0.*", "1.1", "1.0.3"),
        ("~=1.4.2", "1.4.9", "1.5"),
        ("(>=1,<2)|>3", "3.1", "2"),
        ("^1.*1$", "1.0.1", "1.0.2"),
        ("1.*.2", "1.10.2", "1.10.3"),
        ("<1!0", "2024b", "1!0.1"),
        ("1.0+cu*", "1.0+cu118", "1.0+cpu"),
        ("~=1", "1.2+cu", "0.9+cu"),
        ("1|=1+", "1", "0+cu"),
    ],
)
def test_version_specs_hold_as_in_conda(spec: str, fits: str, fails: str) -> None:
    assert meets_version_spec(fits, spec)
    assert not meets_version_spec(fails, spec)
