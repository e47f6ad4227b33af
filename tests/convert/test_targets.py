"""Names with their closure for another Python and platform: markers are judged for the target."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_wheel
from twofold.convert.resolution import detect_target, resolve_with_dependencies
from twofold.errors import TwofoldError
from twofold.names.platforms import Target

Twofold = Callable[..., CommandResult]
LINES = """\
Requires-Dist: windows-only; sys_platform == 'win32'
Requires-Dist: mac-only; sys_platform == 'darwin'
Requires-Dist: arm-only; platform_machine == 'arm64' or platform_machine == 'aarch64'
Requires-Dist: backport; python_version < '3.13'
"""
#: What each target's closure holds beside the project itself, and the tag of its wheel.
TARGETS = {
    ("3.12", "win-64"): ({"windows-only", "backport"}, "win_amd64"),
    ("3.13", "win-64"): ({"windows-only"}, "win_amd64"),
    ("3.12", "osx-arm64"): ({"mac-only", "arm-only", "backport"}, "macosx_11_0_arm64"),
    ("3.13", "osx-64"): ({"mac-only"}, "macosx_10_13_x86_64"),
    ("3.12", "linux-aarch64"): ({"arm-only", "backport"}, "manylinux_2_17_aarch64"),
    ("3.13", "linux-64"): (set(), "manylinux_2_17_x86_64"),
    ("3.12", "linux-64-musl"): ({"backport"}, "musllinux_1_2_x86_64"),
}


@pytest.fixture
def links(tmp_path: Path) -> dict[str, str]:
    """A folder of wheels as the user's only index, for pip and for uv."""
    folder = tmp_path / "links"
    for (python, _), (_, tag) in TARGETS.items():
        abi = f"cp{python.replace('.', '')}"
        write_wheel(
            folder, metadata=METADATA + LINES, filename=f"my_package-1.0.0-{abi}-{abi}-{tag}.whl"
        )
    for name in ("windows_only", "mac_only", "arm_only", "backport"):
        metadata = METADATA.replace("my_package", name.replace("_", "-"))
        write_wheel(folder, {f"{name}.py": b""}, metadata, f"{name}-1.0.0-py3-none-any.whl")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


#: Of every system one by default.
_BY_DEFAULT = (("3.12", "win-64"), ("3.12", "osx-arm64"), ("3.12", "linux-64-musl"))


@pytest.mark.parametrize(
    ("python", "platform"),
    [
        pytest.param(*target, marks=() if target in _BY_DEFAULT else pytest.mark.slow)
        for target in TARGETS
    ],
)
def test_dependencies_are_resolved_for_the_target(
    twofold: Twofold, links: dict[str, str], python: str, platform: str
) -> None:
    words = ["--with-deps", "--python", python, "--platform", platform, "--json"]
    ran = twofold("convert", "my_package", *words, "--out", "channel", env=links)
    assert ran.code == 0, ran.err
    packages = {p["name"]: p for p in json.loads(ran.out)["packages"]}
    wanted, _ = TARGETS[python, platform]
    assert packages.keys() == {"my_package", *wanted}
    own = packages["my_package"]
    assert own["subdir"] == platform.removesuffix("-musl")
    assert wanted <= set(own["depends"])
    again = json.loads(twofold("convert", "my_package", *words, "--out", "channel", env=links).out)[
        "packages"
    ]
    assert not any(package["fresh"] for package in again)


def test_wheels_for_glibc_and_for_musl_share_a_subdir(
    tmp_path: Path, twofold: Twofold, links: dict[str, str]
) -> None:
    words = ["convert", "my_package", "--out", "channel"]
    for python, platform in (("3.13", "linux-64"), ("3.12", "linux-64-musl")):
        assert twofold(*words, "--python", python, "--platform", platform, env=links).code == 0
    made = sorted(path.name for path in (tmp_path / "channel" / "linux-64").glob("*.conda"))
    assert made == [
        "my_package-1.0.0-musl_py312_0.conda",
        "my_package-1.0.0-py313_0.conda",
    ]


def test_two_wheels_that_would_be_one_package_are_reported(
    tmp_path: Path, twofold: Twofold
) -> None:
    tags = ("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_28_x86_64")
    wheels = [write_wheel(tmp_path, filename=f"my_package-1.0.0-{tag}.whl") for tag in tags]
    ran = twofold("convert", *wheels, "--out", "channel")
    assert ran.code == 1
    assert "it would be the same package as my_package-1.0.0-cp312" in ran.err
    assert len(list((tmp_path / "channel").glob("*/*.conda"))) == 1


def test_without_uv_resolving_for_another_target_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TwofoldError, match="cannot be resolved without uv"):
        resolve_with_dependencies(["numpy"], Target("3.12", "win-64"), with_deps=True)


def test_uvs_message_is_reported_when_it_finds_nothing(
    twofold: Twofold, links: dict[str, str]
) -> None:
    words = ["--with-deps", "--python", "3.9", "--platform", "win-64"]
    ran = twofold("convert", "my_package", *words, env=links)
    assert ran.code == 1
    assert "uv found no wheels for my_package" in ran.err
    assert "my-package" in ran.err
    assert "Traceback" not in ran.err


def test_a_target_equal_to_this_machine_needs_no_uv() -> None:
    here = detect_target()
    assert here.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform == "linux":
        assert here.platform.startswith("linux-")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_run_leaves_no_half_file_and_the_next_goes_on(
    tmp_path: Path, twofold: Twofold
) -> None:
    wheels = [
        write_wheel(
            tmp_path,
            {f"p{n}/data.bin": os.urandom(size)},
            METADATA.replace("my_package", f"p{n}"),
            f"p{n}-1.0.0-py3-none-any.whl",
        )
        for n, size in enumerate([4_000_000] * 12)
    ]
    channel = tmp_path / "channel"
    command = [sys.executable, "-m", "twofold", "convert", *map(str, wheels)]
    process = subprocess.Popen([*command, "--out", str(channel)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()  # the first is converted
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    done = {path.name for path in channel.glob("*/*.conda")}
    assert 0 < len(done) < len(wheels)
    ran = twofold("convert", *wheels, "--out", "channel", "--json")
    assert ran.code == 0, ran.err
    packages = json.loads(ran.out)["packages"]
    kept = {p["file"].rpartition("/")[2] for p in packages if not p["fresh"]}
    assert kept <= done
    assert kept
    assert len(packages) == len(wheels)
