"""The hooks as frontends call them: pip, uv and build; editable installs; versions from git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import twofold_build
from tests.clients import build_frontends
from tests.factories.archives import extract_all
from tests.factories.sample_projects import EVERY, SAMPLES, BuiltFiles, call_hook, git
from twofold.pip_config import get_uv_certificates
from twofold_build.errors import ProjectErrors
from twofold_build.pyproject import read_project

Project = Callable[[str], Path]
Built = Callable[[str], BuiltFiles]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the backend's own wheel, built by itself, for --find-links."""
    out = tmp_path_factory.mktemp("links")
    call_hook("build_wheel", REPOSITORY / "backend", out)
    return out


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, links: Path) -> Path:
    """The Python of a fresh environment with the backend installed from its wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip("--python", python, "install", "--find-links", links, "twofold-build")
    return python


def pip(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "-q", *map(str, words)], check=True)


def run(python: Path, code: str, cwd: Path | None = None) -> str:
    done = subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_pip_installs_from_the_sdist(
    project: Project, links: Path, environment: Path, tmp_path: Path
) -> None:
    root = project("data_files")
    sdist = tmp_path / call_hook("build_sdist", root, tmp_path)
    pip("--python", environment, "install", "--find-links", links, sdist)
    assert run(environment, "import data_files; print(data_files.TEXT)", tmp_path) == "größer"
    script = environment.parent / "data-files-script"
    assert os.access(script, os.X_OK)
    assert (environment.parents[1] / "share" / "data_files" / "defaults.toml").is_file()


def test_uv_builds_and_installs(
    project: Project, links: Path, environment: Path, tmp_path: Path
) -> None:
    root = project("single_module")
    command = ["uv", "build", "-q", "--find-links", str(links), "-o", str(tmp_path / "out")]
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command += ["--no-build-isolation", "--python", str(environment)]
    subprocess.run(command, cwd=root, env=environ, check=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    install = ["uv", "pip", "install", "-q", "--python", str(environment), str(wheel)]
    subprocess.run(install, env=environ, check=True)
    assert run(environment, "import single_module; print(single_module.double(4))") == "8"


def test_build_makes_the_wheel_from_the_sdist(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    root = project("namespace")
    code = (
        "import sys, pathlib; from build import ProjectBuilder;"
        f"b = ProjectBuilder(sys.argv[1], python_executable={str(environment)!r});"
        "print(b.build('sdist', sys.argv[2])); print(b.build('wheel', sys.argv[2]));"
        "print(b.metadata_path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, root, tmp_path / "out"]
    subprocess.run(command, check=True)
    assert (tmp_path / "out" / "sample_space-1.0.tar.gz").is_file()
    wheel = tmp_path / "out" / "sample_space-1.0-py3-none-any.whl"
    prepared = tmp_path / "out" / "sample_space-1.0.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        for name in ("METADATA", "WHEEL"):
            data = archive.read(f"sample_space-1.0.dist-info/{name}")
            assert (prepared / name).read_bytes() == data


@pytest.mark.parametrize(
    "name", ["uv", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pip", "build"))]
)
def test_every_frontend_makes_the_same_wheels_of_all_samples(
    name: str, built: Built, every_project: Callable[[str], Path], tmp_path: Path
) -> None:
    roots = [every_project(sample) for sample in EVERY]
    out = tmp_path / "made"
    build_frontends.FRONTENDS[name](out, *roots)
    assert len(list(out.glob("*.whl"))) == len(EVERY)
    for sample in SAMPLES:
        files = built(sample)
        wanted = [files.wheel] if name == "pip" else [files.wheel, files.sdist]
        for path in wanted:
            assert (out / path.name).read_bytes() == path.read_bytes(), sample


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "."],
        ["-m", "uv", "build", "--no-build-isolation", "--python", sys.executable],
        ["-m", "build", "-n"],
    ],
    ids=["pip", "uv", "build"],
)
def test_every_frontend_shows_the_mistakes_and_no_traceback_of_ours(
    words: list[str], project: Project
) -> None:
    root = project("flat_layout")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('dependancies = []\ndependencies = ["numpy>>1"]\n')
    done = subprocess.run(
        [sys.executable, *words], cwd=root, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "[project] dependancies: unknown key 'dependancies'" in output
    assert "hint: did you mean 'dependencies'?" in output
    assert "numpy>>1" in output
    assert "twofold_build.errors" not in output
    assert "in read_project" not in output


@pytest.mark.parametrize("name", ["pip", "uv", "build"])
def test_every_frontend_builds_in_isolation(
    name: str, project: Project, links: Path, tmp_path: Path
) -> None:
    root = project("flat_layout")
    python = [sys.executable, "-m"]
    commands = {
        "pip": [*python, "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "out", root],
        "uv": ["uv", "build", "-q", "-o", tmp_path / "out", root],
        "build": [*python, "build", "-o", tmp_path / "out", root],
    }
    environ = {
        **os.environ,
        **get_uv_certificates(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_FIND_LINKS": f"{links} {os.environ.get('PIP_FIND_LINKS', '')}",
        "UV_FIND_LINKS": str(links),
    }
    done = subprocess.run(commands[name], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "flat_sample-0.1-py3-none-any.whl").is_file()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("flat_layout", "import flat_sample; print(flat_sample.__file__)"),
        ("single_module", "import single_module; print(single_module.__file__)"),
        ("namespace", "import sample.space; print(sample.space.__file__)"),
    ],
)
def test_an_editable_install_points_at_the_source_by_a_static_path(
    name: str, code: str, project: Project, environment: Path
) -> None:
    root = project(name)
    pip("--python", environment, "install", "--no-build-isolation", "--no-deps", "-e", root)
    try:
        assert Path(run(environment, code)).is_relative_to(root)
    finally:
        distribution = read_project(root).name
        pip("--python", environment, "uninstall", "-y", distribution)


@pytest.mark.windows
def test_an_editable_wheel_names_a_folder_of_any_letters_in_any_locale(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until Python 3.12 a .pth file is read in the locale's encoding: on Windows not in UTF-8."""
    monkeypatch.setattr("locale.getencoding", lambda: "cp1252")
    root = tmp_path / "Zoë 日本"
    shutil.copytree(project("flat_layout"), root)
    monkeypatch.chdir(root)
    with zipfile.ZipFile(tmp_path / twofold_build.build_editable(str(tmp_path))) as archive:
        line = archive.read("_flat_sample.pth").decode("utf-8").rstrip("\n")
    if sys.version_info < (3, 13):
        assert line.isascii() and line.startswith("import ")  # what `site` runs
        monkeypatch.setattr("sys.path", [])
        exec(line)
        line = sys.path[0]
    assert Path(line) == root


