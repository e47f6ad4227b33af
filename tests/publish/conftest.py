"""A release, a project in git, and real servers on loopback for the tests of publishing."""

from __future__ import annotations

import base64
import hashlib
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, git, make_conda, make_sdist, make_wheel
from tests.servers.pypiserver import (
    PASSWORD,
    USER,
    Command,
    end_server,
    start_pypiserver,
    start_server,
)
from tests.servers.registry import Registry, run_registry


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """my_package 1.0.0: wheel, sdist and conda package."""
    folder = tmp_path / "dist"
    folder.mkdir()
    return Release(
        folder,
        make_wheel(folder, "my_package", "1.0.0"),
        make_sdist(folder, "my_package", "1.0.0"),
        make_conda(folder, "my_package", "1.0.0"),
    )


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def registry(shared_registry: Registry) -> Registry:
    """A registry that runs for all tests here, with a new channel."""
    return shared_registry.create_channel(f"c-{secrets.token_hex(4)}")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Command], str]]:
    """Starts server processes, waits until they answer, and ends them afterwards."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: Command) -> str:
        log = tmp_path / f"server-{len(processes)}.log"
        process, address = start_server(command, "/", log)
        processes.append(process)
        return address

    yield start
    for process in processes:
        end_server(process)


@pytest.fixture
def pypiserver(tmp_path: Path, started: Callable[[Command], str]) -> str:
    """The address of a pypiserver that takes uploads from anybody."""
    return start_pypiserver(tmp_path / "pypiserver", started, ["-P", ".", "-a", "."])


@pytest.fixture
def private_pypiserver(tmp_path: Path, started: Callable[[Command], str]) -> str:
    """The address of a pypiserver that gives nothing to nobody without USER and PASSWORD."""
    users = tmp_path / "htpasswd"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    users.write_text(f"{USER}:{{SHA}}{digest}\n")
    closed = ["-P", str(users), "-a", "update,download,list"]
    return start_pypiserver(tmp_path / "private-pypiserver", started, closed)


@pytest.fixture
def project(twofold: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in git with a changelog entry for 1.2.0."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")
    assert twofold("new", "my_package").code == 0
    folder = tmp_path / "my_package"
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 1.2.0 (2026-11-22)\n\n- More.\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder
