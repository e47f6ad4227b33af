"""Changelog, hooks, tag and push of a release; and packing what git does not know."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import git
from twofold.cli.workspace import read_declared_of
from twofold.errors import ProjectErrors, SubprocessFailed
from twofold.publish.release.changelog import date_unreleased, read_notes
from twofold.publish.release.git import make_tag
from twofold.publish.release.steps import Rollback
from twofold.publish.release.workspace import read_members

TODAY = date(2026, 11, 28)
DAY = TODAY.isoformat()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "CHANGELOG.md",
            "# Changes\n\n## [Unreleased]\n\n- More.\n\n## [1.1.0] - 2026-01-01\n\n- Old.\n\n"
            "[Unreleased]: https://example.org/compare/v1.1.0...HEAD\n"
            "[1.1.0]: https://example.org/compare/v1.0.0...v1.1.0\n",
            "# Changes\n\n## [Unreleased]\n\n"
            f"## [1.2.0] - {DAY}\n\n- More.\n\n## [1.1.0] - 2026-01-01\n\n- Old.\n\n"
            "[Unreleased]: https://example.org/compare/v1.2.0...HEAD\n"
            "[1.2.0]: https://example.org/compare/v1.1.0...v1.2.0\n"
            "[1.1.0]: https://example.org/compare/v1.0.0...v1.1.0\n",
        ),
        (
            "CHANGES.md",
            "# Changes\n\n## Unreleased\n\n- More.\n",
            f"# Changes\n\n## Unreleased\n\n## 1.2.0 - {DAY}\n\n- More.\n",
        ),
        (
            "CHANGELOG.md",
            "## 1.2.0 - unreleased\n\n- More.\n",
            f"## 1.2.0 - {DAY}\n\n- More.\n",
        ),
        (
            "CHANGELOG.md",
            "## 1.2.0 (Unreleased)\r\n\r\n- More.\r\n",
            f"## 1.2.0 ({DAY})\r\n\r\n- More.\r\n",
        ),
        (
            "HISTORY.rst",
            "Changes\n=======\n\nUnreleased\n----------\n\n- More.\n",
            f"Changes\n=======\n\nUnreleased\n----------\n\n1.2.0 - {DAY}\n{'-' * 18}\n\n- More.\n",
        ),
        (
            "HISTORY.rst",
            "1.2.0 (unreleased)\n------------------\n\n- More.\n",
            f"1.2.0 ({DAY})\n------------------\n\n- More.\n",
        ),
        ("CHANGELOG.md", "## 1.2.0 - 2026-01-01\n\n- More.\n", None),
        ("CHANGELOG.md", "## [Unreleased]\n\n## 1.2.0 - 2026-01-01\n\n- More.\n", None),
    ],
)
def test_the_unreleased_section_gets_the_version_and_the_date(
    name: str, before: str, after: str | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(before.encode())
    done = date_unreleased(tmp_path, "1.2.0", ("v1.1.0", "v1.2.0"), TODAY)
    assert (done.decode() if done else None) == after


def test_the_notes_are_the_text_of_the_section(tmp_path: Path) -> None:
    text = (
        "# C\n\n## 1.2.0\n\n### Added\n\n- More.\n\n## 1.1.0\n\n- Old.\n\n[1.2.0]: https://x.org\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert read_notes(tmp_path, "1.2.0") == "### Added\n\n- More."
    assert read_notes(tmp_path, "1.1.0") == "- Old."
    assert read_notes(tmp_path, "1.0.0") == ""


def configure(project: Path, table: str) -> None:
    file = project / "pyproject.toml"
    file.write_text(f"{file.read_text()}\n[tool.twofold.release]\n{table}")
    git(project, "commit", "-q", "-am", "Configure")


def test_a_release_dates_the_changelog_runs_hooks_and_pushes(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    (project / "CHANGELOG.md").write_text("# Changes\n\n## [Unreleased]\n\n- More.\n")
    hooks = tmp_path / "hooks"
    configure(
        project,
        f"""push = true
