"""What contributors are told to run and to write is there: scripts, paths, fragments, versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest
import yaml

from twofold.check import rule_table
from twofold.cli import make_parser
from twofold.formats.portable_names import find_unportable
from twofold.publish.targets import kinds

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
KINDS = [kind["directory"] for kind in PYPROJECT["tool"]["towncrier"]["type"]]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: Pages for contributors; an indented or fenced line in them may name a script or a test.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".github/pull_request_template.md"]
NAMED = re.compile(r"(?<![\w/.-])((?:scripts|tests|src|docs|benchmarks|news|backend)/[\w./-]*\w/?)")


#: A module of ours, or something in it, in the text of a page; `tool.twofold.conda` is none.
MODULE = re.compile(r"(?<![\w./-])(twofold(?:_build)?(?:\.\w+)+)(?![\w(]*\.(?:py|toml|json|md))")
DOCUMENTS = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]


def test_every_file_has_a_place_of_its_own_where_case_is_ignored() -> None:
    """On Windows and macOS; those systems cannot be run here, so the list of files is checked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    paths = listed.stdout.strip("\0").split("\0")
    assert "src/twofold/py.typed" in paths
    assert list(find_unportable(paths)) == []
    assert list(find_unportable([*paths, "SRC/twofold/py.typed"])) != []


def commands(page: Path) -> list[str]:
    return NAMED.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [*PAGES, *WORKFLOWS], ids=lambda page: page.name)
def test_the_page_names_files_that_exist(page: Path) -> None:
    assert [name for name in commands(page) if not (ROOT / name).exists()] == []


def test_the_tests_that_hold_specifications_exist() -> None:
    page = (ROOT / "docs" / "reference" / "what-is-held.md").read_text(encoding="utf-8")
    files = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")}
    for name, test in re.findall(r"`(?:tests/)?([\w/]*test_\w+\.py)(?:::(\w+))?`", page):
        found = [text for path, text in files.items() if path.as_posix().endswith(f"/{name}")]
        assert any(not test or f"def {test}(" in text for text in found), f"{name}::{test}"


def test_the_tests_that_first_changes_name_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    defined = {
        name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    }
    assert sorted(set(re.findall(r"`(test_\w+)`", page)) - defined) == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_names_modules_that_exist(page: Path) -> None:
    names = set(MODULE.findall(page.read_text(encoding="utf-8")))
    assert sorted(name for name in names if not is_ours(name)) == []


def is_ours(name: str) -> bool:
    """Whether a dotted name is a module, something in one, or a group of entry points."""
    if find_module(name) or name in (rule_table.GROUP, kinds.GROUP):
        return True
    module, _, attribute = name.rpartition(".")
    while module and not find_module(module):
        module, _, outer = module.rpartition(".")
        attribute = f"{outer}.{attribute}"
    try:
        attrgetter(attribute)(import_module(module))
    except AttributeError:
        return False
    return True


def find_module(name: str) -> bool:
    folders = [ROOT / "src", ROOT / "backend" / "src"]
    parts = name.split(".")
    return any(
        folder.joinpath(*parts).is_dir() or folder.joinpath(*parts).with_suffix(".py").is_file()
        for folder in folders
    )


def test_both_distributions_have_one_version() -> None:
    backend = tomllib.loads((ROOT / "backend" / "pyproject.toml").read_text(encoding="utf-8"))
    version = PYPROJECT["project"]["version"]
    assert backend["project"]["version"] == version
    assert f"twofold-build=={version}" in PYPROJECT["project"]["dependencies"]


def test_the_changelog_begins_with_the_version_that_is_next_or_last() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, _, sections = text.partition("<!-- towncrier release notes start -->")
    first = re.search(r"^## (\S+) - (?:unreleased|\d{4}-\d\d-\d\d)$", sections, re.MULTILINE)
    assert first, "no heading `## VERSION - DATE` below towncrier's mark"
    assert first[1] == PYPROJECT["project"]["version"]


def test_every_news_fragment_has_a_name_that_towncrier_reads_and_a_text() -> None:
    name = re.compile(rf"(?:\d+|\+[\w-]+)\.(?:{'|'.join(KINDS)})\.md")
    files = [path for path in (ROOT / "news").iterdir() if path.name != "README.md"]
    assert [path.name for path in files if not name.fullmatch(path.name)] == []
    assert [path.name for path in files if not path.read_text(encoding="utf-8").strip()] == []


def test_the_page_of_fragments_lists_every_kind() -> None:
    page = (ROOT / "news" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == KINDS


def test_the_suite_runs_on_three_systems_and_every_supported_python() -> None:
    test = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    matrix = test["jobs"]["suite"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert f">={matrix['python'][0]}" == PYPROJECT["project"]["requires-python"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_only_the_job_that_publishes_may_ask_for_an_identity() -> None:
    asking = [
        (path.name, name)
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items()
        if "id-token" in job.get("permissions", {})
    ]
    assert asking == [("release.yml", "publish")]


def test_hooks_before_a_commit_are_local_and_call_what_scripts_test_calls() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    called = {hook["entry"].split()[0] for hook in hooks["repos"][0]["hooks"]}
    script = (ROOT / "scripts" / "test").read_text("utf-8")
    assert {word for word in called if f'"{word}' not in script} == {"twofold"}


def test_the_hooks_for_pre_commit_are_command_lines_of_twofold() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["twofold-check", "twofold-exports", "twofold-deps"]
    for hook in hooks:
        program, command, *words = hook["entry"].split()
        assert (program, hook["language"]) == ("twofold", "python")
        make_parser(command).parse_args(words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_github_action_runs_the_command_of_its_input(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    *_, step = action["runs"]["steps"]
    assert not any("${{" in each["run"] for each in action["runs"]["steps"])
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    env["COMMAND"] = "publish --to pypi --yes $(id)"
    done = subprocess.run(
        ["bash", "-c", step["run"]], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["-m", "twofold", "publish", "--to", "pypi", "--yes", "$(id)"]
