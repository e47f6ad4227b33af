"""What info/index.json and info/link.json of a conda package may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.factories.artifacts import compress_tar, make_member, write_raw_conda
from tests.factories.conda_info import INDEX
from twofold.check import check_file
from twofold.formats.conda_reader import find_spec_problem
from twofold.formats.deep_check import find_problems


def package(folder: Path, index: str, *members: tuple[str, str]) -> Path:
    made = [
        make_member("info/index.json", index.encode()),
        make_member("info/paths.json", b'{"paths": []}'),
        *(make_member(name, data.encode()) for name, data in members),
    ]
    return write_raw_conda(folder, compress_tar(*made), compress_tar())


WRONG: dict[str, dict[str, object]] = {
    "a negative build number": {"build_number": -1},
    "a build number true": {"build_number": True},
    "a build number of 64 bits": {"build_number": 1 << 63},
    "a build number with a fraction": {"build_number": 1.5},
    "an unknown noarch": {"noarch": "weird"},
    "a number as noarch": {"noarch": 1.5},
    "a number as purls": {"purls": 5},
    "numbers in purls": {"purls": [5]},
    "a number as flags": {"flags": 5},
    "a number in extra_depends": {"extra_depends": {"a": 5}},
    "numbers in extra_depends": {"extra_depends": {"a": [5]}},
    "a list as extra_depends": {"extra_depends": ["a"]},
    "a bad spec in extra_depends": {"extra_depends": {"a": [">>>"]}},
    "a number as track_features": {"track_features": 5},
    "a timestamp true": {"timestamp": True},
    "a subdir that climbs": {"subdir": "../.."},
    "a subdir of another page": {"subdir": "files"},
    "a subdir named simple": {"subdir": "simple"},
    "a subdir in capitals": {"subdir": "Linux-64"},
    "noarch for one platform": {"noarch": "generic", "subdir": "linux-64"},
    "an escape in the license": {"license": "MIT\x1b[31m"},
    "a NUL in the license": {"license": "MIT\0"},
    "a NUL in the build": {"build": "py\0_0"},
    "a path as python_site_packages_path": {"python_site_packages_path": 5},
}


@pytest.mark.parametrize("case", WRONG)
def test_an_index_that_no_channel_could_serve_is_refused(case: str, tmp_path: Path) -> None:
    path = package(tmp_path, json.dumps(INDEX | WRONG[case]))
    assert find_problems(path)
    assert any(finding.is_error for finding in check_file(path))


SPECS_THAT_ARE_NONE = (
    "python >=", "a[[[", ">>>", "", " ", "python\nos", "https://evil.example/x.conda",
    "http://evil.example/ch::python", ">>> [", "a ]", "a [b", "a >=1,", "a |1", "a 1||2", "a ==>1",
    "a (>=1", "a;b", "a [x]", "a[b=']", "a >=1 <", "a\tb\x00", "[name=a]", "a,b", "-a", "a/b",
)  # fmt: skip
SPECS = (
    "python", "python 3.12.*", "python >=3.9,<4.0a0", "python >=3.6, <4", "blas * openblas", "_x",
    "blas 1.0 mkl", "numpy 1.7*", "python_abi 3.12.* *_cp312", "foo >=1.0|<0.5", "__glibc >=2.17",
    "conda-forge::numpy", "pytorch =*=cuda*", "foo 1.0=py_0", "foo==1.0", "foo=1.0", "foo>=1",
    "six[when=\"(python>=3.10 and __osx)\"]", "foo[version='>=1', build=py_0]", "foo ~=1.2",
    "foo !=1.2,>=1", "foo (>=1,<2)|>3", "foo ^1\\.2$", "foo[extras=[a,b]]", "foo 1!2.0+cpu", "foo*",
    "libgcc-ng >=7.3.0", "r-base 4.3.*", "foo 2.7|3.5.*|>=3.6", "conda-forge/linux-64::numpy >1",
)  # fmt: skip


@pytest.mark.parametrize("spec", SPECS_THAT_ARE_NONE)
def test_a_requirement_that_is_no_match_spec_is_refused(spec: str, tmp_path: Path) -> None:
    assert find_spec_problem(spec)
    for key in ("depends", "constrains"):
        assert find_problems(package(tmp_path, json.dumps(INDEX | {key: [spec]})))


@pytest.mark.parametrize("spec", SPECS)
def test_a_match_spec_is_taken(spec: str) -> None:
    assert find_spec_problem(spec) == ""


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(INDEX)[:-1] + ', "name": "other"}'
    assert "'name' twice" in str(find_problems(package(tmp_path, text))[0])


LINES = ("../../../evil = a:b", "x = a:b;import os", "x = a:b()", "x/y = a:b", "x", " = a:b")


@pytest.mark.parametrize("line", LINES)
def test_an_entry_point_in_link_json_is_judged_as_in_a_wheel(line: str, tmp_path: Path) -> None:
    link = json.dumps({"noarch": {"type": "python", "entry_points": [line]}})
    path = package(tmp_path, json.dumps(INDEX), ("info/link.json", link))
    (problem,) = find_problems(path)
    assert "is not valid for a script" in problem.message
    assert [finding.code for finding in check_file(path)] == ["TF406"]


@pytest.mark.parametrize(
    "value", ["text", ["x = a:b", 5], {"x": "a:b"}, 5], ids=["text", "number in it", "table", "5"]
)
def test_entry_points_of_another_type_are_refused(value: object, tmp_path: Path) -> None:
    link = json.dumps({"noarch": {"type": "python", "entry_points": value}})
    assert find_problems(package(tmp_path, json.dumps(INDEX), ("info/link.json", link)))


def test_sound_entry_points_and_an_empty_link_are_taken(tmp_path: Path) -> None:
    for noarch in ({"type": "python", "entry_points": ["x = a.b:c.d [extra]"]}, {}, None):
        link = json.dumps({"noarch": noarch})
        assert find_problems(package(tmp_path, json.dumps(INDEX), ("info/link.json", link))) == []


def test_a_member_of_info_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("info/link.json", "info/recipe/meta.yaml"):
        path = package(tmp_path, json.dumps(INDEX), (name, "{}"), (name, "{}"))
        assert f"{name} twice" in str(find_problems(path)[0])