before-build = ["echo build $TWOFOLD_VERSION >> {hooks}"]
before-publish = ["echo publish $TWOFOLD_TAG >> {hooks}"]
after = ["echo after $TWOFOLD_NAME >> {hooks}"]
""",
    )
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    ran = twofold("release", "minor", "--to", tmp_path / "out", "--json", cwd=project)
    assert ran.code == 0, ran.err
    assert (ran.json["version"], ran.json["notes"]) == ("1.1.0", "- More.")
    assert f"## [1.1.0] - {date.today().isoformat()}" in (project / "CHANGELOG.md").read_text()
    assert git(project, "status", "--porcelain", "-uno") == ""
    assert hooks.read_text() == "build 1.1.0\npublish v1.1.0\nafter my_package\n"
    assert git(tmp_path / "remote.git", "tag").split() == ["v1.1.0"]
    assert git(tmp_path / "remote.git", "rev-parse", "v1.1.0^{}") == git(
        project, "rev-parse", "HEAD"
    )


def test_a_push_that_the_remote_would_refuse_stops_the_release_before_it_changes_anything(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    (project / "CHANGELOG.md").write_text("# Changes\n\n## [Unreleased]\n\n- More.\n")
    git(project, "commit", "-q", "-am", "More")
    words = ["release", "minor", "--to", tmp_path / "out", "--push", "--yes"]
    assert "nothing can be pushed to origin" in twofold(*words, cwd=project).err
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(project, "remote", "add", "origin", str(remote))
    git(project, "push", "-q", "-u", "origin", "HEAD:main", "HEAD:refs/tags/v1.1.0")
    assert "origin has the tag v1.1.0 already" in twofold(*words, cwd=project).err
    git(remote, "tag", "-d", "v1.1.0")
    git(project, "commit", "-q", "--amend", "-m", "Another")
    ran = twofold(*words, cwd=project)
    assert "nothing can be pushed to origin" in ran.err
    assert "non-fast-forward" in ran.err
    assert git(project, "status", "--porcelain", "-uno") == ""
    assert not (tmp_path / "out").exists()


def test_a_hook_that_fails_leaves_everything_as_it_was(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    configure(project, 'before-build = ["echo no docs; exit 3"]\n')
    (project / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n- More.\n")
    git(project, "commit", "-q", "-am", "More")
    ran = twofold("release", "patch", "--to", tmp_path / "out", cwd=project)
    assert ran.code == 1
    assert "no docs" in ran.err
    assert "failed with exit code 3" in ran.err
    assert git(project, "status", "--porcelain", "-uno") == ""


def test_what_git_does_not_know_is_not_released(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    (project / "src" / "my_package" / "local_settings.py").write_text("DEBUG = True\n")
    words = ["release", "1.2.0", "--to", tmp_path / "out"]
    ran = twofold(*words, cwd=project)
    assert ran.code == 1
    assert "git does not track files that were packed: src/my_package/local_settings.py" in ran.err
    assert not (tmp_path / "out").exists()
    assert git(project, "status", "--porcelain", "-uno") == ""
    (project / ".gitignore").write_text("local_settings.py\n")
    git(project, "commit", "-q", "-am", "Ignore")
    assert twofold(*words, cwd=project).code == 0


SETUPTOOLS = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
[tool.setuptools.package-data]
demo = ["static/*.js"]
"""


@pytest.mark.parametrize(
    "ignored_by", [pytest.param(".gitignore", marks=pytest.mark.slow), ".git/info/exclude"]
)
def test_what_git_ignores_and_another_backend_packs_is_not_released_unless_it_is_generated(
    twofold: Callable[..., Any], tmp_path: Path, ignored_by: str
) -> None:
    root = tmp_path / "demo"
    code = root / "src" / "demo"
    (code / "static").mkdir(parents=True)
    (code / "__init__.py").write_text("")
    (root / "pyproject.toml").write_text(SETUPTOOLS)
    git(root, "init", "-q")
    ignored = "build/\ndist/\n*.egg-info/\nconda-bld/\nlocal_settings.py\n_version.py\nstatic/\n"
    with (root / ignored_by).open("a") as file:
        file.write(ignored)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    (code / "_version.py").write_text("v = 1\n")
    (code / "static" / "app.js").write_text("1\n")
    (code / "local_settings.py").write_text("SECRET = 1\n")
    words = ["release", "1.1", "--to", tmp_path / "out", "--no-changelog", "--ignore", "TF024"]
    ran = twofold(*words, cwd=root)
    assert ran.code == 1
    where = "src/demo/local_settings.py, src/demo/static/app.js"
    assert f"git does not track files that were packed: {where}" in ran.err
    assert "[tool.twofold.release] generated" in ran.err
    (code / "local_settings.py").unlink()
    table = '\n[tool.twofold.release]\ngenerated = ["src/demo/static/**"]\n'
    (root / "pyproject.toml").write_text(SETUPTOOLS + table)
    git(root, "commit", "-q", "-am", "Assets")
    ran = twofold(*words, cwd=root)
    assert ran.code == 0, ran.err


