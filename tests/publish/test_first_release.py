"""A first release: names that are taken or too close, and what to fill in for a publisher."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.package_servers import FakeServer, run_server
from twofold.publish.first_release import (
    NameReport,
    get_confusable_form,
    report_name,
)
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import open_target


class Index(FakeServer):
    """A simple index with the projects `requests` and `my-lib`."""

    def do_GET(self) -> None:
        name = self.path_only.removeprefix("/simple/").strip("/")
        if name not in ("mylib", "taken"):
            return self.send_answer(404, {})
        file = {"filename": f"{name}-1.0.tar.gz", "url": "x", "hashes": {"sha256": "0" * 64}}
        return self.send_answer(200, {"files": [file]})


@pytest.fixture
def report() -> Iterator[Callable[[str], NameReport | None]]:
    with run_server(Index) as (address, _):
        settings = TargetSettings("pypi", f"{address}/legacy/", "pypi", index=f"{address}/simple/")

        def ask(name: str) -> NameReport | None:
            target = open_target(settings, RetryPolicy())
            try:
                return report_name(target, name)
            finally:
                target.close()

        yield ask


def test_a_name_that_is_there_is_reported(report: Callable[[str], NameReport | None]) -> None:
    found = report("Taken")
    assert found is not None
    assert "already" in found.describe()[0]


def test_a_name_too_close_to_one_that_is_there_is_reported(
    report: Callable[[str], NameReport | None],
) -> None:
    found = report("my-lib")
    assert found is not None
    assert found.similar_names == ("mylib",)
    assert "very similar to mylib" in found.describe()[0]


def test_a_new_name_gets_no_remark(report: Callable[[str], NameReport | None]) -> None:
    found = report("quite-another-thing-2")
    assert found is not None
    assert found.is_new
    assert found.describe() == []


@pytest.mark.parametrize(
    ("one", "other"), [("my-lib", "my_Lib"), ("py0list", "pyolist"), ("l1b", "lib"), ("a.b", "ab")]
)
def test_names_that_look_alike_are_the_same_to_the_index(one: str, other: str) -> None:
    assert get_confusable_form(one) == get_confusable_form(other)


def test_a_new_name_at_pypi_is_reported_with_the_steps_before_anything_is_sent(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    """By `publish --dry-run` and, before anything is built, by `release`."""
    assert twofold("new", "my_lib").code == 0
    project = tmp_path / "my_lib"
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://github.com/someone/my-repo.git"],
        ["config", "user.name", "t"],
        ["config", "user.email", "t@example.org"],
        ["add", "-A"],
        ["commit", "-q", "-m", "Begin"],
    ):
        subprocess.run(["git", *words], cwd=project, check=True)
    (tmp_path / "twofold-config").mkdir()
    config = tmp_path / "twofold-config" / "config.toml"
    with run_server(Index) as (address, _):
        config.write_text(
            f'[targets.pypi]\nkind = "pypi"\nurl = "{address}/legacy/"\n'
            f'index = "{address}/simple/"\n'
        )
        ran = twofold("release", "1.1.0", "--to", "pypi", "--dry-run", cwd=project)
        assert ran.code == 1  # no token; everything else was told before
        reported, _, later = ran.err.partition("version 1.0.0 -> 1.1.0")
        assert "very similar to mylib" in reported
        assert "repository: my-repo" in reported
        assert "restored: version in pyproject.toml" in later
        assert twofold("build", cwd=project).code == 0
        dry = twofold("publish", "--to", "pypi", "--dry-run", cwd=project)
        assert "very similar to mylib" in dry.err
        assert "owner: someone" in dry.err


def test_a_name_that_is_there_is_no_news_to_a_project_that_was_released() -> None:
    found = NameReport("pypi", "my_lib", 3)
    assert "already" in found.describe()[0]
    assert found.describe(is_first=False) == []
