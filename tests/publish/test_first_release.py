"""A first release: names that are taken or too close, and what to fill in for a publisher."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.publish.wire import Handler, serving
from twofold.publish.configuration import TargetSettings
from twofold.publish.failures import Patience
from twofold.publish.first_release import (
    NameReport,
    confusable,
    pending_publisher,
    report_name,
)
from twofold.publish.open import open_target


class Index(Handler):
    """A simple index with the projects `requests` and `my-lib`."""

    def do_GET(self) -> None:
        name = self.path_only.removeprefix("/simple/").strip("/")
        if name not in ("mylib", "taken"):
            return self.answer(404, {})
        file = {"filename": f"{name}-1.0.tar.gz", "url": "x", "hashes": {"sha256": "0" * 64}}
        return self.answer(200, {"files": [file]})


@pytest.fixture
def report() -> Iterator[Callable[[str], NameReport | None]]:
    with serving(Index) as (address, _):
        settings = TargetSettings("pypi", f"{address}/legacy/", "pypi", index=f"{address}/simple/")

        def ask(name: str) -> NameReport | None:
            target = open_target(settings, Patience())
            try:
                return report_name(target, name)
            finally:
                target.close()

        yield ask


def test_a_name_that_is_there_is_told(report: Callable[[str], NameReport | None]) -> None:
    found = report("Taken")
    assert found is not None
    assert "already" in found.notes()[0]


def test_a_name_too_close_to_one_that_is_there_is_told(
    report: Callable[[str], NameReport | None],
) -> None:
    found = report("my-lib")
    assert found is not None
    assert found.close == ("mylib",)
    assert "very close to mylib" in found.notes()[0]


def test_a_new_name_is_told_nothing(report: Callable[[str], NameReport | None]) -> None:
    found = report("quite-another-thing-2")
    assert found is not None
    assert found.is_new
    assert found.notes() == []


@pytest.mark.parametrize(
    ("one", "other"), [("my-lib", "my_Lib"), ("py0list", "pyolist"), ("l1b", "lib"), ("a.b", "ab")]
)
def test_names_that_look_alike_are_the_same_to_the_index(one: str, other: str) -> None:
    assert confusable(one) == confusable(other)


def test_the_pending_publishers_values_are_this_projects(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    address = "git@github.com:someone/my-repo.git"
    subprocess.run(["git", "remote", "add", "origin", address], cwd=tmp_path, check=True)
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "ci.yml").write_text("run: pytest\n")
    (workflows / "ship.yml").write_text("run: twofold publish --to pypi --yes\n")
    text = "\n".join(pending_publisher(tmp_path, "my_package"))
    for value in ("my_package", "owner: someone", "repository: my-repo", "workflow: ship.yml"):
        assert value in text


def test_a_project_on_no_forge_has_no_publisher_to_add(tmp_path: Path) -> None:
    assert pending_publisher(tmp_path, "my_package") == []
