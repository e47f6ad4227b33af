"""The plan on a terminal of any width: where to, as whom, how much, and each file once."""

from __future__ import annotations

import os
import re
import select
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import make_wheel
from tests.servers.registry import Registry
from twofold.cli.publication_output import print_plan
from twofold.cli.terminal import format_size
from twofold.publish.order import Order, prepare
from twofold.publish.plan import Plan

posix_only = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")


def show_on_terminal(plan: Plan, columns: int) -> str:
    """Print the plan on a real terminal with so many columns, and return what it got."""
    import fcntl
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as screen:
        print_plan(plan, screen)
        shown = b""
        while not shown.endswith(b"\n") or select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 1 << 16)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@posix_only
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_plan_fits_any_width_and_tells_each_file_once(
    columns: int, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    monkeypatch.delenv("COLUMNS", raising=False)
    wheels = [make_wheel(tmp_path, f"longer_name_{n}", "1.0") for n in range(2)]
    with prepare(Order(wheels, [registry.channel])) as publication:
        screen = show_on_terminal(publication.plan, columns)
    lines = screen.splitlines()
    assert max(map(len, lines)) <= columns
    shown = " ".join(screen.split())
    for wheel in wheels:
        assert shown.count(wheel.name) == 1
    size = format_size(sum(wheel.stat().st_size for wheel in wheels))
    assert f"to {registry.channel}, as owner" in shown
    assert "(token from the environment (TWOFOLD_TOKEN))" in shown
    assert f"2 files ({size}) to send:" in shown
    if columns == 200:
        assert len(lines) == 4


@posix_only
def test_targets_with_the_same_steps_share_their_lines(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "shared", "1.0")
    folders = [str(tmp_path / name) for name in ("one", "two")]
    with prepare(Order([wheel], folders)) as publication:
        screen = show_on_terminal(publication.plan, 200)
        assert screen.count(wheel.name) == 1
        assert all(folder in screen for folder in folders)


def test_a_refused_release_tells_each_file_once(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = make_wheel(tmp_path / "first", "again", "1.0")
    assert twofold("publish", first, "--to", "./out").code == 0
    wheel = make_wheel(tmp_path / "second", "again", "1.0", extra="Author: other\n")
    ran = twofold("publish", wheel, "--to", "./out")
    assert ran.code == 1
    lines = [line for line in (ran.out + ran.err).splitlines() if wheel.name in line]
    assert [line.partition(":")[0] for line in lines if "warning" not in line] == ["error"]
    assert re.search(r"sha256 [0-9a-f]{64}, ours is [0-9a-f]{64}", ran.err)
