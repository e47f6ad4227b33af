"""Links: out of the project refused with their path, inside followed once."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.sample_projects import call_hook
from twofold_build.errors import ProjectErrors
from twofold_build.plan import make_plan

Project = Callable[[str], Path]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")


def test_a_link_out_of_the_project_is_refused_with_its_path(
    project: Project, tmp_path: Path
) -> None:
    root = project("flat_layout")
    (tmp_path / "outside.txt").write_text("not ours")
    (root / "flat_sample" / "leak.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "folder").mkdir()
    (root / "flat_sample" / "leaks").symlink_to(tmp_path / "folder")
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    message = str(caught.value)
    assert "'flat_sample/leak.txt' is a link that leaves the project" in message
    assert "'flat_sample/leaks' is a link that leaves the project" in message


@pytest.mark.parametrize("named", ["README.md", "LICENSE"])
def test_a_readme_or_licence_that_leaves_the_project_is_refused_too(
    named: str, project: Project, tmp_path: Path
) -> None:
    root = project("flat_layout")
    (tmp_path / "outside").write_text("not ours")
    (root / named).unlink(missing_ok=True)
    (root / named).symlink_to(tmp_path / "outside")
    with pytest.raises(ProjectErrors, match="leaves the project"):
        make_plan(root)


def test_a_link_inside_is_packed_as_what_it_shows(project: Project, tmp_path: Path) -> None:
    root = project("flat_layout")
    (root / "flat_sample" / "again.py").symlink_to("__init__.py")
    (root / "flat_sample" / "inner").mkdir()
    (root / "flat_sample" / "inner" / "deep.txt").write_text("deep")
    (root / "flat_sample" / "other").symlink_to("inner")
    sdist = tmp_path / "out" / call_hook("build_sdist", root, tmp_path / "out")
    with tarfile.open(sdist) as archive:
        members = {member.name: member for member in archive.getmembers()}
    for path in ("again.py", "inner/deep.txt", "other/deep.txt"):
        assert members[f"flat_sample-0.1/flat_sample/{path}"].isfile()


def test_a_link_to_a_folder_around_it_is_followed_no_further(project: Project) -> None:
    root = project("flat_layout")
    (root / "flat_sample" / "round").symlink_to("..")
    (root / "flat_sample" / "self").symlink_to(".")
    planned = make_plan(root)
    assert not any(
        "round/" in file.path or "self/" in file.path for file in planned.selection.files
    )
    assert (
        "flat_sample/round",
        "a link to a folder that contains it",
    ) in planned.selection.left_out


def test_a_broken_link_is_reported(project: Project) -> None:
    root = project("flat_layout")
    (root / "flat_sample" / "gone.py").symlink_to("nowhere.py")
    with pytest.raises(ProjectErrors, match=r"'flat_sample/gone.py' is a broken link"):
        make_plan(root)


@pytest.mark.parametrize("named", ["flat_sample", "shared"])
def test_a_module_or_data_folder_that_is_itself_a_link_out_is_refused(
    named: str, project: Project, tmp_path: Path
) -> None:
    root = project("flat_layout")
    outside = tmp_path / "outside"
    if named == "flat_sample":
        (root / named).rename(outside)
    else:
        outside.mkdir()
        with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write('\n[tool.twofold.wheel.data]\ndata = "shared"\n')
    (root / named).symlink_to(outside)
    with pytest.raises(ProjectErrors, match=rf"'{named}' is a link that leaves the project"):
        make_plan(root)


def test_a_module_that_is_a_link_to_a_folder_of_the_project_is_followed(project: Project) -> None:
    root = project("flat_layout")
    (root / "flat_sample").rename(root / "code")
    (root / "flat_sample").symlink_to("code")
    assert "flat_sample/__init__.py" in [file.path for file in make_plan(root).selection.files]
