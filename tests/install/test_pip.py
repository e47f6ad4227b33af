"""Virtual environments by pip and uv: the named index first, the configured ones after it."""

from __future__ import annotations

import netrc
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.factories.versioned_wheels import make_wheel
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.install.auth import Login
from twofold.install.pip import PipInstall, install_into_venv, make_command, make_venv
from twofold.install.sources import fetch_links, read_pip_sources

pytestmark = pytest.mark.usefixtures("other_index")
both_installers = pytest.mark.parametrize("installer", ["pip", "uv"])


@pytest.fixture
def other_index(tmp_path: Path, served: Callable[[Path], str], monkeypatch: Any) -> Path:
    """pip is configured with an index of our own in place of the user's."""
    folder = tmp_path / "other"
    make_wheel(folder, "helper", "2.0")
    make_wheel(folder, "my_package", "99.0")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "no-pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", f"{served(folder)}/simple/")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    read_pip_sources.cache_clear()
    return folder


def reported(python: Path, name: str) -> str:
    code = f"import {name}; print({name}.version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout


@both_installers
def test_dependencies_that_the_index_has_not_come_from_the_configured_ones(
    tmp_path: Path,
    served: Callable[[Path], str],
    installer: Literal["pip", "uv"],
) -> None:
    make_wheel(tmp_path / "ours", "private", "1.0", "helper")
    index = f"{served(tmp_path / 'ours')}/simple/"
    wanted = PipInstall(["private"], index, installer=installer)
    python = install_into_venv(tmp_path / "venv", wanted)
    assert reported(python, "private") == "1.0\n"
    assert reported(python, "helper") == "2.0\n"


def test_uv_takes_a_name_that_the_index_has_from_nowhere_else(
    tmp_path: Path, served: Callable[[Path], str]
) -> None:
    make_wheel(tmp_path / "ours", "my_package", "1.0")
    index = f"{served(tmp_path / 'ours')}/simple/"
    wanted = PipInstall(["my_package"], index, installer="uv")
    assert reported(install_into_venv(tmp_path / "venv", wanted), "my_package") == "1.0\n"


def test_with_pip_a_higher_version_elsewhere_is_refused_and_not_installed(
    tmp_path: Path, served: Callable[[Path], str]
) -> None:
    make_wheel(tmp_path / "ours", "my_package", "1.0")
    index = f"{served(tmp_path / 'ours')}/simple/"
    with pytest.raises(TwofoldError, match="another index") as caught:
        install_into_venv(tmp_path / "venv", PipInstall(["my_package"], index))
    assert "--uv" in caught.value.hint
    assert not list((tmp_path / "venv").rglob("my_package"))


@both_installers
def test_with_only_the_index_nothing_comes_from_elsewhere(
    tmp_path: Path,
    served: Callable[[Path], str],
    installer: Literal["pip", "uv"],
) -> None:
    make_wheel(tmp_path / "ours", "my_package", "1.0")
    index = f"{served(tmp_path / 'ours')}/simple/"
    wanted = PipInstall(["my_package"], index, only_index=True, installer=installer)
    assert reported(install_into_venv(tmp_path / "venv", wanted), "my_package") == "1.0\n"


@both_installers
def test_a_version_that_is_nowhere_is_reported_with_the_installers_words(
    tmp_path: Path,
    served: Callable[[Path], str],
    installer: Literal["pip", "uv"],
) -> None:
    make_wheel(tmp_path / "ours", "my_package", "1.0")
    index = f"{served(tmp_path / 'ours')}/simple/"
    wanted = PipInstall(["my_package==77"], index, installer=installer)
    with pytest.raises(SubprocessFailed, match=f"{installer} could not install my_package") as e:
        install_into_venv(tmp_path / "venv", wanted)
    assert "my_package" in e.value.output.replace("-", "_")


@both_installers
@pytest.mark.parametrize("path", ["", "/nowhere", "/main/legacy", "/simple/helper", "/empty"])
def test_a_wrong_address_never_installs_a_package_of_that_name_from_elsewhere(
    tmp_path: Path,
    served: Callable[[Path], str],
    installer: Literal["pip", "uv"],
    path: str,
) -> None:
    """The other index has `helper`: with `--from` it must not be asked for it."""
    make_wheel(tmp_path / "ours", "private", "1.0")
    (tmp_path / "ours/empty/simple/helper").mkdir(parents=True)
    (tmp_path / "ours/empty/simple/helper/index.html").write_text("<a href='/'>log in</a>")
    wanted = PipInstall(["helper"], f"{served(tmp_path / 'ours')}{path}/simple/")
    with pytest.raises(TwofoldError, match=r"there is no channel at|does not have helper"):
        install_into_venv(tmp_path / "venv", replace(wanted, installer=installer))
    assert not (tmp_path / "venv").exists()


