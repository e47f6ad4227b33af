"""Records of revision 3 keep conditions and extras, and rattler reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard
from rattler import (
    BuildString,
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    SourceConfig,
    Version,
    solve,
)
from rattler.index import index_fs

from tests.clients.rattler import find_records
from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_conda, write_wheel
from twofold.artifact import Artifact
from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, convert_all, make_packages
from twofold.convert.v3 import format_condition, make_wheel_records
from twofold.errors import TwofoldError
from twofold.formats.reader import read_artifact
from twofold.index.folder import index_folder

LINES = """\
Requires-Python: >=3.9
Requires-Dist: numpy<3,>=1.26
Requires-Dist: colorama; sys_platform == 'win32'
Requires-Dist: tomli>=1; python_version < '3.11'
Requires-Dist: pywin; sys_platform == 'win32' and python_version >= '3.12'
Requires-Dist: old; python_version < '3'
Requires-Dist: uvicorn[standard]>=0.30; platform_system != 'Windows'
Requires-Dist: rich>=13; extra == 'fancy'
Requires-Dist: torch; extra == 'fancy' and sys_platform == 'linux'
Provides-Extra: fancy
"""


def test_conditions_and_extras_are_kept_and_rattler_reads_them(tmp_path: Path) -> None:
    artifact = read_artifact(write_wheel(tmp_path, metadata=METADATA + LINES))
    key, record = make_wheel_record(artifact, "../x.whl", 1000)
    assert key == "my_package-1.0.0-py3_none_any_0"
    assert record["depends"] == [
        'python[version=">=3.9"]',
        'colorama[when="__win"]',
        'numpy[version=">=1.26,<3dev0"]',
        'pywin[when="python>=3.12 and __win"]',
        'tomli[version=">=1",when="python<3.11"]',
        'uvicorn[version=">=0.30",extras=[standard],when="__unix"]',
    ]
    assert record["extra_depends"] == {"fancy": ['pytorch[when="__linux"]', 'rich[version=">=13"]']}
    assert (record["sha256"], record["size"]) == (artifact.sha256, artifact.size)
    for spec in [*record["depends"], *record["extra_depends"]["fancy"]]:
        assert MatchSpec(spec).name is not None


def make_wheel_record(artifact: Artifact, url: str, at: int = 0) -> tuple[str, dict[str, Any]]:
    """The one record of a wheel that needs no more."""
    ((subdir, made),) = make_wheel_records(artifact, url, at).items()
    assert subdir == made[1]["subdir"] == "noarch"
    return made


def test_markers_about_the_machine_make_a_record_for_each_subdir(tmp_path: Path) -> None:
    metadata = METADATA + (
        "Requires-Dist: a; platform_machine == 'x86_64' and python_version < '3.11'\n"
        "Requires-Dist: b; sys_platform == 'win32'\nProvides-Extra: x\n"
        "Requires-Dist: c; platform_machine == 'aarch64' and extra == 'x'\n"
    )
    made = make_wheel_records(read_artifact(write_wheel(tmp_path, metadata=metadata)), "x")
    assert "noarch" not in made and {"linux-64", "osx-arm64", "win-arm64"} <= made.keys()
    assert {key for key, _ in made.values()} == {"my_package-1.0.0-py3_none_any_0"}
    records = {subdir: record for subdir, (_, record) in made.items()}
    assert all(record["subdir"] == subdir for subdir, record in records.items())
    assert records["linux-64"]["depends"] == ["python", 'a[when="python<3.11"]']
    assert records["osx-arm64"]["depends"] == ["python"]
    assert records["win-64"]["depends"] == ["python", "b"]
    assert records["linux-aarch64"]["extra_depends"] == {"x": ["c"]}
    assert records["linux-64"]["extra_depends"] == {"x": []}


def test_a_marker_about_the_kernel_is_an_error_that_names_it(tmp_path: Path) -> None:
    metadata = METADATA + "Requires-Dist: a; platform_release == '6.1'\n"
    with pytest.raises(TwofoldError, match="platform_release"):
        make_wheel_records(read_artifact(write_wheel(tmp_path, metadata=metadata)), "x")


def test_index_writes_them_on_request(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    write_wheel(tmp_path / "dist", metadata=METADATA + LINES)
    assert twofold("index", tmp_path, "--v3").code == 0
    found = json.loads((tmp_path / "v3/noarch/repodata.json").read_text("utf-8"))
    (record,) = found["v3"]["whl"].values()
    assert record["url"] == "../../dist/my_package-1.0.0-py3-none-any.whl"
    assert found["info"]["repodata_revisions"]["v3"]["n_packages"] == 1
    assert found["repodata_version"] == 1


def build_all(folder: Path) -> dict[str, dict[str, Any]]:
    """What the conda packages in a channel folder say of themselves, by file name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*/*.conda")):
        found[path.name] = json.loads(read_artifact(path).metadata)
    return found


def test_v3_writes_extras_into_each_package_and_one_with_conditions(tmp_path: Path) -> None:
    options = CondaOptions(v3=True, leave_out=["uvicorn", "pywin", "old"])
    convert_all(write_wheel(tmp_path, metadata=METADATA + LINES), tmp_path / "channel", options)
    made = build_all(tmp_path / "channel")
    extras = {"fancy": ['pytorch[when="__linux"]', 'rich[version=">=13"]']}
    assert {name.split("-")[2]: index["extra_depends"] for name, index in made.items()} == {
        "pyv3_0.conda": extras,
        "unix_pyge311_0.conda": extras,
        "unix_pylt311_0.conda": extras,
        "win_pyge311_0.conda": extras,
        "win_pylt311_0.conda": extras,
    }
    assert made["my_package-1.0.0-pyv3_0.conda"]["depends"] == [
        'python[version=">=3.9"]',
        'colorama[when="__win"]',
        'numpy[version=">=1.26,<3dev0"]',
        'tomli[version=">=1",when="python<3.11"]',
    ]


def test_what_old_clients_cannot_read_is_under_v3_in_repodata_and_shards(
    tmp_path: Path,
) -> None:
    options = CondaOptions(v3=True, leave_out=["uvicorn"])
    convert_all(write_wheel(tmp_path, metadata=METADATA + LINES), tmp_path / "channel", options)
    index_folder(tmp_path / "channel")
    noarch = tmp_path / "channel" / "noarch"
    ours = json.loads((noarch / "repodata.json").read_text("utf-8"))
    assert list(ours["v3"]["conda"]) == ["my_package-1.0.0-pyv3_0"]
    assert len(ours["packages.conda"]) >= 4
    assert "my_package-1.0.0-pyv3_0.conda" not in ours["packages.conda"]
    assert ours["info"]["repodata_revisions"]["v3"]["n_packages"] == 1
    (file,) = (noarch / "shards").iterdir()
    shard = msgpack.unpackb(
        zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes())
    )
    assert list(shard["v3"]["conda"]) == ["my_package-1.0.0-pyv3_0"]
    assert shard["packages.conda"].keys() == ours["packages.conda"].keys()
    # rattler's own indexer puts every record where we do.
    asyncio.run(index_fs(tmp_path / "channel", repodata_revisions=["v3"], force=True))
    theirs = json.loads((noarch / "repodata.json").read_text("utf-8"))
    assert list(theirs["v3"]["conda"]) == list(ours["v3"]["conda"])
    assert theirs["packages.conda"].keys() == ours["packages.conda"].keys()


def test_rattler_solves_extras_and_conditions_of_such_a_channel(tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    options = CondaOptions(v3=True, leave_out=["uvicorn", "pywin", "numpy"])
    lines = LINES.replace("sys_platform == 'linux'", "sys_platform == 'win32'")
    convert_all(write_wheel(tmp_path, metadata=METADATA + lines), channel, options)
    for name, version in (("rich", "13.0"), ("tomli", "2.0"), ("python", "3.10.1")):
        write_conda(channel / "noarch", CondaPackage(name, version, noarch="generic"))
    index_folder(channel)
    chosen = asyncio.run(solve_channel(channel, "my_package[extras=[fancy]]", tmp_path))
    assert chosen == {"my_package", "python", "rich", "tomli"}
    assert asyncio.run(solve_channel(channel, "my_package", tmp_path)) == {
        "my_package",
        "python",
        "tomli",
    }
    conditional = asyncio.run(solve_channel(channel, "my_package[build=pyv3_0]", tmp_path))
    assert conditional == {"my_package", "python", "tomli"}


async def solve_channel(channel: Path, spec: str, work: Path) -> set[str]:
    gateway = Gateway(
        cache_dir=work / "cache", default_config=SourceConfig(cache_action="no-cache")
    )
    records = await solve(
        sources=[channel.as_uri()],
        specs=[spec],
        platforms=["linux-64", "noarch"],
        gateway=gateway,
        virtual_packages=[
            GenericVirtualPackage(PackageName(name), Version("0"), BuildString.new_unchecked("0"))
            for name in ("__unix", "__linux")
        ],
    )
    return {record.name.source for record in records}


def test_the_key_v3_acts_in_a_build_which_places_the_records_too(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    assert twofold("new", "demo", "--dep", "colorama; sys_platform == 'win32'").code == 0
    root = tmp_path / "demo"
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.twofold.conda]\nv3 = true\n")
    for _ in range(2):  # the second build knows the first one's records
        ran = twofold("build", cwd=root)
        assert ran.code == 0, ran.err
        found = json.loads((root / "conda-bld/noarch/repodata.json").read_text("utf-8"))
        assert list(found["v3"]["conda"]) == ["demo-1.0.0-pyv3_0"]
        assert len(found["packages.conda"]) == 2


def test_a_condition_that_revision_3_cannot_express_is_a_note() -> None:
    metadata = METADATA + "Requires-Dist: a; platform_machine == 'x86_64'\n"
    packages = make_packages(metadata.encode(), None, ["py3-none-any"], CondaOptions(v3=True))
    assert len(packages) == 8
    assert all("no package of revision 3" in package.notes[0] for package in packages)


def reads_in_conda(condition: str) -> bool:
    """Whether conda 26.7 can parse a condition.

    Its check quotes each term as text, once for each time that it occurs; so no term may occur an
    even number of times or be a part of another one.
    """
    terms = [part.strip(" ()") for one in condition.split(" and ") for part in one.split(" or ")]
    unlike = [(a, b) for a in set(terms) for b in set(terms) if a != b]
    return all(terms.count(t) % 2 for t in terms) and not any(a in b for a, b in unlike)


@pytest.mark.parametrize(
    ("marker", "condition"),
    [
        (
            '(python_version>="3.10" and sys_platform=="win32") or '
            '(python_version>="3.10" and sys_platform=="darwin")',
            "python>=3.10 and (__osx or __win)",
        ),
        ('python_version not in "3.11, 3.12"', "python<3.11 or python>=3.13"),
        ('python_version=="3.1" or python_version=="3.11"', "python>=3.11 and python<3.12"),
        (
            'sys_platform=="linux" or (sys_platform=="darwin" and python_version>="3.10") or '
            '(sys_platform=="win32" and python_version>="3.10")',
            "__linux or (python>=3.10 and (__osx or __win))",
        ),
        ('python_version<"3.6" and python_version>"3"', None),
        ('sys_platform=="win32" or sys_platform!="win32"', ""),
    ],
)
def test_a_condition_is_factored_so_that_conda_can_read_it(
    tmp_path: Path, marker: str, condition: str | None
) -> None:
    metadata = f"{METADATA}Requires-Dist: six; {marker}\n"
    _, record = make_wheel_record(read_artifact(write_wheel(tmp_path, metadata=metadata)), "x")
    found = [spec for spec in record["depends"] if spec.startswith("six")]
    if condition is None:
        assert found == []
    elif not condition:
        assert found == ["six"]
    else:
        (spec,) = found
        written = json.loads(spec.partition("when=")[2].removesuffix("]"))
        assert written == condition
        assert reads_in_conda(written)
        assert MatchSpec(spec).name is not None


@pytest.mark.parametrize(
    "holding",
    [
        [("3.10", "", "__linux"), ("3.12", "", "__osx"), ("3.10", "3.12", "__win")],
        [("", "3.8", "__unix"), ("3.10", "", "__unix"), ("", "3.8", "__win")],
        [("3.8", "3.9", "__linux"), ("3.8", "3.10", "__osx"), ("3.7", "3.9", "__win")],
        [("3.8", "3.9", ""), ("3.11", "3.12", ""), ("3.13", "", "")],
        [("", "", "__unix"), ("3.9", "", "__win")],
    ],
)
def test_any_condition_can_be_read_by_conda_and_rattler(
    holding: list[tuple[str, str, str]],
) -> None:
    condition = format_condition(holding)
    assert reads_in_conda(condition)
    assert MatchSpec(f"six[when={json.dumps(condition)}]").name is not None


def unpack(page: Path) -> dict[str, Any]:
    data = zstandard.ZstdDecompressor().decompressobj().decompress(page.read_bytes())
    found: dict[str, Any] = msgpack.unpackb(data)
    return found


def test_an_ordinary_client_sees_packages_only_and_wheels_have_their_own_address(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    wheel = write_wheel(tmp_path)
    (tmp_path / "noarch").mkdir()
    write_conda(tmp_path / "noarch", CondaPackage("my_package", "1.0.0"))
    assert twofold("index", tmp_path, "--v3").code == 0
    own = find_records(tmp_path.as_uri(), "my_package", tmp_path / "cache")
    assert [record.file_name for record in own] == ["my_package-1.0.0-py_0.conda"]
    noarch = tmp_path / "v3" / "noarch"
    index = unpack(noarch / "repodata_shards.msgpack.zst")
    (shard,) = (unpack(path) for path in (noarch / "shards").iterdir())
    assert list(index["shards"]) == ["my_package"]
    assert shard["v3"]["whl"]["my_package-1.0.0-py3_none_any_0"]["url"] == f"../../{wheel.name}"
    assert twofold("index", tmp_path).code == 0
    assert not list(noarch.glob("*.json*")) and not list(noarch.glob("*.zst"))


def test_a_wheel_that_v3_cannot_express_leaves_the_others_offered(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    write_wheel(tmp_path)
    other = METADATA.replace("my_package", "bad").replace("My.Package", "bad")
    other += "Requires-Dist: six; platform_version == '1'\n"
    write_wheel(tmp_path, metadata=other, filename="bad-1.0.0-py3-none-any.whl")
    done = twofold("index", tmp_path, "--v3")
    assert done.code == 0
    assert "bad-1.0.0-py3-none-any.whl" in done.err
    found = json.loads((tmp_path / "v3/noarch/repodata.json").read_text("utf-8"))
    assert [record["name"] for record in found["v3"]["whl"].values()] == ["my_package"]
    assert (tmp_path / "simple" / "bad" / "index.html").is_file()


def test_a_build_tag_becomes_the_build_number(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    tagged = wheel.rename(wheel.with_name("my_package-1.0.0-2-py3-none-any.whl"))
    key, record = make_wheel_record(read_artifact(tagged), "x")
    assert key == "my_package-1.0.0-py3_none_any_2"
    assert (record["build"], record["build_number"]) == ("py3_none_any_2", 2)


def test_an_extra_that_no_record_can_express_is_noted_and_the_package_made() -> None:
    metadata = METADATA + "Provides-Extra: x\n"
    for marker, is_noted in (("platform_release == '5'", True), ("sys_platform == 'win32'", False)):
        line = f"Requires-Dist: six; {marker} and extra == 'x'\n"
        (package,) = make_packages(
            (metadata + line).encode(), None, ["py3-none-any"], CondaOptions(v3=True)
        )
        assert any("no extra_depends" in note for note in package.notes) is is_noted
        assert ("extra_depends" in package.extra_index) is not is_noted
        (plain,) = make_packages((metadata + line).encode(), None, ["py3-none-any"], CondaOptions())
        assert plain.depends == package.depends == ("python",)
    line = "Requires-Dist: a; platform_machine == 'x86_64'\n"
    line += "Requires-Dist: six; platform_machine == 'x86_64' and extra == 'x'\n"
    made = make_packages((metadata + line).encode(), None, ["py3-none-any"], CondaOptions(v3=True))
    extras = {one.subdir: one.extra_index["extra_depends"] for one in made}
    assert extras["linux-64"] == {"x": ["six"]} and extras["osx-arm64"] == {"x": []}
