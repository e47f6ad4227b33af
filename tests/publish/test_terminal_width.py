"""What publishing prints fits the terminal: yank, promote, status, release, errors and hints."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.factories.releases import git, make_wheel
from tests.servers.registry import Registry
from twofold.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")


def open_terminal(columns: int) -> tuple[int, int]:
    """A terminal with so many columns: our side, and the program's."""
    import fcntl
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def run_on_terminal(columns: int, words: Sequence[str | Path], cwd: Path) -> list[str]:
    """Run twofold on a terminal with so many columns; returns the lines it shows."""
    ours, theirs = open_terminal(columns)
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "twofold", *map(str, words)]
    with subprocess.Popen(
        command, cwd=cwd, env={**env, "NO_COLOR": "1"}, stdout=theirs, stderr=theirs, stdin=theirs
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 1 << 16)
            except OSError:  # Linux: the other side is closed
                break
            if not block:
                break
            shown += block
    os.close(ours)
    return shown.decode().replace("\r\n", "\n").splitlines()


def require_fit(lines: Sequence[str], columns: int, *parts: str) -> None:
    """Every line fits, and the text holds the parts whatever the line breaks."""
    assert max(map(len, lines)) <= columns, lines
    text = "".join("".join(lines).split())
    for part in parts:
        assert "".join(part.split()) in text, lines


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_errors_and_hints_fit(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = open_terminal(columns)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    with os.fdopen(theirs, "w", encoding="utf-8") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        assert main(["status", "my_package", "--to", "localhost:8080/main"]) == 1
        screen.flush()
        data = b""
        while select.select([ours], [], [], 0.1)[0]:
            data += os.read(ours, 1 << 16)
        monkeypatch.undo()
    os.close(ours)
    shown = data.decode().replace("\r\n", "\n")
    message = "'localhost:8080/main' is neither a URL nor an existing folder"
    require_fit(shown.splitlines(), columns, f"error: {message}", "hint: write http://localhost")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_verb_fits(
    columns: int,
    registry: Registry,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    wheel = make_wheel(tmp_path, "a_longer_name", "1.0")
    main(["publish", str(wheel), "--to", registry.channel, "--yes"])
    release = ["a_longer_name==1.0", "--to", registry.channel]
    reason = "the release is broken on every machine that has no network"
    for words, parts in (
        (
            ["yank", *release, "--reason", reason, "--yes"],
            ["yank: 1 changed", "yanked a_longer_name"],
        ),
        (["status", "a_longer_name", "--to", registry.channel], [wheel.name, f"yanked: {reason}"]),
        (["unyank", *release, "--yes"], ["unyank: 1 changed"]),
        (["yank", "nothing==1.0", "--to", registry.channel], ["error:", "hint:", "twofold status"]),
        (
            ["promote", registry.channel, registry.channel, "a_longer_name==1.0", "--yes"],
            ["promote: 0 changed, 1 already so"],
        ),
    ):
        require_fit(run_on_terminal(columns, words, tmp_path), columns, *parts)
    git(project, "add", "-A")
    words = ["release", "1.2.0", "--to", registry.channel, "--dry-run"]
    shown = run_on_terminal(columns, words, project)
    require_fit(shown, columns, "my_package-1.2.0-py3-none-any.whl", "dry run passed: 1.2.0")