def test_a_file_is_installed_with_an_index_for_what_it_requires(
    tmp_path: Path, served: Callable[[Path], str]
) -> None:
    make_wheel(tmp_path / "ours", "engine", "1.0")
    wheel = make_wheel(tmp_path / "file", "car", "1.0", "engine")
    index = f"{served(tmp_path / 'ours')}/simple/"
    python = install_into_venv(tmp_path / "venv", PipInstall([str(wheel)], index))
    assert reported(python, "engine") == "1.0\n"
    with pytest.raises(TwofoldError, match="there is no channel at"):
        install_into_venv(tmp_path / "no", PipInstall([str(wheel)], f"{index}nowhere/simple/"))


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious.txt").write_text("mine")
    with pytest.raises(TwofoldError, match="neither empty nor"):
        make_venv(full)
    assert [p.name for p in full.iterdir()] == ["precious.txt"]


def test_an_index_is_requested_with_the_normalized_name(
    tmp_path: Path, served: Callable[[Path], str]
) -> None:
    make_wheel(tmp_path, "my_package", "1.0")
    address = served(tmp_path)
    index, served_file = f"{address}/simple", f"{address}/my_package-1.0-py3-none-any.whl"
    assert fetch_links(index, "My.Package") == {served_file}
    assert fetch_links(index, "other") is None


@both_installers
def test_a_token_is_in_the_environment_or_a_private_file_and_not_in_the_process_list(
    tmp_path: Path, installer: Literal["pip", "uv"]
) -> None:
    login = Login("the-token")
    wanted = PipInstall(["x"], "http://host/main/simple/", login, installer=installer)
    with make_command(tmp_path / "python", wanted) as (command, environment):
        assert "the-token" not in " ".join(command)
        if installer == "uv":
            assert "the-token" in environment["UV_INDEX"] + environment["UV_DEFAULT_INDEX"]
        else:
            file = Path(environment["NETRC"])
            assert netrc.netrc(str(file)).authenticators("host") == ("__token__", "", "the-token")
            assert os.name != "posix" or file.stat().st_mode & 0o077 == 0
            assert "the-token" not in " ".join(environment.values())
    assert "NETRC" not in environment or not file.exists()


def test_the_command_installs_from_a_registry_address(
    twofold: Callable[..., Any], tmp_path: Path, served: Callable[[Path], str]
) -> None:
    make_wheel(tmp_path / "ours", "private", "1.0")
    ran = twofold(
        "install", "private", "--from", served(tmp_path / "ours"), "--venv", "env", "--json"
    )
    assert ran.code == 0, ran.err
    assert reported(Path(ran.json["python"]), "private") == "1.0\n"


@both_installers
def test_with_upgrade_the_newest_release_replaces_an_older_one_but_not_its_dependencies(
    twofold: Callable[..., Any], tmp_path: Path, served: Callable[[Path], str], installer: str
) -> None:
    make_wheel(tmp_path / "ours", "private", "1.0", "engine")
    make_wheel(tmp_path / "ours", "engine", "1.0")
    words = ["install", "private", "--venv", "env", "--json"]
    words += ["--uv"] if installer == "uv" else []
    assert twofold(*words, "--from", served(tmp_path / "ours")).code == 0
    make_wheel(tmp_path / "ours", "private", "2.0", "engine")
    make_wheel(tmp_path / "ours", "engine", "2.0")
    words += ["--from", served(tmp_path / "ours")]
    ran = twofold(*words)
    python = Path(ran.json["python"])
    assert reported(python, "private") == "1.0\n"
    ran = twofold(*words, "-U")
    assert ran.code == 0, ran.err
    assert (reported(python, "private"), reported(python, "engine")) == ("2.0\n", "1.0\n")


def test_the_command_installs_from_a_folder_that_is_an_index(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    make_wheel(tmp_path / "static", "private", "1.0")
    assert twofold("index", tmp_path / "static").code == 0
    ran = twofold("install", "private", "--from", tmp_path / "static", "--venv", "env", "--json")
    assert ran.code == 0, ran.err
    assert reported(Path(ran.json["python"]), "private") == "1.0\n"


@pytest.mark.parametrize("path", ["simple", "noarch"])
def test_the_address_of_a_page_stands_for_its_channel(
    twofold: Callable[..., Any], tmp_path: Path, path: str
) -> None:
    make_wheel(tmp_path / "static", "private", "1.0")
    assert twofold("index", tmp_path / "static").code == 0
    (tmp_path / "static/noarch").mkdir(exist_ok=True)
    (tmp_path / "static/noarch/repodata.json").touch()
    ran = twofold("install", "private", "--from", tmp_path / "static" / path, "--venv", "env")
    assert ran.code == 0, ran.err
    assert "is a page of the channel" in ran.err


def test_a_registry_that_is_not_there_is_reported(twofold: Callable[..., Any]) -> None:
    ran = twofold(
        "install", "thing", "--from", "http://127.0.0.1:9/main", "--venv", "env", "--only"
    )
    assert ran.code == 1
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err