def test_a_table_with_mistakes_is_refused(twofold: Callable[..., Any], project: Path) -> None:
    configure(project, 'tag = "release"\npush = "yes"\nhooks = []\n')
    ran = twofold("release", "minor", "--to", "./out", cwd=project)
    assert ran.code == 1
    for part in (
        "'tag' must be a text that ends with",
        "'push' must be true or false",
        "unknown key 'hooks'",
    ):
        assert part in ran.err


@pytest.fixture
def workspace(twofold: Callable[..., Any], tmp_path: Path) -> Path:
    """A repository of two packages, of which `app` requires `core`."""
    root = tmp_path / "mono"
    (root / "packages").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.twofold.workspace]\nmembers = ["packages/*"]\n')
    for name in ("app", "core"):
        assert twofold("new", f"my_{name}", cwd=root / "packages").code == 0
    app = root / "packages" / "my_app" / "pyproject.toml"
    assert "dependencies = []" in app.read_text()
    app.write_text(
        app.read_text().replace("dependencies = []", 'dependencies = ["my-core>=1.0.0"]')
    )
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    return root


def test_members_are_listed_and_built_in_the_order_of_their_dependencies(
    twofold: Callable[..., Any], workspace: Path
) -> None:
    listed = twofold("workspace", "--json", cwd=workspace / "packages" / "my_app")
    assert [row["name"] for row in listed.json] == ["my_core", "my_app"]
    assert [row["changed"] for row in listed.json] == [True, True]
    built = twofold("workspace", "build", "--only", "wheel", cwd=workspace)
    assert built.code == 0, built.err
    assert len(list(workspace.glob("packages/*/dist/*.whl"))) == 2
    named = twofold("workspace", "--package", "my-app", "version", cwd=workspace)
    assert named.out == "my_app 1.0.0\n"
    unknown = twofold("workspace", "--package", "other", "version", cwd=workspace)
    assert "the members are: my_core, my_app" in unknown.err


def test_each_member_is_released_with_a_tag_of_its_own_and_only_if_it_changed(
    twofold: Callable[..., Any], workspace: Path, tmp_path: Path
) -> None:
    words = ["release", "current", "--to", tmp_path / "out"]
    ran = twofold("workspace", *words, cwd=workspace)
    assert ran.code == 0, ran.err
    assert git(workspace, "tag").split() == ["my_app-v1.0.0", "my_core-v1.0.0"]
    assert {row["changed"] for row in twofold("workspace", "--json", cwd=workspace).json} == {False}
    code = workspace / "packages" / "my_core" / "src" / "my_core" / "module1.py"
    code.write_text(code.read_text() + "\nMORE = 1\n")
    git(workspace, "commit", "-q", "-am", "More")
    version = twofold(
        "workspace", "--changed", "--raise-requirements", "version", "minor", cwd=workspace
    )
    assert version.code == 0, version.err
    app = workspace / "packages" / "my_app" / "pyproject.toml"
    assert 'dependencies = ["my-core>=1.1.0"]' in app.read_text()
    git(workspace, "commit", "-q", "-am", "my_core 1.1.0")
    ran = twofold("workspace", "--package", "my_core", *words, "--json", cwd=workspace)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["tag"] == "my_core-v1.1.0"
    assert "my_core-v1.1.0" in git(workspace, "tag").split()


def test_members_that_require_each_other_are_refused(
    twofold: Callable[..., Any], workspace: Path
) -> None:
    core = workspace / "packages" / "my_core" / "pyproject.toml"
    core.write_text(core.read_text().replace("dependencies = []", 'dependencies = ["my-app"]'))
    ran = twofold("workspace", cwd=workspace)
    assert ran.code == 1
    assert "members depend on each other: my-" in ran.err


