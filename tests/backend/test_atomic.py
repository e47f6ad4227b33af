"""Files written in one step: complete under their final name, or not there at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.sample_projects import copy_sample
from twofold_build.atomic import AtomicFile, write_atomically, write_if_changed
from twofold_build.plan import make_plan


def test_a_file_has_its_final_name_only_after_the_commit(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "page.json"
    with AtomicFile(target) as file:
        file.write(b"whole")
        assert not target.exists()
        assert file.size == 5
    assert target.read_bytes() == b"whole"
    assert list(target.parent.iterdir()) == [target]


def test_an_exception_leaves_the_previous_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "page.json"
    target.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), AtomicFile(target) as file:
        file.write(b"half")
        file.write(bytes(1 // 0))
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_of_one_process_do_not_share_a_hidden_file(tmp_path: Path) -> None:
    target = tmp_path / "page.json"
    with AtomicFile(target) as first, AtomicFile(target) as second:
        first.write(b"first")
        second.write(b"second")
    assert target.read_bytes() == b"first"  # the outer one is committed last


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_exact_whatever_the_umask(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"token", 0o600)
    write_atomically(tmp_path / "script", b"#!/bin/sh\n", 0o775)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "script").stat().st_mode & 0o777 == 0o775


def test_a_file_that_has_its_content_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "page.json"
    assert write_if_changed(target, b"one")
    os.utime(target, (0, 0))
    assert not write_if_changed(target, b"one")
    assert target.stat().st_mtime == 0
    assert write_if_changed(target, b"two")
    assert target.read_bytes() == b"two"


def test_what_a_killed_process_left_is_not_packed(tmp_path: Path) -> None:
    root = copy_sample("flat_layout", tmp_path / "project")
    left = root / "flat_sample" / ".__init__.py.999999999-7f00e1defec0.part"
    left.write_bytes(b"x =")
    planned = make_plan(root).selection
    assert left.name not in {file.path.rpartition("/")[2] for file in planned.files}
    assert left.relative_to(root).as_posix() in dict(planned.left_out)


@pytest.mark.windows
def test_a_process_is_dead_when_it_has_ended() -> None:
    from twofold_build.atomic import _is_dead

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not _is_dead(process.pid)
        assert not _is_dead(os.getpid())
    assert _is_dead(process.pid)


@pytest.mark.windows
def test_a_file_that_a_scanner_has_open_gets_its_name_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to rename a file that another process has opened without sharing."""
    rename, refusals = os.replace, []

    def refuse_twice(source: str, target: str) -> None:
        if len(refusals) < 2:
            refusals.append(target)
            raise PermissionError(13, "The process cannot access the file", source)
        rename(source, target)

    monkeypatch.setattr("twofold_build.atomic._RENAME_SECONDS", 5.0)
    monkeypatch.setattr("os.replace", refuse_twice)
    write_atomically(tmp_path / "a", b"1")
    assert ((tmp_path / "a").read_bytes(), len(refusals)) == (b"1", 2)
    monkeypatch.setattr("twofold_build.atomic._RENAME_SECONDS", 0.0)
    refusals.clear()
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "b", b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
