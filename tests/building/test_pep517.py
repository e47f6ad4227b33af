"""Projects with other backends: their own hooks, in an isolated environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from twofold.building import BuildRequest, build_project
from twofold.check import check_files
from twofold.errors import ProjectErrors, SubprocessFailed
from twofold.formats.reader import read_artifact
from twofold.pip_config import get_uv_certificates, read_pip_settings

BACKENDS = {
    "flit": ('["flit_core>=3.4"]', "flit_core.buildapi"),
    "hatchling": ('["hatchling"]', "hatchling.build"),
    "setuptools": ('["setuptools>=61"]', "setuptools.build_meta"),
}


def write(root: Path, requires: str, backend: str) -> Path:
    (root / "other_sample").mkdir(parents=True)
    module = '"""A sample."""\n\ndef main():\n    pass\n'
    (root / "other_sample" / "__init__.py").write_text(module, encoding="utf-8")
    (root / "pyproject.toml").write_text(
        f"""\
[build-system]
requires = {requires}
build-backend = "{backend}"

[project]
name = "other-sample"
version = "2.0"
description = "Built by another backend"
dependencies = ["packaging"]

[project.scripts]
other-sample = "other_sample:main"
""",
        encoding="utf-8",
    )
    return root


@pytest.mark.parametrize("name", BACKENDS)
def test_another_backend_makes_the_wheel_and_it_the_conda_package(
    name: str, tmp_path: Path
) -> None:
    root = write(tmp_path / "project", *BACKENDS[name])
    messages: list[str] = []
    made = build_project(root, BuildRequest(report=messages.append))
    assert made.backend == BACKENDS[name][1]
    assert [built.kind for built in made.artifacts] == ["sdist", "wheel", "conda"]
    assert (made.name.replace("_", "-"), made.version) == ("other-sample", "2.0")
    artifacts = [read_artifact(Path(built.path)) for built in made.artifacts]
    assert [artifact.version for artifact in artifacts] == ["2.0"] * 3
    assert any(spec.startswith("packaging") for spec in artifacts[2].depends)
    assert (root / "conda-bld/noarch/repodata.json").is_file()
    # uv needs fewer processes for the hooks of a quick backend.
    assert len(messages) == len(made.steps) == (4 if name == "setuptools" else 2)
    assert not (root / "build").exists()


def test_the_extras_of_another_backends_project_become_packages_on_request(tmp_path: Path) -> None:
    root = write(tmp_path / "project", *BACKENDS["flit"])
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('[project.optional-dependencies]\nfancy = ["rich"]\n')
        file.write("[tool.twofold.conda]\nextras-as-packages = true\n")
    made = build_project(root, BuildRequest(("conda",)))
    assert [Path(built.path).name for built in made.artifacts] == [
        "other-sample-2.0-py_0.conda",
        "other-sample-fancy-2.0-py_0.conda",
    ]


def test_what_another_backend_made_is_checked_before_it_is_delivered(tmp_path: Path) -> None:
    root = write(tmp_path / "project", *BACKENDS["flit"])
    module = root / "other_sample" / "__init__.py"
    module.write_text('"""A sample."""\n__all__ = ["gone"]\n', encoding="utf-8")
    with pytest.raises(ProjectErrors) as caught:
        build_project(root, BuildRequest())
    messages = "\n".join(problem.message for problem in caught.value.problems)
    assert "(TF102)" in messages and "(TF104)" in messages
    assert not (root / "dist").exists()
    settings = (root / "pyproject.toml").read_text(encoding="utf-8")
    settings += '[tool.twofold.check]\nignore = ["TF102", "TF104"]\n'
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert len(build_project(root, BuildRequest()).artifacts) == 3


def test_a_key_in_what_another_backend_made_is_allowed_by_name(tmp_path: Path) -> None:
    root = write(tmp_path / "project", *BACKENDS["flit"])
    (root / "other_sample" / "server.key").write_bytes(b"0123456789")
    with pytest.raises(ProjectErrors, match="TF201"):
        build_project(root, BuildRequest())
    settings = (root / "pyproject.toml").read_text(encoding="utf-8")
    settings += '[tool.twofold.check]\nallow = ["other_sample/*.key"]\n'
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert len(build_project(root, BuildRequest()).artifacts) == 3


#: Projects whose backend moves, renames or generates modules: backend and its tables.
MAPPED = {
    "setuptools, package-dir": (
        "setuptools",
        '[tool.setuptools]\npackages = ["demo"]\npackage-dir = {demo = "other_sample"}\n',
    ),
    "hatchling, sources": (
        "hatchling",
        '[tool.hatch.build.targets.wheel]\npackages = ["other_sample"]\n'
        '[tool.hatch.build.targets.wheel.sources]\n"other_sample" = "demo"\n',
    ),
    "hatchling, generated": (
        "hatchling",
        '[tool.hatch.build.targets.wheel]\npackages = ["other_sample"]\n'
        "[tool.hatch.build.targets.wheel.hooks.custom]\n",
    ),
}
_HOOK = """\
from pathlib import Path
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Generate(BuildHookInterface):
    def initialize(self, version, build_data):
        made = Path(self.root, "made.py")
        made.write_text("built = True\\n", encoding="utf-8")
        build_data["force_include"][str(made)] = "other_sample/made.py"
