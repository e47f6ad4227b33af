"""towncrier and scriv write the changelog of a release, wherever they are configured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import git
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.publish.release.changelog import read_notes
from twofold.publish.release.changelog_tool import find_changelog_tool

#: Layout -> (files with the tool's configuration, fragment, changelog).
LAYOUTS = {
    "towncrier": (
        {"towncrier.toml": '[tool.towncrier]\ndirectory = "changes/news"\nname = "x"\n'},
        "changes/news/1.feature.rst",
        "NEWS.rst",
    ),
    "towncrier by package": (
        {
            "pyproject.toml": '[tool.towncrier]\npackage = "my_package"\npackage_dir = "src"\n'
            'filename = "docs/CHANGES.md"\n',
            "docs/CHANGES.md": "<!-- towncrier release notes start -->\n",
        },
        "src/my_package/newsfragments/1.feature.md",
        "docs/CHANGES.md",
    ),
    "towncrier, a file for each version": (
        {
            "pyproject.toml": '[tool.towncrier]\ndirectory = "news"\nname = "x"\n'
            'single_file = false\nfilename = "docs/{version}.rst"\n'
        },
        "news/1.feature",
        "docs/1.1.0.rst",
    ),
    "scriv": (
        {"changelog.d/scriv.ini": "[scriv]\nformat = md\n"},
        "changelog.d/1.md",
        "CHANGELOG.md",
    ),
    "scriv by setup.cfg": (
        {"setup.cfg": "[tool.scriv]\nfragment_directory = news\nchangelog = docs/HISTORY.rst\n"},
        "news/1.rst",
        "docs/HISTORY.rst",
    ),
    "scriv by pyproject.toml": (
        {"pyproject.toml": '[tool.scriv]\nformat = "md"\noutput_file = "LOG.${config:format}"\n'},
        "changelog.d/1.md",
        "LOG.md",
    ),
}


def configure(root: Path, layout: str) -> tuple[Path, Path]:
    """Write a layout's files and one fragment; returns the fragment and the changelog."""
    files, fragment, changelog = LAYOUTS[layout]
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if path.is_file() else ""
        path.write_text(f"{before}\n{text}")
    (root / fragment).parent.mkdir(parents=True, exist_ok=True)
    title = "### Added\n\n" if fragment.endswith(".md") else "Added\n-----\n\n"
    (root / fragment).write_text("More.\n" if "towncrier" in layout else f"{title}- More.\n")
    return root / fragment, root / changelog


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tool_is_found_where_it_is_configured(layout: str, tmp_path: Path) -> None:
    fragment, changelog = configure(tmp_path, layout)
    tool = find_changelog_tool(tmp_path)
    assert tool is not None
    assert tool.name == layout.split()[0].rstrip(",")
    assert tool.get_changelog("1.1.0") == changelog
    assert fragment in tool.list_files("1.1.0")
    assert tool.owns(fragment, "1.1.0") and tool.owns(changelog, "1.1.0")
    assert not tool.owns(tmp_path / "README.md", "1.1.0")


def test_no_tool_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    (tmp_path / "newsfragments").mkdir()
    assert find_changelog_tool(tmp_path) is None
    (tmp_path / "setup.cfg").write_text("no section\n")
    with pytest.raises(TwofoldError) as caught:
        find_changelog_tool(tmp_path)
    assert caught.value.problems[0].where == str(tmp_path / "setup.cfg")


@pytest.mark.git  # scriv calls it
def test_what_a_tool_refuses_is_shown_with_the_way_out(tmp_path: Path) -> None:
    fragment, _ = configure(tmp_path, "scriv")
    fragment.unlink()
    tool = find_changelog_tool(tmp_path)
    assert tool is not None
    with pytest.raises(SubprocessFailed, match="'scriv collect --version") as caught:
        tool.run(tmp_path, "1.1.0")
    assert "--no-changelog" in caught.value.hint
    assert "fragments" in caught.value.output


def test_a_tool_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, "scriv")
    tool = find_changelog_tool(tmp_path)
    assert tool is not None
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(TwofoldError, match="scriv is not installed"):
        tool.run(tmp_path, "1.1.0")


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_release_commits_what_its_tool_writes_and_restores_it_when_it_fails(
    layout: str, twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    (project / "CHANGELOG.md").unlink()
    fragment, changelog = configure(project, layout)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "More")
    is_new = not changelog.exists()
    for words in (["--to", "http://127.0.0.1:9/main"], ["--to", tmp_path / "out", "--dry-run"]):
        twofold("release", "1.1.0", *words, cwd=project)
        assert git(project, "status", "--porcelain") == ""
        assert changelog.exists() is not is_new
    ran = twofold("release", "1.1.0", "--to", tmp_path / "out", "--json", cwd=project)
    assert ran.code == 0, ran.err
    assert "More." in changelog.read_text()
    assert not fragment.exists()
    assert git(project, "status", "--porcelain") == ""
    assert changelog.relative_to(project).as_posix() in git(project, "ls-files").splitlines()
    if "for each" not in layout:
        assert "More." in ran.json["notes"]
        assert "More." in read_notes(project, "1.1.0")
