"""What git or the changelog would object to after the upload is told before anything is touched."""

from __future__ import annotations

import os
import queue
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, git
from tests.servers.package_servers import TOKEN, FakeServer, run_server
from twofold.publish.order import Order, prepare
from twofold.publish.release.changelog import find_changelog_problem
from twofold.publish.run import Event


def untouched(project: Path, ran: Any, reported: str) -> None:
    assert ran.code == 1
    assert reported in ran.err
    assert "hint:" in ran.err
    assert 'version = "1.0.0"' in (project / "pyproject.toml").read_text()
    assert not (project / "dist").exists()
    assert not (project.parent / "static").exists()


def test_nobody_to_commit_is_reported(
    twofold: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(project.parent / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(project, "config", "user.useConfigOnly", "true")
    ran = twofold("release", "1.2.0", "--to", "../static", cwd=project)
    untouched(project, ran, "git has no user name")


def test_a_commit_on_no_branch_is_reported(twofold: Callable[..., Any], project: Path) -> None:
    git(project, "checkout", "-q", "--detach")
    ran = twofold("release", "1.2.0", "--to", "../static", cwd=project)
    untouched(project, ran, "HEAD is detached")


def test_a_tag_on_a_commit_that_says_another_version_is_reported(
    twofold: Callable[..., Any], project: Path
) -> None:
    git(project, "tag", "v1.2.0")
    ran = twofold("release", "1.2.0", "--to", "../static", cwd=project)
    untouched(project, ran, "the tag v1.2.0 already exists, on a commit whose version is 1.0.0")


def test_a_repository_that_does_not_hold_the_project_is_not_tagged(
    twofold: Callable[..., Any], project: Path
) -> None:
    assert twofold("new", "inner", cwd=project).code == 0
    inner = project / "inner"
    ran = twofold("release", "1.2.0", "--to", "../../static", cwd=inner)
    assert ran.code == 1
    assert "git does not track pyproject.toml" in ran.err
    assert git(project, "tag") == ""
    assert twofold("release", "1.2.0", "--no-git", "--to", "../../static", cwd=inner).code == 0
    assert git(project, "tag") == ""


def test_a_repository_without_a_commit_is_reported_and_none_at_all_is_remarked(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("new", "alone", cwd=tmp_path).code == 0
    alone = tmp_path / "alone"
    git(alone, "init", "-q")
    ran = twofold("release", "1.2.0", "--to", "../static", cwd=alone)
    untouched(alone, ran, "the repository has no commit yet")
    (alone / ".git").rename(tmp_path / "away")
    ran = twofold("release", "1.2.0", "--to", "../static", cwd=alone)
    assert ran.code == 0, ran.err
    assert "not tagged: the project is not in a git repository" in ran.err


def test_a_commit_that_is_refused_says_what_is_done_and_the_same_command_does_the_rest(
    twofold: Callable[..., Any], project: Path
) -> None:
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Monday >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ran = twofold("release", "1.2.0", "--to", "../static", "--json", cwd=project)
    assert ran.code == 1
    assert "not on a Monday" in ran.err
    reported = ran.json["errors"][0]
    assert reported["message"] == "1.2.0 is published, but not yet tagged v1.2.0: git commit failed"
    assert "run the same command again" in reported["hint"]
    hook.unlink()
    again = twofold("release", "1.2.0", "--to", "../static", "--json", cwd=project)
    assert again.code == 0, again.err
    assert again.json["uploaded"] == []
    assert git(project, "tag", "--points-at", "HEAD").split() == ["v1.2.0"]
    assert git(project, "status", "--porcelain", "-uno") == ""


def files_in(project: Path) -> dict[str, bytes]:
    found = (path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in found}


def test_a_dry_run_and_a_release_that_fails_take_their_build_back(
    twofold: Callable[..., Any], project: Path
) -> None:
    words = ("release", "1.2.0", "--to", "../static")
    fresh = files_in(project)
    assert twofold(*words, "--dry-run", cwd=project).code == 0
    assert files_in(project) == fresh
    assert twofold("build", cwd=project).code == 0
    built = files_in(project)
    assert twofold(*words, "--dry-run", cwd=project).code == 0
    assert files_in(project) == built
    failed = twofold(
        *words, "--to", "prefix+http://127.0.0.1:9/lab", "--attempts", "1", cwd=project
    )
    assert failed.code == 1
    assert "restored: build" in failed.err
    assert files_in(project) == built
    planned = twofold("publish", "--to", "../static", "--dry-run", cwd=project)
    assert "my_package-1.0.0.tar.gz" in planned.out
    assert "1.2.0" not in planned.out


class Cancelling(FakeServer):
    """A channel that ends whoever asks or uploads, as a cancelled job of the CI does."""

    def do_HEAD(self) -> None:
        self.end("HEAD", 404)

    def do_POST(self) -> None:
        assert self.body
        self.end("POST", 503)

    def end(self, method: str, status: int) -> None:
        if self.store.other["method"] == method:
            os.kill(self.store.other["pids"].get(timeout=60), signal.SIGTERM)
        self.send_answer(status, {})


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("method", "reported"),
    [("HEAD", "restored: version in pyproject.toml"), ("POST", "interrupted: ")],
)
def test_a_release_that_is_terminated_is_undone_or_says_what_is_missing(
    project: Path, method: str, reported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    fresh = files_in(project)
    with run_server(Cancelling) as (address, store):
        store.other |= {"method": method, "pids": queue.Queue()}
        words = ["release", "1.2.0", "--to", f"prefix+{address}/lab"]
        command = [sys.executable, "-m", "twofold", *words]
        process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True)
        store.other["pids"].put(process.pid)
        _, stated = process.communicate(timeout=120)
    assert process.returncode == 130, stated
    assert reported in stated
    assert (files_in(project) == fresh) == (method == "HEAD")


@pytest.mark.parametrize("broken", [KeyboardInterrupt(), OSError("no space left")])
def test_what_breaks_a_publication_off_says_what_is_there_and_what_is_missing(
    release: Release, tmp_path: Path, broken: BaseException
) -> None:
    static = str(tmp_path / "static")
    reported: list[Event] = []

    def listen(event: Event) -> None:
        reported.append(event)
        if event.event == "uploading" and event.file == release.sdist.name:
            raise broken

    with prepare(Order(release.files, [static])) as publication, pytest.raises(type(broken)):
        publication.carry_out(listen)
    assert reported[-1].event == "step"
    there, missing = reported[-1].note.split("; ")[:2]
    assert there == f"interrupted: uploaded: {release.wheel.name} -> {static}"
    assert missing == f"missing: {release.sdist.name} -> {static}, {release.conda.name} -> {static}"
    with prepare(Order(release.files, [static])) as publication:
        assert len(publication.carry_out(reported.append)) == 2


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("## v1.2.0 (2026-01-01)\n\n- a\n", ""),
        ("## [1.2.0] - 2026-01-01\n\n### Added\n\n- a\n\n## [1.1.0]\n- b\n", ""),
        ("## [1.2.0] - 2026-01-01\n\n### Added\n\n## [1.1.0]\n- b\n", "empty"),
        ("## Unreleased\n- a\n\n[1.2.0]: https://example.org/compare\n[1.1.0]: x\n", "no section"),
        ("1.2.0\n-----\n\n1.1.0\n-----\n\n* b\n", "empty"),
        ("1.2.0\n-----\n\nFixed\n~~~~~\n\n* b\n", ""),
        ("## 1.1.0\n\nThis prepares 1.2.0 in places.\n", "no section"),
        ("Version 1.2.0, 2026-01-01\n  * a\n", ""),
        ("my-package (1.2.0) unstable\n  * a\n", ""),
        ("1.2.0 (2026)\n\n1.1.0 (2025)\n  * a\n", "empty"),
        ("## 1.2.0-rc1\n- a\n", "no section"),
        ("## 1.3.0 (2026-1.2.0)\n- a\n", "no section"),
        ("## 1.2\n- a\n", ""),
    ],
)
def test_changelogs_of_every_usual_form_are_read(tmp_path: Path, text: str, reported: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    problem = find_changelog_problem(tmp_path, "1.2.0")
    assert (reported and reported in problem.message) if problem else not reported