"""


@pytest.mark.parametrize("case", MAPPED)
def test_a_backend_may_move_rename_and_generate_modules(case: str, tmp_path: Path) -> None:
    backend, tables = MAPPED[case]
    root = write(tmp_path / "project", *BACKENDS[backend])
    text = (root / "pyproject.toml").read_text(encoding="utf-8").partition("[project.scripts]")[0]
    (root / "pyproject.toml").write_text(text + tables, encoding="utf-8")
    (root / "hatch_build.py").write_text(_HOOK, encoding="utf-8")
    made = build_project(root, BuildRequest(("sdist", "wheel")))
    paths = [Path(built.path) for built in made.artifacts]
    assert [finding for finding in check_files(paths) if finding.is_error] == []


def test_a_secret_in_the_root_of_the_sdist_stops_the_build(tmp_path: Path) -> None:
    root = write(tmp_path / "project", *BACKENDS["hatchling"])
    for name in (".env", ".pypirc", ".netrc", "credentials.json"):
        (root / name).write_text("password = abc\n", encoding="utf-8")
    with pytest.raises(ProjectErrors) as caught:
        build_project(root, BuildRequest(("sdist",)))
    found = sorted(problem.where.partition(": ")[2] for problem in caught.value.problems)
    assert found == [".env", ".netrc", ".pypirc", "credentials.json"]


def test_a_setup_py_alone_is_a_project(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "alone.py").write_text("x = 1\n", encoding="utf-8")
    (root / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='alone', version='1.5', py_modules=['alone'])\n",
        encoding="utf-8",
    )
    made = build_project(root, BuildRequest(("wheel", "tar.bz2")))
    assert [Path(built.path).name for built in made.artifacts] == [
        "alone-1.5-py3-none-any.whl",
        "alone-1.5-py_0.tar.bz2",
    ]


def test_pip_does_the_work_where_uv_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert shutil.which("uv") is None
    root = write(tmp_path / "project", *BACKENDS["flit"])
    made = build_project(root, BuildRequest(("wheel",)))
    assert zipfile.ZipFile(made.artifacts[0].path).testzip() is None


def test_the_backends_output_is_shown_when_it_fails(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "setup.py").write_text("print('about to stop')\nraise SystemExit('no, not today')\n")
    ran = twofold("build", root)
    assert ran.code == 1
    assert "no, not today" in ran.err
    assert "hint:" in ran.err
    assert 'File "' not in ran.err.partition("error:")[2]
    assert not (root / "dist").exists()


def test_time_and_cache_are_shown_and_the_backends_warnings_once(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "alone.py").write_text("x = 1\n", encoding="utf-8")
    (root / "setup.py").write_text(
        "import warnings\nfrom setuptools import setup\n"
        "warnings.warn('this is old\\n  and a long story')\n"
        "setup(name='alone', version='1.5', py_modules=['alone'])\n",
        encoding="utf-8",
    )
    ran = twofold("build", root, "--only", "wheel")
    assert ran.code == 0, ran.err
    assert ran.err.count("this is old") == 1
    assert "a long story" not in ran.err
    assert re.search(r"\d s  an isolated environment .*fetched\)", ran.err), ran.err
    assert re.search(r"\d s  the sdist, by setuptools", ran.err)


def test_a_backend_that_cannot_be_installed_is_reported(tmp_path: Path) -> None:
    root = write(tmp_path / "project", '["flit_core>=9999"]', "flit_core.buildapi")
    with pytest.raises(SubprocessFailed, match="could not install flit_core>=9999") as caught:
        build_project(root)
    assert caught.value.output


def test_a_backend_that_is_not_there_is_reported(tmp_path: Path) -> None:
    root = write(tmp_path / "project", '["flit_core"]', "no_such_backend")
    with pytest.raises(SubprocessFailed, match="could not be loaded"):
        build_project(root)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('build-backend = "flit_core.buildapi"\n', "is missing"),
        ('requires = "flit_core"\nbuild-backend = "x"\n', "must be a list"),
        ("requires = []\nbuild-backend = 7\n", "must be a string"),
    ],
)
def test_a_wrong_build_system_is_reported_with_its_place(
    table: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[build-system]\n{table}", encoding="utf-8")
    with pytest.raises(ProjectErrors, match=message) as caught:
        build_project(tmp_path)
    assert "pyproject.toml:" in caught.value.problems[0].where
    assert "[build-system]" in caught.value.problems[0].where


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_a_folder_without_a_project_is_reported(
    folder: str, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    (tmp_path / "empty").mkdir()
    ran = twofold("build", tmp_path / folder)
    assert ran.code == 1
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err


def test_our_backend_in_another_version_is_built_apart(tmp_path: Path) -> None:
    root = write(tmp_path / "project", '["twofold-build>=9999"]', "twofold_build")
    with pytest.raises(SubprocessFailed, match="could not install twofold-build>=9999"):
        build_project(root)


def test_uv_trusts_the_certificates_that_pip_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "company.pem"))
    assert get_uv_certificates() == {"SSL_CERT_FILE": str(tmp_path / "company.pem")}
    monkeypatch.setenv("SSL_CERT_FILE", "of its own")
    assert get_uv_certificates() == {}


@pytest.mark.parametrize(
    ("requires", "by_uv"), [("uv_build>=0.5", True), ("uv-build", True), ("uv_build<0.9", False)]
)
def test_uv_builds_the_projects_of_its_own_backend_itself(
    requires: str, by_uv: bool, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = write(tmp_path / "project", f'["{requires}"]', "uv_build")
    (root / "src").mkdir()
    (root / "other_sample").rename(root / "src" / "other_sample")
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    ran = twofold("build", tmp_path / "link")
    assert ran.code == 0, ran.err
    assert ("by uv itself" in ran.err) is by_uv
    names = sorted(path.name for path in (root / "dist").iterdir() if path.name[0] != ".")
    assert names == ["other_sample-2.0-py3-none-any.whl", "other_sample-2.0.tar.gz"]
    assert not (root / ".gitignore").exists()
    (root / "src").rename(root / "elsewhere")
    failed = twofold("build", root)
    assert failed.code == 1
    assert "the backend 'uv_build' failed" in failed.err


@pytest.mark.parametrize("kinds", ["sdist", "wheel", "conda"])
def test_uv_builds_one_kind_of_a_project_of_its_own_backend(kinds: str, tmp_path: Path) -> None:
    root = write(tmp_path / "project", '["uv_build"]', "uv_build")
    (root / "src").mkdir()
    (root / "other_sample").rename(root / "src" / "other_sample")
    made = build_project(root, BuildRequest((kinds,)))
    assert [built.kind for built in made.artifacts] == [kinds]
    sdist = build_project(root, BuildRequest(("sdist",))).artifacts[0].path
    assert [b.kind for b in build_project(sdist, BuildRequest()).artifacts] == ["wheel", "conda"]


def test_a_build_by_uv_imports_nothing_heavy(tmp_path: Path) -> None:
    root = write(tmp_path / "project", '["uv_build"]', "uv_build")
    (root / "src").mkdir()
    (root / "other_sample").rename(root / "src" / "other_sample")
    script = (
        f"import sys; sys.path = {sys.path!r};"
        "from twofold.cli.build import quick, run; run(quick(['--sdist', '--wheel']));"
        "heavy = {'packaging', 'dataclasses', 'ast', 'argparse', 'tomllib', 'zipfile', 'tarfile',"
        "         'json', 'hashlib', '_hashlib', 'email', 'subprocess', 'shutil', 'tempfile'};"
        "heavy -= {'ast'} if sys.argv[1:] else set();"  # without the compiled reader
        "heavy |= set() if sys.argv[1:] else {'re', 'typing', 'functools', 'pathlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for words in (["first"], []):
        command = [sys.executable, "-S", "-c", script, *words]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"


def test_pips_settings_are_read_from_its_files_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, own, named = tmp_path / "xdg", tmp_path / "own", tmp_path / "named.conf"
    for folder, text in (
        (shared, "[global]\nindex-url = http://127.0.0.1:1/a\ncert = /shared.pem\n"),
        (own, "[install]\nindex_url = http://127.0.0.1:2/b\nfind-links =\n  /one\n  /two\n"),
    ):
        (folder / "pip").mkdir(parents=True)
        (folder / "pip" / "pip.conf").write_text(text, encoding="utf-8")
    named.write_text("[global]\ncert = /named.pem\n[other]\ncert = /other.pem\n", encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(shared))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(sys, "platform", "linux")
    found = read_pip_settings()
    assert found["index-url"] == "http://127.0.0.1:2/b"
    assert found["find-links"] == "/one /two"
    assert (found["cert"], found["no-index"]) == ("/named.pem", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert "cert" not in read_pip_settings()


def test_all_that_was_made_is_delivered_or_nothing(tmp_path: Path) -> None:
    root = write(tmp_path / "project", *BACKENDS["flit"])
    text = (root / "pyproject.toml").read_text("utf-8")
    on_a_url = text.replace('["packaging"]', '["own @ https://example.org/own-1.0.tar.gz"]')
    (root / "pyproject.toml").write_text(on_a_url, encoding="utf-8")
    heard: list[str] = []
    with pytest.raises(ProjectErrors, match="names a URL"):
        build_project(root, BuildRequest(("sdist", "wheel", "conda"), report=heard.append))
    assert not (root / "dist").exists()
    made = build_project(root, BuildRequest(report=heard.append))
    assert [built.kind for built in made.artifacts] == ["sdist", "wheel"]
    assert any(line.startswith("warning: no conda package: 'own @") for line in heard)
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    shutil.rmtree(root / "dist")
    (root / "conda-bld").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="conda-bld"):
        build_project(root, BuildRequest())
    assert not list((root / "dist").iterdir())
