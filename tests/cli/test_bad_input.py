"""What goes wrong on the road is told with a hint and exit code 1, without a traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.artifacts import METADATA, write_wheel
from tests.servers.registry import Registry
from twofold.cli import main
from twofold.cli.terminal import (
    describe_os_error,
    is_coloured,
    note,
    print_json,
    print_text,
    show_error,
)
from twofold.errors import TwofoldError


def error_output(ran: CommandResult) -> str:
    """The message of a failed run, after what every message must be."""
    assert ran.code == 1, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "error:" in ran.err
    assert "hint:" in ran.err
    return ran.err


@pytest.fixture
def built(twofold: Callable[..., CommandResult], tmp_path: Path) -> Path:
    assert twofold("new", "my_package").code == 0
    assert twofold("build", cwd=tmp_path / "my_package").code == 0
    return tmp_path / "my_package"


def test_a_folder_that_is_no_project(twofold: Callable[..., CommandResult], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error_output(twofold("build", tmp_path / "empty"))
    error_output(twofold("build", tmp_path / "absent"))


def test_a_pyproject_with_several_mistakes_reports_all_with_their_lines(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["twofold-build"]\nbuild-backend = "twofold_build"\n\n'
        '[project]\nname = "my package!"\nversion = "one"\nrequires-python = "3.9"\n'
        'dependancies = ["numpy"]\ndependencies = ["numpy>>1.24"]\n',
        encoding="utf-8",
    )
    message = error_output(twofold("build", tmp_path))
    for line in (6, 7, 8, 9, 10):
        assert f"pyproject.toml:{line}" in message, message
    assert "dependencies" in message


def test_names_that_cannot_be_used(twofold: Callable[..., CommandResult], tmp_path: Path) -> None:
    for name in ("class", "my package", "-x", "json", "ünï"):
        ran = twofold("new", "--path", tmp_path / "project", "--", name)
        assert ran.code in (1, 2), name
        assert "hint:" in ran.err
        assert not (tmp_path / "project").exists()


def test_a_port_in_use(twofold: Callable[..., CommandResult], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = error_output(twofold("serve", "--port", str(port), "--data", tmp_path / "data"))
    assert str(port) in message


def test_a_registry_that_is_not_there(
    twofold: Callable[..., CommandResult], built: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}/main"
    env = {"TWOFOLD_TOKEN": "whatever"}
    assert address in error_output(twofold("publish", "--to", address, "--yes", cwd=built, env=env))
    error_output(twofold("install", "my_package", "--from", address, "--venv", tmp_path / "venv"))


def test_a_wrong_token(
    twofold: Callable[..., CommandResult], built: Path, registry: Registry
) -> None:
    env = {"TWOFOLD_TOKEN": "wrong"}
    message = error_output(
        twofold("publish", "--to", registry.channel, "--yes", cwd=built, env=env)
    )
    assert "token" in message


def test_a_file_that_does_not_match_its_name(
    twofold: Callable[..., CommandResult], registry: Registry, tmp_path: Path
) -> None:
    liar = tmp_path / "my_package-1.0.0-py3-none-any.whl"
    liar.write_text("<html>not found</html>", encoding="utf-8")
    env = {"TWOFOLD_TOKEN": registry.token}
    error_output(twofold("publish", liar, "--to", registry.channel, "--yes", env=env))
    error_output(twofold("convert", liar, "--out", tmp_path / "channel"))
    assert not list((tmp_path / "channel").glob("*/*.conda"))


def test_control_characters_of_a_server_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    evil = "no\x1b[2J\x07 right\u202e to\x9b31m this\r"
    show_error(TwofoldError(evil, evil))
    note(evil)
    err = capsys.readouterr().err
    assert not set(err) & set("\x1b\x07\u202e\x9b\r")
    assert err.count("right") == 3
    print_text(evil)
    print_json(evil)
    shown, as_json = capsys.readouterr().out.split("\n")[:2]
    assert not set(shown + as_json) & set("\x1b\x07\u202e\x9b\r")
    assert json.loads(as_json) == evil


def test_control_characters_of_an_archive_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(tmp_path, metadata=f"{METADATA}Classifier: no \x1b[2J\u202e :: such\n")
    for more in ([], ["--github"]):
        assert main(["check", str(wheel), *more]) == 1
        out = capsys.readouterr().out
        assert "such" in out and not set(out) & set("\x1b\u202e")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)],
)
def test_colour_follows_the_variables_that_other_tools_read(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_coloured(io.StringIO()) is coloured
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: an empty value does not count
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert is_coloured(io.StringIO())


@pytest.mark.parametrize(
    ("number", "place"),
    [(errno.ENOSPC, "target"), (errno.EROFS, "target"), (errno.EACCES, "source")],
)
def test_a_copy_that_fails_names_the_file_that_is_at_fault(number: int, place: str) -> None:
    error = OSError(number, os.strerror(number), "source", None, "target")
    assert describe_os_error(error).problems[0].where == place
