"""Wheels of every kind become conda packages with their files in the right places."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.artifacts import METADATA, make_wheel_files, write_wheel, write_zip
from tests.factories.packages import read_contents
from twofold.convert import CondaOptions, convert_all, convert_wheel, make_package
from twofold.convert.package_builder import PLACEHOLDER, rewrite_script
from twofold.convert.wheel import convert
from twofold.convert.wheel_tags import abis_for_tags, subdirs_for_tags
from twofold.errors import BadFile, TwofoldError
from twofold.formats.deep_check import find_problems
from twofold.names import parse_wheel_name

DIST_INFO = "my_package-1.0.0.dist-info"
DATA = "my_package-1.0.0.data"
FILES = {
    "my_package/__init__.py": b"answer = 42\n",
    "my_package/_speed.so": b"\x7fELF",
    f"{DATA}/scripts/tool": b"#!python\nprint('tool')\n",
    f"{DATA}/scripts/native": b"\x7fELF native",
    f"{DATA}/data/share/my_package/table.txt": b"1 2 3\n",
    f"{DATA}/headers/my_package.h": b"int answer;\n",
    f"{DATA}/purelib/other.py": b"x = 1\n",
    f"{DIST_INFO}/entry_points.txt": b"[console_scripts]\nmy-tool = my_package:f\n",
    f"{DIST_INFO}/licenses/LICENSE": b"MIT\n",
}


@pytest.mark.parametrize(
    ("tags", "subdir", "build", "depends"),
    [
        ("py3-none-any", "noarch", "py_0", ["python"]),
        ("py2.py3-none-any", "noarch", "py_0", ["python"]),
        ("py38-none-any", "noarch", "pyge38_0", ["python >=3.8"]),
        (
            "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
            "linux-64",
            "py311_0",
            ["python >=3.11,<3.12.0a0", "python_abi 3.11.* *_cp311", "__glibc >=2.27"],
        ),
        (
            "cp313-cp313t-manylinux2014_aarch64",
            "linux-aarch64",
            "py313t_0",
            ["python >=3.13,<3.14.0a0", "python_abi 3.13.* *_cp313t", "__glibc >=2.17"],
        ),
        (
            "cp314-cp314t-win_amd64",
            "win-64",
            "py314t_0",
            ["python >=3.14,<3.15.0a0", "python_abi 3.14.* *_cp314t", "__win"],
        ),
        (
            "cp39.cp310-abi3-macosx_11_0_arm64.macosx_12_0_arm64",
            "osx-arm64",
            "pyge39_0",
            ["python >=3.9", "__osx >=11.0"],
        ),
        (
            "cp312-cp312-musllinux_1_2_aarch64",
            "linux-aarch64",
            "musl_py312_0",
            ["python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312", "__musl >=1.2"],
        ),
        ("cp38-abi3-manylinux1_i686", "linux-32", "pyge38_0", ["python >=3.8", "__glibc >=2.5"]),
        (
            "cp39-abi3-musllinux_1_2_x86_64",
            "linux-64",
            "musl_pyge39_0",
            ["python >=3.9", "__musl >=1.2"],
        ),
        (
            "py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64",
            "linux-64",
            "py_0",
            ["python", "__glibc >=2.17"],
        ),
        ("cp312-cp312-macosx_11_0_arm64", "osx-arm64", "py312_0", None),
        ("cp312-cp312-macosx_10_9_x86_64", "osx-64", "py312_0", None),
        ("cp312-cp312-win_amd64", "win-64", "py312_0", None),
        ("cp312-cp312-win_arm64", "win-arm64", "py312_0", None),
        ("cp312-none-linux_riscv64", "linux-riscv64", "py312_0", None),
    ],
)
def test_tags_lead_to_a_subdir_a_build_and_what_the_machine_must_have(
    tags: str, subdir: str, build: str, depends: list[str] | None
) -> None:
    name = parse_wheel_name(f"my_package-1.0.0-{tags}.whl")
    package = make_package(METADATA.encode(), None, name.tags)
    assert (package.subdir, package.build) == (subdir, build)
    assert depends is None or list(package.depends) == depends


@pytest.mark.parametrize(
    ("tags", "site_packages"),
    [
        ("cp312-cp312-musllinux_1_2_x86_64", "lib/python3.12/site-packages"),
        ("cp313-cp313t-manylinux_2_17_x86_64", "lib/python3.13t/site-packages"),
        ("cp39-abi3-macosx_11_0_arm64", "site-packages"),
        ("cp314-cp314-win_arm64", "Lib/site-packages"),
    ],
)
def test_files_of_a_binary_wheel_are_placed_where_its_python_looks(
    tmp_path: Path, tags: str, site_packages: str
) -> None:
    wheel = write_wheel(tmp_path, filename=f"my_package-1.0.0-{tags}.whl")
    made = convert_wheel(wheel, tmp_path / "channel")
    assert f"{site_packages}/my_package/__init__.py" in read_contents(made.path)
    assert find_problems(made.path) == []


def test_a_universal_wheel_becomes_a_package_for_both_macs() -> None:
    tags = ["cp312-cp312-macosx_10_9_universal2"]
    needs = {target.subdir: target.virtual_packages for target in subdirs_for_tags(tags)}
    assert needs == {"osx-64": ("__osx >=10.9",), "osx-arm64": ("__osx >=11.0",)}


@pytest.mark.parametrize(
    "tags", ["pp310-pypy310_pp73-linux_x86_64", "py2-none-any", "cp27-cp27m-win32"]
)
def test_a_wheel_of_another_python_is_refused(tags: str) -> None:
    with pytest.raises(TwofoldError, match="another Python than CPython 3"):
        abis_for_tags([tags])


def test_a_wheel_for_no_platform_of_conda_is_refused() -> None:
    with pytest.raises(TwofoldError, match="conda has no platform"):
        subdirs_for_tags(["cp312-cp312-ios_13_0_arm64_iphoneos"])


def test_files_of_a_pure_wheel_are_placed_as_noarch_python_needs(tmp_path: Path) -> None:
    made = convert_wheel(write_wheel(tmp_path, FILES), tmp_path / "channel")
    assert made.path == tmp_path / "channel/noarch/my_package-1.0.0-py_0.conda"
    found = read_contents(made.path)
    assert {path for path in found if not path.startswith("info/")} == {
        "site-packages/my_package/__init__.py",
        "site-packages/my_package/_speed.so",
        "site-packages/other.py",
        "python-scripts/tool",
        "python-scripts/native",
        "share/my_package/table.txt",
        "include/my-package/my_package.h",
        *(
            f"site-packages/{DIST_INFO}/{name}"
            for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER", "entry_points.txt")
        ),
        f"site-packages/{DIST_INFO}/licenses/LICENSE",
    }
    assert found["info/licenses/LICENSE"] == b"MIT\n"
    assert json.loads(found["info/link.json"])["noarch"]["entry_points"] == [
        "my-tool = my_package:f"
    ]
    assert found[f"site-packages/{DIST_INFO}/INSTALLER"] == b"conda\n"
    assert find_problems(made.path) == []


def test_files_of_a_binary_wheel_are_placed_below_the_prefix(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path, FILES, filename="my_package-1.0.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    )
    made = convert_wheel(wheel, tmp_path / "channel")
    found = read_contents(made.path)
    assert "lib/python3.11/site-packages/my_package/__init__.py" in found
    assert "include/python3.11/my-package/my_package.h" in found
    paths = {line["_path"]: line for line in json.loads(found["info/paths.json"])["paths"]}
    for script in ("bin/tool", "bin/my-tool"):
        placeholder = paths[script]["prefix_placeholder"]
        assert found[script].startswith(f"#!{placeholder}/bin/python\n".encode())
    assert found["bin/native"] == b"\x7fELF native"
    assert b"from my_package import f" in found["bin/my-tool"]
    assert "info/link.json" not in found
    assert find_problems(made.path) == []


def test_a_windows_wheel_with_entry_points_leaves_their_exe_to_the_installer(
    tmp_path: Path,
) -> None:
    wheel = write_wheel(tmp_path, FILES, filename="my_package-1.0.0-cp311-cp311-win_amd64.whl")
    found = read_contents(convert_wheel(wheel, tmp_path / "channel").path)
    assert "site-packages/my_package/__init__.py" in found
    assert json.loads(found["info/index.json"])["noarch"] == "python"
    plain = {name: data for name, data in FILES.items() if "entry_points" not in name}
    wheel = write_wheel(tmp_path, plain, filename="my_package-1.0.0-cp312-cp312-win_amd64.whl")
    found = read_contents(convert_wheel(wheel, tmp_path / "channel").path)
    assert "Lib/site-packages/my_package/__init__.py" in found
    assert "Scripts/tool" in found


def test_a_program_larger_than_what_is_held_in_memory_is_carried_as_it_is(tmp_path: Path) -> None:
    """Wheels of ruff's kind hold one large program under .data/scripts."""
    program = b"\x7fELF" + random.Random(0).randbytes(17 << 20)
    wheel = write_wheel(
        tmp_path,
        {f"{DATA}/scripts/native": program},
        filename="my_package-1.0.0-py3-none-manylinux_2_17_x86_64.whl",
    )
    made = convert_wheel(wheel, tmp_path / "channel")
    assert read_contents(made.path)["python-scripts/native"] == program
    assert find_problems(made.path) == []


