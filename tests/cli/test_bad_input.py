"""What goes wrong on the road is told with a hint and exit code 1, without a traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.registry import Registry


def told(ran: Ran) -> str:
    """The message of a failed run, after what every message must be."""
    assert ran.code == 1, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "error:" in ran.err
    assert "hint:" in ran.err
    return ran.err


@pytest.fixture
def built(twofold: Callable[..., Ran], tmp_path: Path) -> Path:
    assert twofold("new", "my_package").code == 0
    assert twofold("build", cwd=tmp_path / "my_package").code == 0
    return tmp_path / "my_package"


def test_a_folder_that_is_no_project(twofold: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told(twofold("build", tmp_path / "empty"))
    told(twofold("build", tmp_path / "absent"))


def test_a_pyproject_with_several_mistakes_tells_all_with_their_lines(
    twofold: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["twofold-build"]\nbuild-backend = "twofold_build"\n\n'
        '[project]\nname = "my package!"\nversion = "one"\nrequires-python = "3.9"\n'
        'dependancies = ["numpy"]\ndependencies = ["numpy>>1.24"]\n',
        encoding="utf-8",
    )
    said = told(twofold("build", tmp_path))
    for line in (6, 7, 8, 9, 10):
        assert f"pyproject.toml:{line}" in said, said
    assert "dependencies" in said


def test_names_that_cannot_be_used(twofold: Callable[..., Ran], tmp_path: Path) -> None:
    for name in ("class", "my package", "-x", "json", "ünï"):
        ran = twofold("new", "--path", tmp_path / "project", "--", name)
        assert ran.code in (1, 2), name
        assert "hint:" in ran.err
        assert not (tmp_path / "project").exists()


def test_a_port_in_use(twofold: Callable[..., Ran], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = told(twofold("serve", "--port", str(port), "--data", tmp_path / "data"))
    assert str(port) in said


def test_a_registry_that_is_not_there(
    twofold: Callable[..., Ran], built: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}/main"
    env = {"TWOFOLD_TOKEN": "whatever"}
    assert address in told(twofold("publish", "--to", address, "--yes", cwd=built, env=env))
    told(twofold("install", "my_package", "--from", address, "--venv", tmp_path / "venv"))


def test_a_wrong_token(twofold: Callable[..., Ran], built: Path, registry: Registry) -> None:
    env = {"TWOFOLD_TOKEN": "wrong"}
    said = told(twofold("publish", "--to", registry.channel, "--yes", cwd=built, env=env))
    assert "token" in said


def test_a_file_that_is_not_what_its_name_says(
    twofold: Callable[..., Ran], registry: Registry, tmp_path: Path
) -> None:
    liar = tmp_path / "my_package-1.0.0-py3-none-any.whl"
    liar.write_text("<html>not found</html>", encoding="utf-8")
    env = {"TWOFOLD_TOKEN": registry.token}
    told(twofold("publish", liar, "--to", registry.channel, "--yes", env=env))
    told(twofold("convert", liar, "--out", tmp_path / "channel"))
    assert not list((tmp_path / "channel").glob("*/*.conda"))