def test_every_step_is_undone_when_its_report_cannot_be_printed() -> None:
    undone = []

    def say(_line: str) -> None:
        raise BrokenPipeError

    undo = Rollback(say)
    for step in ("version", "build"):
        undo.add(step, partial(undone.append, step))
    with pytest.raises(BrokenPipeError):
        undo.all()
    assert undone == ["build", "version"]


@pytest.mark.parametrize("pattern", ["!libs/x", "/libs", ""])
def test_a_pattern_of_members_that_names_no_folder_here_is_a_mistake(
    pattern: str, tmp_path: Path
) -> None:
    text = f'[tool.twofold.workspace]\nmembers = ["{pattern}"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectErrors) as caught:
        read_members(tmp_path, read_declared_of)
    assert [bool(one.hint) for one in caught.value.problems] == [True]


def test_members_of_every_backend_come_after_what_they_need(tmp_path: Path) -> None:
    """setup.cfg and setup.py count; an extra that leads back does not make a circle."""
    (tmp_path / "pyproject.toml").write_text('[tool.twofold.workspace]\nmembers = ["*"]\n')
    for name, file, text in (
        ("a", "setup.cfg", "[metadata]\nname = a\nversion = 1\n[options]\ninstall_requires = d>1"),
        ("b", "setup.py", "setup(name='b', version='1', install_requires=['a'])"),
        ("c", "pyproject.toml", "[project]\nname='c'\nversion='1'\ndependencies=['b', 'd']"),
        ("d", "pyproject.toml", "[project]\nname='d'\nversion='1'\noptional-dependencies.x=['c']"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(f"{text}\n")
    members = read_members(tmp_path, read_declared_of)
    assert [member.name for member in members] == ["d", "a", "b", "c"]


def test_the_repository_of_twofold_is_a_workspace_whose_backend_comes_first() -> None:
    members = read_members(Path(__file__).parents[2], read_declared_of)
    assert [member.name for member in members] == ["twofold-build", "twofold"]
    assert len({member.version for member in members}) == 1


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_a_tag_is_signed_with_the_users_own_key(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    key = tmp_path / "key"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@example.org", "-f", str(key)]
    subprocess.run(words, check=True)
    (tmp_path / "signers").write_text(f"me@example.org {key.with_suffix('.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "signers"),
        "user.name": "Me",
        "user.email": "me@example.org",
    }.items():
        git(root, "config", name, value)
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    make_tag(root, "v1.0.0", "Release 1.0.0", signed=True)
    words = ["git", "-C", str(root), "verify-tag", "v1.0.0"]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "Good" in checked.stderr
    key.unlink()
    key.with_suffix(".pub").unlink()
    with pytest.raises(SubprocessFailed, match=r"git (could not sign the tag|tag failed)"):
        make_tag(root, "v1.0.1", "Release 1.0.1", signed=True)
    assert git(root, "tag").split() == ["v1.0.0"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
@pytest.mark.parametrize("way", ["sign = true", "commit.gpgSign"])
def test_a_release_that_cannot_be_signed_stops_before_anything_is_written(
    twofold: Callable[..., Any], project: Path, tmp_path: Path, way: str
) -> None:
    git(project, "config", "gpg.format", "ssh")
    git(project, "config", "user.signingKey", str(tmp_path / "missing"))
    (project / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n- More.\n")
    git(project, "add", "CHANGELOG.md")
    git(project, "commit", "-q", "-m", "More")
    if way == "sign = true":
        configure(project, way)
    else:
        git(project, "config", way, "true")
    before = git(project, "rev-parse", "HEAD")
    ran = twofold("release", "patch", "--to", tmp_path / "out", cwd=project)
    assert ran.code == 1
    assert "missing" in ran.err  # git's own words name the key
    assert "error: git cannot sign the release\n  hint: set user.signingKey" in ran.err
    assert (git(project, "rev-parse", "HEAD"), git(project, "tag")) == (before, "")
    assert git(project, "status", "--porcelain") == ""
    assert not (project / "dist").exists()
    assert not (tmp_path / "out").exists()