def test_record_lists_every_file_relative_to_site_packages(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path, FILES, filename="my_package-1.0.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    )
    found = read_contents(convert_wheel(wheel, tmp_path / "channel").path)
    folder = "lib/python3.11/site-packages"
    record = found[f"{folder}/{DIST_INFO}/RECORD"].decode()
    listed = {row[0] for row in csv.reader(io.StringIO(record))}
    up = "../../../"
    assert listed == {
        path.removeprefix(f"{folder}/") if path.startswith(folder) else up + path
        for path in found
        if not path.startswith("info/")
    }


def test_the_same_wheel_gives_the_same_bytes(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, FILES)
    one = convert_wheel(wheel, tmp_path / "one")
    other = convert_wheel(wheel, tmp_path / "other")
    assert one.sha256 == other.sha256


def test_markers_make_all_the_packages_they_ask_for(tmp_path: Path) -> None:
    metadata = METADATA + "Requires-Dist: colorama; sys_platform == 'win32'\n"
    made = convert_all(write_wheel(tmp_path, FILES, metadata), tmp_path / "channel")
    assert [artifact.build for artifact in made] == ["unix_py_0", "win_py_0"]
    assert all(artifact.path.is_file() for artifact in made)


def test_names_given_by_the_user_override_known_names() -> None:
    metadata = METADATA + "Requires-Dist: torch>=2\nRequires-Dist: rich\nRequires-Dist: My_Dep\n"
    options = CondaOptions(
        name="mine",
        names={"torch": "pytorch-cpu"},
        local_names={"my-dep": "my_dep", "torch": "torch"},
        depends=["graphviz"],
        constrains=["mkl <2025"],
        leave_out=["Rich"],
        build_number=3,
    )
    package = make_package(metadata.encode(), None, ["py3-none-any"], options)
    assert package.stem == "mine-1.0.0-py_3"
    assert package.depends == ("python", "my_dep", "pytorch-cpu >=2", "graphviz")
    assert package.constrains == ("mkl <2025",)


@pytest.mark.parametrize("path", ["x/__init__.py", "scripts"])
def test_a_data_folder_of_an_unknown_kind_is_refused(tmp_path: Path, path: str) -> None:
    wheel = write_wheel(tmp_path, {f"{DATA}/{path}": b"x"})
    with pytest.raises(BadFile, match="path that PEP 427 does not allow"):
        convert_wheel(wheel, tmp_path / "channel")


def test_a_wheel_with_a_wrong_record_leaves_nothing_in_the_channel(tmp_path: Path) -> None:
    files = make_wheel_files(FILES)
    files["my_package/__init__.py"] = b"import evil\n"
    wheel = write_zip(tmp_path / "my_package-1.0.0-py3-none-any.whl", files)
    with pytest.raises(BadFile, match="does not match its hash or size in RECORD"):
        convert_wheel(wheel, tmp_path / "channel")
    assert not list((tmp_path / "channel").glob("*/*"))


def test_a_kill_in_the_middle_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {**FILES, "big.bin": bytes(range(256)) * (1 << 16)})
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from twofold.formats.conda_writer import CondaWriter\n"
        "def close(self): os.kill(os.getpid(), signal.SIGKILL if os.name != 'nt' else 9)\n"
        "CondaWriter.close = close\n"
        "from twofold.convert import convert_wheel\n"
        "convert_wheel(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    channel = tmp_path / "channel"
    done = subprocess.run([sys.executable, "-c", code, str(wheel), str(channel)], check=False)
    assert done.returncode != 0
    assert not list(channel.glob("*/*.conda"))


