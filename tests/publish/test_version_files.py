"""Where a version is written: every backend's ways, and what follows the version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import git
from twofold.errors import ProjectErrors
from twofold.publish.release.version import plan_version

HATCH = (
    '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    '[project]\nname = "thing"\ndynamic = ["version"]\n'
)
SETUPTOOLS = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "thing"\ndynamic = ["version"]\n[tool.setuptools.dynamic]\n'
)
CFG = "[metadata]\nname = thing\n{}\n[options]\npackages = thing\n"
FLIT = (
    '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
    '[project]\nname = "thing"\ndynamic = ["version", "description"]\n'
)
PDM = (
    '[build-system]\nrequires = ["pdm-backend"]\nbuild-backend = "pdm.backend"\n'
    '[project]\nname = "thing"\ndynamic = ["version"]\n[tool.pdm.version]\n'
)
POETRY = (
    '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    '[tool.poetry]\nname = "thing"\nversion = "1.0.0"\ndescription = "x"\n'
)
CARGO = '[package]\nname = "thing"\nversion = "1.0.0"\n\n[dependencies]\nlog = "1.0.0"\n'
DUNDER = '__version__ = "1.0.0"\n'

#: Name of the way -> files of the project, and the files that hold the new version afterwards.
WAYS: dict[str, tuple[dict[str, str], set[str]]] = {
    "project": (
        {"pyproject.toml": HATCH.replace('dynamic = ["version"]', 'version = "1.0.0"')},
        {"pyproject.toml"},
    ),
    "flit": ({"pyproject.toml": FLIT, "thing/__init__.py": DUNDER}, {"thing/__init__.py"}),
    "hatch-path": (
        {
            "pyproject.toml": HATCH + '[tool.hatch.version]\npath = "src/thing/about.py"\n',
            "src/thing/about.py": "VERSION = '1.0.0'\n",
        },
        {"src/thing/about.py"},
    ),
    "hatch-pattern": (
        {
            "pyproject.toml": HATCH + '[tool.hatch.version]\npath = "thing/data.txt"\n'
            "pattern = 'release: (?P<version>.+)'\n",
            "thing/data.txt": "first: 1.0.0\nrelease: 1.0.0\n",
        },
        {"thing/data.txt"},
    ),
    "setuptools-attr": (
        {
            "pyproject.toml": SETUPTOOLS + 'version = {attr = "thing.core.RELEASE"}\n',
            "src/thing/core.py": 'OTHER = "1.0.0"\nRELEASE: str = "1.0.0"\n',
        },
        {"src/thing/core.py"},
    ),
    "setuptools-file": (
        {"pyproject.toml": SETUPTOOLS + 'version = {file = "VERSION"}\n', "VERSION": "1.0.0\n"},
        {"VERSION"},
    ),
    "setup.cfg": ({"setup.cfg": CFG.format("version = 1.0.0")}, {"setup.cfg"}),
    "setup.cfg-attr": (
        {"setup.cfg": CFG.format("version = attr: thing.__version__"), "thing/__init__.py": DUNDER},
        {"thing/__init__.py"},
    ),
    "setup.py": (
        {
            "setup.py": 'from setuptools import setup\nsetup(name="thing", version="1.0.0", '
            'packages=["thing"], install_requires=["x==1.0.0"])\n',
            "thing/__init__.py": DUNDER,
        },
        {"setup.py", "thing/__init__.py"},
    ),
    "poetry": ({"pyproject.toml": POETRY}, {"pyproject.toml"}),
    "pdm": (
        {
            "pyproject.toml": PDM + 'source = "file"\npath = "thing/__init__.py"\n',
            "thing/__init__.py": DUNDER,
        },
        {"thing/__init__.py"},
    ),
    "maturin": (
        {
            "pyproject.toml": '[build-system]\nrequires = ["maturin"]\nbuild-backend = "maturin"\n'
            '[project]\nname = "thing"\ndynamic = ["version"]\n',
            "Cargo.toml": CARGO,
        },
        {"Cargo.toml"},
    ),
}


def write(root: Path, files: dict[str, str]) -> None:
    (root / "thing").mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.mark.parametrize("way", WAYS)
def test_the_version_is_changed_wherever_it_is_written(tmp_path: Path, way: str) -> None:
    files, wanted = WAYS[way]
    write(tmp_path, files)
    planned = plan_version(tmp_path, "1.1.0")
    assert (planned.name, planned.old, planned.new) == ("thing", "1.0.0", "1.1.0")
    assert {change.path.relative_to(tmp_path).as_posix() for change in planned.changes} == wanted
    for change in planned.changes:
        assert change.after.count(b"1.1.0") == 1
        change.apply()
    again = plan_version(tmp_path, "1.1.0")
    assert again.changes == ()
    assert {path.relative_to(tmp_path).as_posix() for path in again.files} == wanted
    with pytest.raises(ProjectErrors, match=r"lower than the current version 1\.1\.0"):
        plan_version(tmp_path, "1.0.1")


@pytest.mark.parametrize(
    "text",
    [
        HATCH.replace('"hatchling"', '"hatchling", "hatch-vcs"') + "[tool.hatch.version]\n"
        'source = "vcs"\n',
        SETUPTOOLS.replace('"setuptools"', '"setuptools", "setuptools-scm>=8"').partition("[tool")[
            0
        ]
        + "[tool.setuptools_scm]\n",
        PDM + 'source = "scm"\n',
    ],
)
def test_a_version_from_tags_is_set_by_the_tag_for_other_backends_too(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, {"pyproject.toml": text, "thing/__init__.py": ""})
    planned = plan_version(tmp_path, "1.1.0")
    assert planned.is_from_tag
    assert planned.tag == "v1.1.0"
    assert planned.changes == ()


def test_lock_files_citation_and_recipe_follow_the_version(tmp_path: Path) -> None:
    entry = '[[package]]\nname = "{}"\nversion = "1.0.0"\n'
    followers = {
        "uv.lock": entry.format("other") + entry.format("thing"),
        "pixi.lock": "- pypi: ./\n  name: thing\n  version: 1.0.0\n  sha256: x\n",
        "CITATION.cff": "cff-version: 1.0.0\nversion: 1.0.0\n",
        "recipe.yaml": "context:\n  version: 1.0.0\npackage:\n  version: ${{ version }}\n",
    }
    write(tmp_path, {**WAYS["project"][0], **followers})
    planned = plan_version(tmp_path, "1.1.0")
    after = {change.path.name: change.after.decode() for change in planned.changes}
    assert set(after) == {*followers, "pyproject.toml"}
    for name in followers:
        assert after[name].count("1.1.0") == 1, name
    assert 'name = "thing"\nversion = "1.1.0"' in after["uv.lock"]
    assert planned.changes[-1].path.name == "pyproject.toml"


@pytest.mark.parametrize(
    ("table", "tag"),
    [
        ("", "thing-v1.1.0"),
        ('[tool.twofold.release]\ntag = "v{version}"\n', "v1.1.0"),
        ('[tool.twofold.release]\ntag = "{name}/{version}"\n', "thing/1.1.0"),
    ],
)
def test_a_project_below_the_root_of_its_repository_has_a_tag_of_its_own(
    tmp_path: Path, table: str, tag: str
) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path / "part", {"pyproject.toml": WAYS["project"][0]["pyproject.toml"] + table})
    planned = plan_version(tmp_path / "part", "1.1.0")
    assert (planned.tag, planned.title) == (tag, "Release thing 1.1.0")


@pytest.mark.parametrize("value", ["1", '"v"', '"{version}-v"'])
def test_a_tag_without_the_version_at_its_end_is_refused(tmp_path: Path, value: str) -> None:
    table = f"[tool.twofold.release]\ntag = {value}\n"
    write(tmp_path, {"pyproject.toml": WAYS["project"][0]["pyproject.toml"] + table})
    with pytest.raises(ProjectErrors, match="'tag' must be"):
        plan_version(tmp_path, "1.1.0")


def test_two_projects_of_one_repository_are_released_with_the_same_version(
    twofold: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")
    mono = tmp_path / "mono"
    mono.mkdir()
    git(mono, "init", "-q")
    for name in ("aa", "bb"):
        assert twofold("new", name, cwd=mono).code == 0
    git(mono, "add", "-A")
    git(mono, "commit", "-q", "-m", "Begin")
    for name in ("aa", "bb"):
        ran = twofold("release", "1.0.1", "--to", tmp_path / "out", "--yes", cwd=mono / name)
        assert ran.code == 0, ran.err
    assert git(mono, "tag").split() == ["aa-v1.0.1", "bb-v1.0.1"]
    assert git(mono, "log", "-1", "--format=%s").strip() == "Release bb 1.0.1"


def test_a_release_does_not_publish_files_that_no_commit_holds(
    twofold: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Begin")
    (project / "src/my_package/local_settings.py").write_text("SECRET = 1\n")
    (project / "notes.txt").write_text("not packed\n")
    ran = twofold("release", "1.0.1", "--to", tmp_path / "out", cwd=project)
    assert ran.code == 1
    assert "git does not track files that were packed: src/my_package/local_settings.py" in ran.err
    assert not (tmp_path / "out").exists()
    assert git(project, "status", "--porcelain", "-uno") == ""
    (project / ".git/info/exclude").write_text("local_settings.py\n")
    (project / "src/my_package/local_settings.py").unlink()
    ran = twofold("release", "1.0.1", "--to", tmp_path / "out", cwd=project)
    assert ran.code == 0, ran.err
