"""`twofold release`: everything before the first upload is undone when a later step fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import git
from tests.servers.package_servers import TOKEN, PrefixServer, run_faulty_proxy, run_server
from twofold.cli import main
from twofold.errors import ProjectErrors
from twofold.publish.release.changelog import find_changelog_problem
from twofold.publish.release.version import plan_version


def test_a_release_sets_builds_publishes_commits_and_tags(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", "--json", cwd=project)
    assert ran.code == 0, ran.err
    assert len(ran.json["uploaded"]) == 3
    assert 'version = "1.2.0"' in (project / "pyproject.toml").read_text()
    assert git(project, "tag", "--points-at", "HEAD").split() == ["v1.2.0"]
    assert git(project, "status", "--porcelain", "-uno") == ""
    assert (tmp_path / "static" / "my_package-1.2.0-py3-none-any.whl").is_file()
    again = twofold("release", "1.2.0", "--to", tmp_path / "static", "--json", cwd=project)
    assert again.code == 0, again.err
    assert again.json["uploaded"] == []


def test_a_folder_of_the_project_that_releases_go_to_is_no_change_of_the_project(
    twofold: Callable[..., Any], project: Path
) -> None:
    """Its pages are tracked, as for a web page made of the repository; other changes count."""
    assert twofold("build", cwd=project).code == 0
    assert twofold("publish", "--to", "./pages", cwd=project).code == 0
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Publish")
    first = twofold("release", "1.2.0", "--to", "./pages", cwd=project)
    assert first.code == 0, first.err
    again = twofold("release", "1.2.0", "--to", "./pages", cwd=project)
    assert again.code == 0, again.err
    (project / "README.md").write_text("# Another\n")
    changed = twofold("release", "1.2.0", "--to", "./pages", cwd=project)
    assert "uncommitted changes: README.md\n" in changed.err


def test_a_failure_before_the_upload_leaves_everything_as_it_was(
    twofold: Callable[..., Any], project: Path
) -> None:
    before = (project / "pyproject.toml").read_bytes()
    with run_server(PrefixServer) as (address, _):
        words = ["release", "1.2.0", "--to", f"prefix+{address}/lab"]
        ran = twofold(*words, cwd=project, env={"TWOFOLD_TOKEN": "wrong"})
        assert ran.code == 1
        assert "401" in ran.err
        assert "restored" in ran.err
        assert (project / "pyproject.toml").read_bytes() == before
        assert git(project, "tag") == ""
        assert git(project, "log", "--oneline").count("\n") == 1
        ran = twofold(*words, cwd=project, env={"TWOFOLD_TOKEN": TOKEN})
        assert ran.code == 0, ran.err
        assert "continuing with" not in ran.err


def test_an_interrupted_release_goes_on_with_the_same_files(
    twofold: Callable[..., Any], project: Path
) -> None:
    with run_server(PrefixServer) as (address, store), run_faulty_proxy(address) as (proxy, fault):
        words = ["release", "1.2.0", "--to", f"prefix+{proxy}/lab"]
        fault.kind, fault.at, fault.lasting = "cut-after", 2, True
        env = {"TWOFOLD_TOKEN": TOKEN}
        assert twofold(*words, "--attempts", "1", cwd=project, env=env).code == 1
        assert 'version = "1.2.0"' in (project / "pyproject.toml").read_text()
        fault.kind = ""
        ran = twofold(*words, cwd=project, env=env)
        assert ran.code == 0, ran.err
        assert "continuing with" in ran.err
        assert [len(hashes) for hashes in store.history.values()] == [1]
        assert git(project, "tag").split() == ["v1.2.0"]


def test_a_target_that_is_not_there_is_reported_before_anything_is_touched(
    twofold: Callable[..., Any], project: Path
) -> None:
    ran = twofold("release", "1.2.0", "--to", "http://127.0.0.1:9/main", cwd=project)
    assert ran.code == 1
    assert "cannot be reached" in ran.err
    assert "restored" not in ran.err


def test_a_dry_run_goes_as_far_as_the_plan(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    before = (project / "pyproject.toml").read_bytes()
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", "--dry-run", cwd=project)
    assert ran.code == 0, ran.err
    assert "upload" in ran.err
    assert (project / "pyproject.toml").read_bytes() == before
    assert not (tmp_path / "static").exists()


def test_everything_that_is_not_ready_is_reported_together(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    git(project, "tag", "v1.3.0")
    (project / "README.md").write_text("changed\n")
    git(project, "commit", "-q", "-am", "More")
    (project / "README.md").write_text("changed again\n")
    ran = twofold("release", "1.3.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 1
    assert "README.md" in ran.err
    assert "the tag v1.3.0 already exists" in ran.err
    assert "no section for 1.3.0" in ran.err


def test_a_version_from_the_tag_is_built_with_the_tag_and_the_tag_undone(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    text = (project / "pyproject.toml").read_text()
    dynamic = text.replace('version = "1.0.0"\n', 'dynamic = ["version"]\n')
    assert dynamic != text
    (project / "pyproject.toml").write_text(dynamic + '\n[tool.twofold.version]\nfrom = "git"\n')
    git(project, "commit", "-q", "-am", "Version from git")
    git(project, "tag", "v1.1.0")
    with run_server(PrefixServer) as (address, _):
        failed = twofold("release", "1.2.0", "--to", f"prefix+{address}/lab", cwd=project)
    assert failed.code == 1
    assert git(project, "tag").split() == ["v1.1.0"]
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 0, ran.err
    assert (tmp_path / "static" / "my_package-1.2.0.tar.gz").is_file()


def test_files_of_another_version_are_not_released(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    """setup.py computes its version, and setup.cfg has another one."""
    text = (project / "pyproject.toml").read_text()
    backend = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    start = text.index("[build-system]")
    end = text.index("\n[", start) + 1
    text = text[:start] + backend + text[end:]
    assert 'version = "1.0.0"\n' in text
    text = text.replace('version = "1.0.0"\n', 'dynamic = ["version"]\n')
    (project / "pyproject.toml").write_text(text)
    (project / "setup.py").write_text('from setuptools import setup\nsetup(version="1.0" + ".0")\n')
    (project / "setup.cfg").write_text("[metadata]\nversion = 1.0.0\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Another backend")
    git(project, "tag", "v1.0.0")
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 1
    assert "has version 1.0.0, not 1.2.0" in ran.err
    assert git(project, "tag").split() == ["v1.0.0"]
    assert not (tmp_path / "static").exists()


def test_the_first_tag_is_made_by_the_first_release(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    text = (project / "pyproject.toml").read_text()
    dynamic = text.replace('version = "1.0.0"\n', 'dynamic = ["version"]\n')
    (project / "pyproject.toml").write_text(dynamic + '\n[tool.twofold.version]\nfrom = "git"\n')
    git(project, "commit", "-q", "-am", "Version from git")
    assert "no tag" in twofold("build", project).err
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 0, ran.err
    assert (tmp_path / "static" / "my_package-1.2.0.tar.gz").is_file()
    assert "v1.2.0" in git(project, "tag").split()


def test_the_version_is_set_in_the_code_too(project: Path) -> None:
    init = project / "src" / "my_package" / "__init__.py"
    init.write_text(init.read_text() + '\n__version__: str = "1.0.0"\n')
    planned = plan_version(project, "1.2")
    assert sorted(change.path.name for change in planned.changes) == [
        "__init__.py",
        "pyproject.toml",
    ]
    for change in planned.changes:
        change.apply()
    assert '__version__: str = "1.2"' in init.read_text()
    for change in planned.changes:
        change.revert()
    assert '__version__: str = "1.0.0"' in init.read_text()


@pytest.mark.parametrize("version", ["one", "1.0+local", "0.9"])
def test_versions_that_cannot_be_released_are_reported(project: Path, version: str) -> None:
    with pytest.raises(ProjectErrors) as caught:
        plan_version(project, version)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("## 1.2.0\n- a\n", ""),
        ("## [1.2.0] - 2026-01-01\n- a\n", ""),
        ("1.2.0\n=====\n\n* a\n", ""),
        ("## 1.2.0\n\n## 1.1.0\n- b\n", "empty"),
        ("## 1.2.0 (unreleased)\n- a\n", "unreleased"),
        ("## 11.2.0\n- a\n## 1.2.0.1\n- b\n", "no section"),
    ],
)
def test_a_changelog_must_say_something_of_the_version(
    tmp_path: Path, text: str, reported: str
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    problem = find_changelog_problem(tmp_path, "1.2.0")
    assert (reported in problem.message) if problem else not reported


def test_a_project_without_a_changelog_has_no_problem_with_it(tmp_path: Path) -> None:
    assert find_changelog_problem(tmp_path, "1.0") is None


def test_a_failing_check_leaves_everything_as_it_was(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    before = (project / "pyproject.toml").read_bytes()
    (project / "src" / "my_package" / "broken.py").write_text("def f(:\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Break it")
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 1
    assert "TF101" in ran.err
    assert "hint:" in ran.err
    assert "restored: version in pyproject.toml" in ran.err
    assert (project / "pyproject.toml").read_bytes() == before
    assert git(project, "tag") == ""
    assert not (tmp_path / "static").exists()


def test_a_release_that_leaves_this_machine_needs_a_yes_before_anything_is_touched(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = "https://packages.example.org/main"
    assert main(["release", "1.2.0", "--to", target, "--project", str(project)]) == 2
    assert "hint: add --yes" in capsys.readouterr().err
    assert git(project, "status", "--porcelain", "-uno") == ""


def test_the_steps_of_a_release_are_events_of_the_same_shape(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", "--json", cwd=project)
    assert ran.code == 0, ran.err
    events = [json.loads(line) for line in ran.err.splitlines()]
    notes = [event["note"] for event in events if event["event"] == "step"]
    assert notes[0].startswith("version 1.0.0 -> 1.2.0")
    assert notes[-1].startswith("tagged v1.2.0")
    names = [event["event"] for event in events]
    assert names.index("planned") < names.index("uploading") < names.index("verified")


RECIPES = {
    "recipe.yaml": (
        'context:\n  version: "1.0.0"\npackage:\n  name: my_package\n  version: ${{ version }}\n'
        "source:\n  path: .\nbuild:\n  noarch: python\n  number: 7\n"
        "  script: python -m pip install . --no-deps\n"
        "requirements:\n  host: [python, pip, twofold-build]\n  run: [python >=3.11, requests]\n"
        '  run_constraints: ["urllib3 >=2"]\n'
    ),
    "meta.yaml": (
        '{% set version = "0.9" %}\npackage:\n  name: my_package\n  version: {{ version }}\n'
        "source:\n  path: .\nbuild:\n  noarch: python\n  number: 7\n"
        "requirements:\n  host: [python, pip, twofold-build]\n  run:\n    - python >=3.11\n"
        "    - requests\n  run_constrained:\n    - urllib3 >=2\n"
    ),
    "meta.yml": (
        'package: {name: my_package, version: "1.0.0"}\nbuild: {noarch: python, number: 7}\n'
        "requirements: {run: [python >=3.11, requests], run_constrained: [urllib3 >=2]}\n"
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_release_is_built_by_the_recipe_which_gets_the_version(
    twofold: Callable[..., Any], project: Path, tmp_path: Path, name: str
) -> None:
    (project / name).write_text(RECIPES[name])
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Recipe")
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", "--json", cwd=project)
    assert ran.code == 0, ran.err
    (entry,) = json.loads((tmp_path / "static/noarch/repodata.json").read_text())[
        "packages.conda"
    ].values()
    assert entry["version"] == "1.2.0"
    assert entry["depends"] == ["python >=3.11", "requests"]
    assert entry["constrains"] == ["urllib3 >=2"]
    assert entry["build_number"] == 7
    assert git(project, "status", "--porcelain", "-uno") == ""
    assert name in git(project, "show", "--stat", "HEAD")


def test_a_recipe_whose_version_cannot_be_written_stops_the_release(
    twofold: Callable[..., Any], project: Path, tmp_path: Path
) -> None:
    recipe = RECIPES["meta.yaml"].replace('"0.9"', 'environ.get("NONE", "0.9")')
    (project / "meta.yaml").write_text(recipe)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Recipe")
    ran = twofold("release", "1.2.0", "--to", tmp_path / "static", cwd=project)
    assert ran.code == 1
    assert "has version 0.9, not 1.2.0" in ran.err
    assert not (tmp_path / "static").exists()
    assert git(project, "status", "--porcelain", "-uno") == ""