def test_the_editable_wheel_holds_a_path_and_the_metadata_alone(
    project: Project, tmp_path: Path
) -> None:
    root = project("data_files")
    wheel = tmp_path / call_hook("build_editable", root, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("_data_files.pth").decode() == f"{root / 'src'}\n"
    assert not any(name.startswith("data_files/") for name in names)
    assert "data_files-1.0.data/scripts/data-files-script" in names
    assert "data_files-1.0.dist-info/RECORD" in names


def test_the_version_is_the_git_tags_and_then_the_sdists(project: Project, tmp_path: Path) -> None:
    root = project("git_version")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "v1.4.0")
    assert read_project(root).version == "1.4.0"
    sdist = tmp_path / "out" / call_hook("build_sdist", root, tmp_path / "out")
    assert sdist.name == "git_version-1.4.0.tar.gz"
    assert call_hook("get_requires_for_build_wheel", root, tmp_path / "out") != "[]"
    (root / "more.txt").write_text("more")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "second")
    assert read_project(root).version.startswith("1.4.0.post1.dev0+")
    import tarfile

    with tarfile.open(sdist) as archive:
        extract_all(archive, tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked" / "git_version-1.4.0"
    assert read_project(unpacked).version == "1.4.0"
    assert call_hook("get_requires_for_build_wheel", unpacked, tmp_path / "out") == "[]"


def test_the_highest_tag_of_a_commit_counts(project: Project) -> None:
    root = project("git_version")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    for tag in ("v1.10.0", "v1.9.0", "v1.10.0rc1", "v2beta"):
        git(root, "tag", tag)
    git(root, "tag", "-a", "v1.10.1", "-m", "annotated")
    git(root, "tag", "-a", "v1.2.0", "-m", "annotated, and later")
    git(root, "tag", "vnext")
    assert read_project(root).version == "2b0"
    git(root, "tag", "-d", "v2beta")
    assert read_project(root).version == "1.10.1"
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    assert read_project(root).version.startswith("1.10.1.post1.dev0+")


def test_changes_since_the_tag_are_in_the_version(project: Project) -> None:
    root = project("git_version")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "v1.4.0")
    (root / "untracked.txt").write_text("made by the build")
    assert read_project(root).version == "1.4.0"
    path = root / "pyproject.toml"
    path.write_text(path.read_text() + "\n# changed\n")
    assert read_project(root).version == "1.4.0+dirty"


@pytest.mark.parametrize("tag", ["", "1.4.0", "vnext"])
def test_without_a_version_tag_there_is_no_version(tag: str, project: Project) -> None:
    root = project("git_version")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    if tag:
        git(root, "tag", tag)
    with pytest.raises(ProjectErrors, match=r"no tag of this branch has the form v1\.0\.0"):
        read_project(root)


def test_a_shallow_clone_has_no_version(project: Project, tmp_path: Path) -> None:
    root = project("git_version")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "v1.0.0")
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), "shallow")
    with pytest.raises(ProjectErrors, match="shallow") as caught:
        read_project(tmp_path / "shallow")
    assert "--unshallow" in caught.value.problems[0].hint


def test_the_repository_builds_itself_without_anything_of_twofold_installed(
    tmp_path: Path,
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip("--python", python, "install", "packaging", "pyproject-hooks", "build")
    sdist = tmp_path / "sdist"
    command = [python, "-m", "build", "-n", "-o"]
    subprocess.run([*command, sdist, REPOSITORY / "backend"], check=True, capture_output=True)
    subprocess.run([*command, sdist, REPOSITORY], check=True, capture_output=True)
    assert {path.name.rpartition("-")[0] for path in sdist.glob("*.tar.gz")} == {
        "twofold_build",
        "twofold",
    }
    assert len(list(sdist.glob("*.whl"))) == 2
    assert REPOSITORY not in Path(run(python, "import sys; print(sys.prefix)")).parents
