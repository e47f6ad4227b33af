"""PyPI's form of a pending publisher, filled with the exact values of this project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from twofold.publish.first_release import Repository, list_publisher_steps, parse_remote

GITHUB = Repository("GitHub", "me", "my.repo")


def in_git(folder: Path, remote: str, name: str = "origin") -> Path:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "remote", "add", name, remote], check=True)
    return folder


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/me/my.repo",
        "https://github.com/me/my.repo.git",
        "https://github.com/me/my.repo.git/",
        "https://GitHub.com/me/my.repo.git",
        "https://www.github.com/me/my.repo",
        "https://github.com:443/me/my.repo.git",
        "https://user:secret@github.com/me/my.repo.git",
        "git@github.com:me/my.repo.git",
        "git@github.com:/me/my.repo.git",
        "github.com:me/my.repo",
        "org-1234@github.com:me/my.repo.git",
        "ssh://git@github.com/me/my.repo.git",
        "ssh://git@github.com:22/me/my.repo.git",
        "ssh://git@ssh.github.com:443/me/my.repo.git",
        "git+ssh://git@github.com/me/my.repo.git",
        "git://github.com/me/my.repo.git",
    ],
)
def test_every_way_to_write_a_remote_means_the_same_repository(address: str) -> None:
    assert parse_remote(address) == GITHUB


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://github.com/me",
        "https://notgithub.com/me/x",
        "https://github.com.example.org/me/x",
        "git@gitlab.example.org:group/x.git",
        "../github.com/me/x",
        "/srv/git/github.com/me/x.git",
        "https://example.org/github.com/me/x",
        "https://github.com/me/x/tree/main",
    ],
)
def test_another_place_is_no_forge(address: str) -> None:
    assert parse_remote(address) is None


def test_at_github_the_workflow_and_its_environment_are_reported(tmp_path: Path) -> None:
    in_git(tmp_path, "git@github.com:someone/my-repo.git")
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "ci.yml").write_text("run: pytest\n")
    (workflows / "ship.yml").write_text(
        "jobs:\n  publish:\n    environment:\n      name: release  # guarded\n"
        "    steps:\n      - run: twofold publish --to pypi --yes\n"
    )
    project = tmp_path / "packages" / "one"
    project.mkdir(parents=True)
    assert list_publisher_steps(project, "my_package")[1:-1] == [
        "  PyPI project name: my_package",
        "  owner: someone",
        "  repository: my-repo",
        "  workflow: ship.yml",
        "  environment: release",
    ]


@pytest.mark.parametrize(
    "line", ["environment: ${{ inputs.place }}", "environment: a\n    environment: b", "x: 1"]
)
def test_an_environment_that_is_not_plain_is_left_to_the_reader(tmp_path: Path, line: str) -> None:
    in_git(tmp_path, "https://github.com/someone/my-repo")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "publish.yml").write_text(f"jobs:\n    {line}\n")
    steps = list_publisher_steps(tmp_path, "my_package")
    assert "  environment: leave it empty, or enter the job's environment" in steps


def test_at_gitlab_its_own_words_are_used_and_at_testpypi_its_own_name(tmp_path: Path) -> None:
    in_git(tmp_path, "ssh://git@gitlab.com/group/sub/thing.git", name="upstream")
    steps = list_publisher_steps(tmp_path, "thing", "TestPyPI", "testpypi")
    assert "TestPyPI account (Publishing, GitLab)" in steps[0]
    assert steps[1:5] == [
        "  TestPyPI project name: thing",
        "  namespace: group/sub",
        "  project: thing",
        "  pipeline file: .gitlab-ci.yml",
    ]
    assert "TESTPYPI_ID_TOKEN: aud: testpypi; twofold publish --to testpypi --yes" in steps[-1]


def test_a_project_on_no_forge_has_no_publisher_to_add(tmp_path: Path) -> None:
    assert list_publisher_steps(tmp_path, "my_package") == []
