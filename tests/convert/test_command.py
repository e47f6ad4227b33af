"""`twofold convert`: wheels and names into a channel that clients install from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_wheel
from twofold.install.conda import install_into_prefix
from twofold.install.repack_python import repack_python

Twofold = Callable[..., CommandResult]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="python is repacked on Linux alone")


@pytest.fixture(scope="module")
def python_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from twofold.index.folder import index_folder

    channel = tmp_path_factory.mktemp("python")
    repack_python(channel)
    index_folder(channel)
    return channel


def test_wheels_become_a_channel_and_a_second_run_does_only_what_is_new(
    tmp_path: Path, twofold: Twofold
) -> None:
    first = write_wheel(tmp_path)
    ran = twofold("convert", first, "--out", "channel", "--json")
    assert ran.code == 0, ran.err
    (package,) = json.loads(ran.out)["packages"]
    assert (package["file"], package["fresh"]) == ("noarch/my_package-1.0.0-py_0.conda", True)
    repodata = json.loads((tmp_path / "channel/noarch/repodata.json").read_text("utf-8"))
    assert list(repodata["packages.conda"]) == ["my_package-1.0.0-py_0.conda"]
    made = (tmp_path / "channel" / package["file"]).stat().st_mtime_ns
    other = write_wheel(
        tmp_path,
        {"other.py": b""},
        METADATA.replace("my_package", "other") + "Requires-Dist: my-package\n",
        "other-1.0.0-py3-none-any.whl",
    )
    ran = twofold("convert", first, other, "--out", "channel", "--json")
    fresh = {p["name"]: p["fresh"] for p in json.loads(ran.out)["packages"]}
    assert fresh == {"my_package": False, "other": True}
    assert (tmp_path / "channel" / package["file"]).stat().st_mtime_ns == made
    # A dependency has the name of the package at hand, however it is written.
    repodata = json.loads((tmp_path / "channel/noarch/repodata.json").read_text("utf-8"))
    record = repodata["packages.conda"]["other-1.0.0-py_0.conda"]
    assert record["depends"] == ["python", "my_package"]


def test_one_bad_wheel_does_not_stop_the_others_and_is_reported(
    tmp_path: Path, twofold: Twofold
) -> None:
    good = write_wheel(tmp_path)
    bad = tmp_path / "bad-1.0-py3-none-any.whl"
    bad.write_bytes(b"<html>404</html>")
    ran = twofold("convert", good, bad, "--out", "channel")
    assert ran.code == 1
    assert "bad-1.0-py3-none-any.whl: not a zip archive" in ran.err
    assert "Traceback" not in ran.err
    assert "noarch/my_package-1.0.0-py_0.conda" in ran.out
    assert not list((tmp_path / "channel").glob("*/bad*"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["gone-1.0-py3-none-any.whl"], 1, "no such file"),
        (["numpy", "--python", "twelve"], 2, "not a Python version"),
        (["numpy", "--platform", "amiga-68k"], 1, "amiga-68k"),
        (["./x.whl", "--with-deps"], 1, "no such file"),
    ],
)
def test_wrong_usage_is_reported(
    twofold: Twofold, words: list[str], code: int, message: str
) -> None:
    ran = twofold("convert", *words)
    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_name_missing_from_the_index_is_reported_with_pips_message(
    tmp_path: Path, twofold: Twofold
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(empty)}
    ran = twofold("convert", "no-such-name-anywhere", env=env)
    assert ran.code == 1
    assert "pip found no wheels for no-such-name-anywhere" in ran.err


def test_a_closure_is_fetched_from_the_users_own_index(tmp_path: Path, twofold: Twofold) -> None:
    links = tmp_path / "links"
    metadata = METADATA + "Requires-Dist: Other_One[fast]>=1\n"
    write_wheel(links, metadata=metadata)
    other = "Metadata-Version: 2.4\nName: other-one\nVersion: 1.0\n"
    extra = "Requires-Dist: third; extra == 'fast'\nProvides-Extra: fast\n"
    write_wheel(links, {"o.py": b""}, other + extra, "other_one-1.0-py3-none-any.whl")
    third = other.replace("other-one", "third")
    write_wheel(links, {"t.py": b""}, third, "third-1.0-py3-none-any.whl")
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    words = ["convert", "my_package", "--with-deps", "--out", "channel", "--json"]
    ran = twofold(*words, env=env)
    assert ran.code == 0, ran.err
    packages = {p["name"]: p["depends"] for p in json.loads(ran.out)["packages"]}
    assert packages == {
        "my_package": ["python", "other-one >=1", "third"],
        "other-one": ["python"],
        "third": ["python"],
    }
    again = json.loads(twofold(*words, env=env).out)
    assert not any(package["fresh"] for package in again["packages"])


def test_a_wheel_for_another_python_and_platform_is_fetched(
    tmp_path: Path, twofold: Twofold
) -> None:
    links = tmp_path / "links"
    for tags in ("cp312-cp312-win_amd64", "cp312-cp312-manylinux_2_17_x86_64"):
        write_wheel(links, filename=f"my_package-1.0.0-{tags}.whl")
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    words = ["convert", "my_package", "--python", "3.12", "--platform", "win-64", "--json"]
    ran = twofold(*words, env=env)
    assert ran.code == 0, ran.err
    (package,) = json.loads(ran.out)["packages"]
    assert package["file"] == "win-64/my_package-1.0.0-py312_0.conda"


@LINUX
def test_what_is_converted_is_installed_and_runs(
    tmp_path: Path, twofold: Twofold, python_channel: Path
) -> None:
    info = "my_package-1.0.0.dist-info"
    files = {
        "my_package/__init__.py": b"def main():\n    print('forty-two')\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nmy-tool = my_package:main\n",
        "my_package-1.0.0.data/scripts/raw-tool": b"#!python\nimport my_package as m; m.main()\n",
        "my_package-1.0.0.data/data/share/my_package.txt": b"here\n",
    }
    major, minor = sys.version_info[:2]
    tag = f"cp{major}{minor}-cp{major}{minor}-manylinux_2_17_x86_64"
    pure = write_wheel(tmp_path, files)
    binary_files = {name.replace("my_package", "fast"): data for name, data in files.items()}
    binary_files["fast/__init__.py"] = files["my_package/__init__.py"]
    binary_files["fast-1.0.0.dist-info/entry_points.txt"] = b"[console_scripts]\nf = fast:main\n"
    binary_files["fast-1.0.0.data/scripts/raw-fast"] = b"#!python\nimport fast as m; m.main()\n"
    metadata = METADATA.replace("my_package", "fast") + "Requires-Dist: my-package\n"
    binary = write_wheel(tmp_path, binary_files, metadata, f"fast-1.0.0-{tag}.whl")
    assert twofold("convert", pure, binary, "--out", "channel").code == 0
    prefix = tmp_path / "env"
    install_into_prefix(["fast"], [tmp_path / "channel", python_channel], prefix)
    for script in ("my-tool", "raw-tool", "f", "raw-fast"):
        done = subprocess.run([prefix / "bin" / script], capture_output=True, text=True, check=True)
        assert done.stdout == "forty-two\n"
    assert (prefix / "share/my_package.txt").read_text("utf-8") == "here\n"
    code = "import importlib.metadata as m; print(m.version('fast'), len(m.files('my_package')))"
    python = prefix / "bin" / "python"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "1.0.0"
