"""Extras of dependencies are expanded from metadata that are at hand, wherever they lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_wheel
from twofold.convert import CondaOptions, make_packages
from twofold.convert.metadata_sources import (
    MAX_AGE,
    from_first,
    from_folders,
    from_index,
    from_mapping,
    from_site_packages,
)
from twofold.errors import TwofoldError
from twofold.formats.conda_reader import read_info

Twofold = Callable[..., CommandResult]
EXTRA = "Provides-Extra: fast\nRequires-Dist: {}; extra == 'fast'\n"


def put_dependency(folder: Path, version: str, adds: str) -> Path:
    metadata = METADATA.replace("my_package", "dep").replace("1.0.0", version) + EXTRA.format(adds)
    return write_wheel(folder, {"dep.py": b""}, metadata, f"dep-{version}-py3-none-any.whl")


def install_dependency(folder: Path, version: str, adds: str) -> Path:
    """As an installer leaves it in a site-packages."""
    info = folder / f"dep-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = METADATA.replace("my_package", "dep").replace("1.0.0", version) + EXTRA.format(adds)
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    return folder


def new_project(twofold: Twofold, tmp_path: Path, dependency: str) -> Path:
    assert twofold("new", "my_package", "--dep", dependency).code == 0
    return tmp_path / "my_package"


def build_and_read(root: Path) -> tuple[list[str], dict[str, object]]:
    """depends, and info/about.json of the one package."""
    (path,) = (root / "conda-bld" / "noarch").glob("*.conda")
    info = read_info(path, {"info/index.json": 1 << 20, "info/about.json": 1 << 20})
    return (
        json.loads(info["info/index.json"])["depends"],
        json.loads(info["info/about.json"]),
    )


def test_the_newest_matching_wheel_in_a_folder_gives_the_metadata(tmp_path: Path) -> None:
    for version, adds in (("1.0", "one"), ("2.0", "two"), ("10.0", "ten")):
        put_dependency(tmp_path, version, adds)
    (tmp_path / "dep-3.0-py3-none-any.whl").write_bytes(b"no zip")
    place = from_folders([tmp_path])
    assert b"ten" in (place("dep", "") or b"")
    assert b"two" in (place("dep", "<3") or b"")
    assert place("dep", ">20") is None
    assert place("other", "") is None


def test_an_installed_package_gives_metadata_only_for_its_own_version(tmp_path: Path) -> None:
    place = from_site_packages([str(install_dependency(tmp_path, "2.0", "two"))])
    assert b"two" in (place("dep", ">=1.5") or b"")
    assert place("dep", ">=3") is None


def test_the_first_source_that_has_the_metadata_is_queried_once() -> None:
    requested = []

    def counting(name: str, specifier: str) -> bytes | None:
        requested.append((name, specifier))
        return b"theirs"

    place = from_first(from_mapping({"here": b"ours"}), counting)
    assert place("here", "") == b"ours"
    assert [place("there", ">1"), place("there", ">1")] == [b"theirs", b"theirs"]
    assert requested == [("there", ">1")]


def test_a_build_expands_extras_from_the_active_environment_and_reports_the_version(
    tmp_path: Path, twofold: Twofold
) -> None:
    root = new_project(twofold, tmp_path, "dep[fast]>=1")
    install_dependency(tmp_path / "env/lib/python3.12/site-packages", "1.5", "httptools>=0.6")
    alone = {"PIP_NO_INDEX": "1", "VIRTUAL_ENV": str(tmp_path / "env")}
    ran = twofold("build", cwd=root, env=alone)
    assert ran.code == 0, ran.err
    depends, about = build_and_read(root)
    assert depends[1:] == ["dep >=1", "httptools >=0.6"]
    assert about["extra"] == {"expanded": ["dep[fast] as of dep 1.5"]}


def test_a_build_queries_the_users_index_once_a_day_and_uses_the_cache_when_it_is_unreachable(
    tmp_path: Path, twofold: Twofold, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = new_project(twofold, tmp_path, "dep[fast]>=1")
    put_dependency(tmp_path / "links", "2.0", "httptools>=0.6")
    monkeypatch.setenv("TWOFOLD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "links")}
    assert twofold("build", cwd=root, env=index).code == 0
    assert build_and_read(root)[0][1:] == ["dep >=1", "httptools >=0.6"]
    (kept,) = (tmp_path / "cache" / "metadata").iterdir()
    put_dependency(tmp_path / "links", "3.0", "uvloop")
    assert twofold("build", cwd=root, env=index).code == 0
    assert build_and_read(root)[0][1:] == ["dep >=1", "httptools >=0.6"]  # asked before today
    old = time.time() - MAX_AGE - 60
    os.utime(kept, (old, old))
    assert twofold("build", cwd=root, env=index).code == 0
    assert build_and_read(root)[0][1:] == ["dep >=1", "uvloop"]
    os.utime(kept, (old, old))
    for wheel in (tmp_path / "links").iterdir():
        wheel.unlink()
    assert twofold("build", cwd=root, env=index).code == 0  # the older answer, when it is away
    assert build_and_read(root)[0][1:] == ["dep >=1", "uvloop"]


def test_without_metadata_the_error_names_the_extra_and_the_way_around(
    tmp_path: Path, twofold: Twofold
) -> None:
    root = new_project(twofold, tmp_path, "dep[fast]>=1")
    ran = twofold("build", cwd=root, env={"PIP_NO_INDEX": "1"})
    assert ran.code == 1
    assert "what 'dep[fast]>=1' adds is known only from the metadata of dep" in ran.err
    assert '[tool.twofold.conda] leave-out = ["dep"]' in ran.err
    assert "Traceback" not in ran.err
    assert not (root / "conda-bld").exists() or not list((root / "conda-bld").rglob("*.conda"))
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.twofold.conda]\nleave-out = ["dep"]\ndepends = ["dep >=1", "fast"]\n')
    assert twofold("build", cwd=root, env={"PIP_NO_INDEX": "1"}).code == 0
    assert build_and_read(root)[0][1:] == ["dep >=1", "fast"]


def test_without_extras_nothing_of_this_is_imported(tmp_path: Path, twofold: Twofold) -> None:
    root = new_project(twofold, tmp_path, "dep>=1")
    code = (
        "import sys; from twofold.building import build_project, BuildRequest\n"
        "build_project(sys.argv[1], BuildRequest())\n"
        "slow = {f'twofold.convert.{name}' for name in ('metadata_sources', 'resolution')}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]")


def test_convert_finds_the_metadata_beside_the_wheel(tmp_path: Path, twofold: Twofold) -> None:
    put_dependency(tmp_path / "wheels", "2.0", "two")
    own = write_wheel(tmp_path / "wheels", metadata=METADATA + "Requires-Dist: dep[fast]\n")
    ran = twofold("convert", own, "--json", env={"PIP_NO_INDEX": "1"})
    assert ran.code == 0, ran.err
    (package,) = json.loads(ran.out)["packages"]
    assert package["depends"] == ["python", "dep", "two"]


def test_an_extra_that_the_dependency_does_not_have_is_reported() -> None:
    dep = METADATA.replace("my_package", "dep").encode()
    options = CondaOptions(find_metadata=from_mapping({"dep": dep}))
    metadata = (METADATA + "Requires-Dist: dep[nope]>=1\n").encode()
    (package,) = make_packages(metadata, None, ["py3-none-any"], options)
    assert package.depends == ("python", "dep >=1")
    assert package.notes == ("dep 1.0.0 has no extra 'nope': 'dep[nope]>=1' adds nothing by it",)


def test_extras_under_two_markers_are_followed_under_each() -> None:
    dep = METADATA.replace("my_package", "dep") + (
        "Requires-Dist: dep[inner]; extra == 'all' and sys_platform == 'win32'\n"
        "Requires-Dist: dep[inner]; extra == 'all' and sys_platform == 'linux'\n"
        "Requires-Dist: x; extra == 'inner'\nProvides-Extra: all\nProvides-Extra: inner\n"
    )
    options = CondaOptions(find_metadata=from_mapping({"dep": dep.encode()}))
    metadata = (METADATA + "Requires-Dist: dep[all]\n").encode()
    packages = make_packages(metadata, None, ["py3-none-any"], options)
    found = {p.build: "x" in p.depends for p in packages}
    assert found == {"linux_py_0": True, "osx_py_0": False, "win_py_0": True}


def test_a_maze_of_extras_is_an_error_and_ends() -> None:
    lines = "".join(
        f"Provides-Extra: e{n}\n"
        + "".join(
            f"Requires-Dist: dep[e{m}]; extra == 'e{n}' and python_version > '3.{m}'\n"
            for m in range(12)
        )
        for n in range(12)
    )
    dep = METADATA.replace("my_package", "dep") + lines
    options = CondaOptions(find_metadata=from_mapping({"dep": dep.encode()}))
    metadata = (METADATA + "Requires-Dist: dep[e0]\n").encode()
    with pytest.raises(TwofoldError, match="lead to more than"):
        make_packages(metadata, None, ["py3-none-any"], options)


def test_an_unreachable_index_is_reported_with_pips_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(TwofoldError, match="No matching distribution found for nobody-has-this"):
        from_index(cache=tmp_path / "cache")("nobody-has-this", ">=1")