@pytest.mark.parametrize(
    ("first", "rewritten"),
    [
        (b"#!python", b""),
        (b"#!pythonw", b""),
        (b"#!python3", b""),
        (b"#!python3.11", b""),
        (b"#!python2.7", b""),
        (b"#!python\t-u", b" -u"),
        (b"#!python3 -u", b" -u"),
        (b"#!python3\r", b""),
    ],
)
def test_a_script_that_begins_with_python_gets_the_interpreter(
    first: bytes, rewritten: bytes
) -> None:
    made, placeholder = rewrite_script(first + b"\nprint(3)\n")
    assert placeholder == PLACEHOLDER
    assert made == f"#!{PLACEHOLDER}/bin/python".encode() + rewritten + b"\nprint(3)\n"


@pytest.mark.parametrize("first", [b"#!/usr/bin/python3", b"#! python", b"#!/bin/sh", b"\x7fELF"])
def test_another_script_stays_as_it_is(first: bytes) -> None:
    assert rewrite_script(first + b"\nx\n") == (first + b"\nx\n", "")


@pytest.mark.parametrize(
    ("written", "spec"),
    [
        (">=3.6.*", "python >=3.6"),
        ("3.6+", "python >=3.6"),
        (">=3.6+", "python >=3.6"),
        (">=3.6 <4", "python >=3.6,<4dev0"),
        (">=3.5.*, <4", "python >=3.5,<4dev0"),
        (">=3.6.*,", "python >=3.6"),
        (">3.6.*", "python >=3.7"),
        ("<=3.9.*", "python <3.10dev0"),
        ("=>3.7", "python >=3.7"),
        (">='3.6'", "python >=3.6"),
        ("^3.8", "python >=3.8,<4dev0"),
    ],
)
def test_a_requires_python_of_before_pep_440_is_read_and_noted(
    tmp_path: Path, written: str, spec: str
) -> None:
    wheel = write_wheel(tmp_path, metadata=f"{METADATA}Requires-Python: {written}\n")
    done = convert(wheel, tmp_path / "channel", CondaOptions())
    assert done.packages[0].depends[0] == spec
    assert done.notes[0].startswith(f"Requires-Python '{written}' is read as ")


def test_wheels_with_other_build_tags_are_other_packages(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    builds = set()
    for tag in ("2", "3_cuda"):
        tagged = tmp_path / f"my_package-1.0.0-{tag}-py3-none-any.whl"
        tagged.write_bytes(wheel.read_bytes())
        (package,) = convert(tagged, tmp_path / "channel", CondaOptions()).packages
        builds.add((package.build, package.build_number))
    assert builds == {("py_2", 2), ("py_3", 3)}
    (package,) = convert(tagged, tmp_path / "own", CondaOptions(build_number=7)).packages
    assert (package.build, package.build_number) == ("py_7", 7)


def test_a_script_below_the_folder_itself_has_a_plain_path_in_the_package(tmp_path: Path) -> None:
    files = {"my_package/__init__.py": b"", f"{DATA}/scripts/./x.sh": b"#!/bin/sh\n"}
    (made,) = convert_all(write_wheel(tmp_path, files), tmp_path, CondaOptions())
    assert "python-scripts/x.sh" in read_contents(made.path)
