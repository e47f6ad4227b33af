"""Wheels for several Pythons at once become a package for each, which solvers tell apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rattler import (
    BuildString,
    Gateway,
    GenericVirtualPackage,
    PackageName,
    SourceConfig,
    Version,
    solve,
)
from rattler.exceptions import SolverError

from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_conda, write_wheel
from tests.factories.packages import read_contents
from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, convert_all, make_packages
from twofold.convert.wheel_tags import abis_for_tags
from twofold.errors import TwofoldError
from twofold.formats.deep_check import find_problems
from twofold.index.folder import index_folder
from twofold.names import parse_wheel_name

LINUX = "manylinux_2_17_x86_64"
VIRTUAL = {"__unix": "0", "__linux": "6.0", "__glibc": "2.35"}
FILES = {
    "my_package/__init__.py": b"",
    "my_package/_fast.cpython-311-x86_64-linux-gnu.so": b"\x7fELF 311",
    "my_package/_fast.cpython-312-x86_64-linux-gnu.so": b"\x7fELF 312",
}
#: Tags of a wheel -> which of its packages each Python gets, '' for none.
CASES = {
    "cp311.cp312-none-any": {"3.10": "", "3.11": "py311_0", "3.12": "py312_0", "3.13": ""},
    f"cp311.cp312-cp311.cp312-{LINUX}": {
        "3.10": "",
        "3.11": "py311_0",
        "3.12": "py312_0",
        "3.13t": "",
    },
    f"cp313-cp313.cp313t-{LINUX}": {"3.12": "", "3.13": "py313_0", "3.13t": "py313t_0"},
    f"cp39.cp310-abi3-{LINUX}": {"3.8": "", "3.9": "pyge39_0", "3.12": "pyge39_0"},
    "cp311.py313-none-any": {"3.11": "py311_0", "3.12": "", "3.14": "pyge313_0"},
    "py2.py3-none-any": {"3.9": "py_0", "3.14": "py_0"},
    f"py2.py3-none-{LINUX}": {"3.9": "py_0", "3.14": "py_0"},
}


@pytest.mark.parametrize(
    ("tags", "python", "build"),
    [(tags, python, build) for tags, found in CASES.items() for python, build in found.items()],
)
def test_each_python_is_given_the_package_for_it(
    tmp_path: Path, tags: str, python: str, build: str
) -> None:
    channel = tmp_path / "channel"
    wheel = write_wheel(tmp_path, FILES, filename=f"my_package-1.0.0-{tags}.whl")
    for made in convert_all(wheel, channel):
        assert find_problems(made.path) == []
    put_python(channel, python)
    index_folder(channel)
    if not build:
        with pytest.raises(SolverError):
            asyncio.run(solve_channel(channel))
    else:
        assert asyncio.run(solve_channel(channel))["my_package"] == build


def put_python(channel: Path, python: str) -> None:
    """A python and its python_abi, by their records."""
    minor, tag = python.removesuffix("t"), f"cp{python.replace('.', '')}"
    abi = f"python_abi {minor}.* *_{tag}"
    folder = channel / "noarch"
    write_conda(folder, CondaPackage("python", f"{minor}.1", noarch="generic", depends=[abi]))
    write_conda(
        folder, CondaPackage("python_abi", minor, build=f"0_{tag}", noarch="generic", depends=[])
    )


async def solve_channel(channel: Path) -> dict[str, str]:
    """Package -> build string of a solution for Linux."""
    records = await solve(
        sources=[channel.as_uri()],
        specs=["my_package"],
        platforms=["linux-64", "noarch"],
        gateway=Gateway(
            cache_dir=channel.parent / "cache",
            default_config=SourceConfig(cache_action="no-cache"),
        ),
        virtual_packages=[
            GenericVirtualPackage(
                PackageName(name), Version(version), BuildString.new_unchecked("0")
            )
            for name, version in VIRTUAL.items()
        ],
    )
    return {record.name.source: str(record.build) for record in records}


def test_wheels_of_one_release_never_become_the_same_file(tmp_path: Path) -> None:
    tags = [
        "py3-none-any",
        "py39-none-any",
        "py311-none-any",
        "cp39.cp310-none-any",
        f"cp38-abi3-{LINUX}",
        f"cp311-abi3-{LINUX}",
        f"cp311.cp312-cp311.cp312-{LINUX}",
        f"cp313-cp313.cp313t-{LINUX}",
        "cp311-abi3-musllinux_1_2_x86_64",
        f"py3-none-{LINUX}",
    ]
    channel = tmp_path / "channel"
    made = []
    for tag in tags:
        wheel = write_wheel(tmp_path, FILES, filename=f"my_package-1.0.0-{tag}.whl")
        made += [one.path for one in convert_all(wheel, channel)]
    assert len(made) == len(set(made)) == len(tags) + 3
    assert not index_folder(channel).problems


def test_files_lie_where_each_python_looks(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path, FILES, filename=f"my_package-1.0.0-cp313-cp313.cp313t-{LINUX}.whl"
    )
    one, other = convert_all(wheel, tmp_path / "channel")
    assert "lib/python3.13/site-packages/my_package/__init__.py" in read_contents(one.path)
    assert "lib/python3.13t/site-packages/my_package/__init__.py" in read_contents(other.path)


def test_markers_are_evaluated_for_each_python() -> None:
    metadata = METADATA + "Requires-Dist: tomli; python_version < '3.12'\n"
    tags = parse_wheel_name("my_package-1.0.0-cp311.cp312-none-any.whl").tags
    found = {p.build: p.depends for p in make_packages(metadata.encode(), None, tags)}
    assert found == {
        "py311_0": ("python >=3.11,<3.12.0a0", "tomli"),
        "py312_0": ("python >=3.12,<3.13.0a0",),
    }
    stable = parse_wheel_name(f"my_package-1.0.0-cp312-abi3-{LINUX}.whl").tags
    (package,) = make_packages(metadata.encode(), None, stable)
    assert (package.build, package.depends[0]) == ("pyge312_0", "python >=3.12")


def test_a_python_that_the_project_does_not_take_gets_no_package() -> None:
    metadata = METADATA + "Requires-Python: >=3.12\n"
    tags = parse_wheel_name("my_package-1.0.0-cp311.cp312-none-any.whl").tags
    assert [package.build for package in make_packages(metadata.encode(), None, tags)] == [
        "py312_0"
    ]


def test_an_invalid_requires_python_is_reported_where_markers_need_it() -> None:
    metadata = METADATA + "Requires-Python: foo\nRequires-Dist: a; python_version < '3.12'\n"
    for tags in (["py3-none-any"], ["cp312-cp312-win_amd64"], ["cp311-none-any", "cp312-none-any"]):
        with pytest.raises(TwofoldError, match="Requires-Python: 'foo' is not a version specifier"):
            make_packages(metadata.encode(), None, tags)


def test_one_python_may_be_chosen(tmp_path: Path, twofold: Callable[..., CommandResult]) -> None:
    filename = f"my_package-1.0.0-cp311.cp312-cp311.cp312-{LINUX}.whl"
    wheel = write_wheel(tmp_path, FILES, filename=filename)
    ran = twofold("convert", str(wheel), "--python", "3.12", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert [one["build"] for one in json.loads(ran.out)["packages"]] == ["py312_0"]
    ran = twofold("convert", str(wheel), "--python", "3.10", cwd=tmp_path)
    assert ran.code == 1
    assert "not for Python 3.10: it is for 3.11, 3.12" in ran.err
    tags = parse_wheel_name(f"my_package-1.0.0-cp313-cp313.cp313t-{LINUX}.whl").tags
    for python, build in (("3.13", "py313_0"), ("3.13t", "py313t_0")):
        found = make_packages(METADATA.encode(), None, tags, CondaOptions(python=python))
        assert [package.build for package in found] == [build]


def test_tags_that_no_python_has_are_refused_with_the_reason() -> None:
    with pytest.raises(TwofoldError, match="cp311 never has the ABI cp312") as caught:
        abis_for_tags(["cp311-cp312-linux_x86_64"])
    assert caught.value.problems[0].hint
