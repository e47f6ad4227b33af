"""`twofold build` of projects with twofold's own backend: three artifacts in one walk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.conftest import CommandResult
from tests.factories.sample_projects import SAMPLES, call_hook
from twofold.building import BuildRequest, build_project
from twofold.building.backends import admits_version
from twofold.convert import convert_all, parse_options
from twofold.errors import ProjectErrors
from twofold.formats.conda_writer import BUILD_LEVEL
from twofold.formats.reader import read_artifact
from twofold.index.folder import index_folder
from twofold_build.pyproject import read_project

Project = Callable[[str], Path]
#: Samples whose code the checks rightly refuse: they are there for the backend alone.
BUILDABLE = [name for name in SAMPLES if name not in ("dynamic_version", "gitignored")]


@pytest.mark.parametrize("name", BUILDABLE)
def test_the_conda_package_is_what_convert_makes_of_the_wheel(name: str, project: Project) -> None:
    root = project(name)
    made = build_project(root)
    (wheel,) = [Path(built.path) for built in made.artifacts if built.kind == "wheel"]
    packages = [Path(built.path) for built in made.artifacts if built.kind == "conda"]
    options = parse_options(read_project(root).settings.table.get("conda", {}))
    options.level = BUILD_LEVEL
    converted = convert_all(wheel, root / "other", options)
    assert [one.filename for one in converted] == [path.name for path in packages]
    for one, path in zip(converted, packages, strict=True):
        assert one.path.read_bytes() == path.read_bytes()


EXTRAS = """
[project.optional-dependencies]
fancy = ["rich>=13", "colorama; sys_platform == 'win32'"]
all = ["flat-sample[fancy]"]

[tool.twofold.conda]
extras-as-packages = true
"""


def test_the_packages_of_extras_are_those_that_convert_makes(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    root = project("flat_layout")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(EXTRAS)
    made = build_project(root, BuildRequest(("wheel", "conda", "tar.bz2")))
    packages = {Path(built.path).name: Path(built.path) for built in made.artifacts}
    stems = [
        "flat-sample-0.1-py_0",
        "flat-sample-fancy-0.1-unix_py_0",
        "flat-sample-fancy-0.1-win_py_0",
        "flat-sample-all-0.1-py_0",
    ]
    endings = (".conda", ".tar.bz2")
    assert list(packages)[1:] == [stem + ending for stem in stems for ending in endings]
    options = parse_options({"extras-as-packages": True})
    options.level = BUILD_LEVEL
    for one in convert_all(Path(made.artifacts[0].path), root / "other", options):
        assert packages[one.filename].read_bytes() == one.path.read_bytes()
    assert "flat-sample-fancy ==0.1" in read_artifact(packages[stems[3] + ".tar.bz2"]).depends
    listed = twofold("build", root, "--list", "--json").json
    assert isinstance(listed, dict)
    assert {f"noarch/{stem}.conda" for stem in stems} <= set(listed["artifacts"])


@pytest.mark.parametrize("name", BUILDABLE)
def test_the_files_hold_the_same_as_those_of_the_hooks(
    name: str, project: Project, tmp_path: Path
) -> None:
    root = project(name)
    hooked = tmp_path / "hooked"
    sdist = hooked / call_hook("build_sdist", root, hooked)
    wheel = hooked / call_hook("build_wheel", root, hooked)
    made = build_project(root, BuildRequest(("sdist", "wheel")))
    paths = {built.kind: Path(built.path) for built in made.artifacts}
    assert paths["sdist"].read_bytes() == sdist.read_bytes()
    assert paths["wheel"].read_bytes() == wheel.read_bytes()


def test_every_built_file_can_be_read_and_says_what_the_result_says(project: Project) -> None:
    root = project("full_metadata")
    kinds = ("sdist", "wheel", "conda", "tar.bz2")
    made = build_project(root, BuildRequest(kinds))
    assert {built.kind for built in made.artifacts} == set(kinds)
    assert (made.name, made.version) == ("Full-Metadata.Sample", "1.2.0rc1")
    for built in made.artifacts:
        artifact = read_artifact(Path(built.path))
        assert artifact.kind == built.kind
        assert artifact.sha256 == built.sha256
        assert artifact.size == built.size


def test_the_files_lie_where_the_contract_says(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    assert twofold("new", "my_package").code == 0
    ran = twofold("build", "my_package")
    assert ran.code == 0, ran.err
    root = tmp_path / "my_package"
    for path in (
        "dist/my_package-1.0.0.tar.gz",
        "dist/my_package-1.0.0-py3-none-any.whl",
        "conda-bld/noarch/my_package-1.0.0-py_0.conda",
        "conda-bld/noarch/repodata.json",
    ):
        assert (root / path).is_file(), path
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        str(Path("my_package", path))
        for path in (
            "dist/my_package-1.0.0.tar.gz",
            "dist/my_package-1.0.0-py3-none-any.whl",
            "conda-bld/noarch/my_package-1.0.0-py_0.conda",
        )
    ]


def test_the_channel_written_on_the_way_is_the_one_that_index_writes(project: Project) -> None:
    root = project("full_metadata")
    build_project(root, BuildRequest(("conda", "tar.bz2")))
    channel = root / "conda-bld"
    quick = json.loads((channel / "noarch" / "repodata.json").read_text("utf-8"))
    (channel / "noarch" / "repodata.json").unlink()
    index_folder(channel)
    assert json.loads((channel / "noarch" / "repodata.json").read_text("utf-8")) == quick


def test_an_older_version_stays_in_the_channel(project: Project) -> None:
    root = project("flat_layout")
    text = (root / "pyproject.toml").read_text("utf-8")
    for version in ("0.1", "0.2", "0.2"):
        (root / "pyproject.toml").write_text(text.replace("0.1", version), encoding="utf-8")
        build_project(root)
    data = json.loads((root / "conda-bld/noarch/repodata.json").read_text("utf-8"))
    assert sorted(data["packages.conda"]) == [
        "flat-sample-0.1-py_0.conda",
        "flat-sample-0.2-py_0.conda",
    ]


def test_a_package_from_elsewhere_is_indexed_too(project: Project) -> None:
    other = project("namespace")
    build_project(other)
    root = project("flat_layout")
    build_project(root)
    for path in (other / "conda-bld/noarch").glob("*.conda"):
        shutil.copy(path, root / "conda-bld" / "noarch")
    build_project(root)
    data = json.loads((root / "conda-bld/noarch/repodata.json").read_text("utf-8"))
    assert len(data["packages.conda"]) == 2
    build_project(root)
    assert (
        len(json.loads((root / "conda-bld/noarch/repodata.json").read_text())["packages.conda"])
        == 2
    )


def test_the_manifest_names_what_the_last_build_made(project: Project) -> None:
    root = project("flat_layout")
    build_project(root)
    noted = json.loads((root / "dist/.twofold-build.json").read_text("utf-8"))
    assert noted["version"] == 1
    assert [entry["kind"] for entry in noted["artifacts"]] == ["sdist", "wheel", "conda"]
    for entry in noted["artifacts"]:
        assert hashlib.sha256((root / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    build_project(root, BuildRequest(("wheel",)))
    noted = json.loads((root / "dist/.twofold-build.json").read_text("utf-8"))
    assert [entry["kind"] for entry in noted["artifacts"]] == ["wheel"]


def test_out_is_where_dist_and_conda_bld_stand(
    project: Project, twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    root = project("flat_layout")
    ran = twofold("build", root, "--out", tmp_path / "elsewhere", "--only", "wheel,conda")
    assert ran.code == 0, ran.err
    assert not (root / "dist").exists()
    assert not (root / "conda-bld").exists()
    assert (tmp_path / "elsewhere/dist/flat_sample-0.1-py3-none-any.whl").is_file()
    assert not list((tmp_path / "elsewhere/dist").glob("*.tar.gz"))
    assert (tmp_path / "elsewhere/conda-bld/noarch/flat-sample-0.1-py_0.conda").is_file()


def test_list_writes_nothing_and_says_what_a_build_packs(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    root = project("data_files")
    before = sorted(root.rglob("*"))
    kinds = ("sdist", "wheel", "conda", "tar.bz2")
    ran = twofold("build", root, "--list", "--json", "--only", ",".join(kinds))
    assert ran.code == 0, ran.err
    assert sorted(root.rglob("*")) == before
    listed = ran.json
    assert isinstance(listed, dict)
    made = build_project(root, BuildRequest(kinds))
    for built in made.artifacts:
        path = Path(built.path)
        name = path.name if built.kind in ("sdist", "wheel") else f"noarch/{path.name}"
        names = [entry["path"] for entry in listed["artifacts"][name]]
        if built.kind == "wheel":
            assert names == zipfile.ZipFile(path).namelist()
        elif built.kind == "sdist":
            with tarfile.open(path) as archive:
                assert names == [n.partition("/")[2] for n in archive.getnames()]
        elif built.kind == "tar.bz2":
            with tarfile.open(path) as archive:
                assert sorted(names) == sorted(archive.getnames())
    left_out = {entry["path"]: entry["why"] for entry in listed["left_out"]}
    assert left_out["tests/big/"] == "exclude 'tests/big'"
    assert "[tool.twofold.wheel] exclude" in left_out["src/data_files/speed.pyx"]


def test_json_reports_artifacts_and_steps(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", project("flat_layout"), "--json")
    report = ran.json
    assert isinstance(report, dict)
    assert [one["kind"] for one in report["artifacts"]] == ["sdist", "wheel", "conda"]
    assert report["backend"] == "twofold_build"
    assert all(step["seconds"] >= 0 for step in report["steps"])


def test_errors_of_check_stop_the_build_and_are_reported_together(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    root = project("flat_layout")
    (root / "flat_sample" / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (root / "flat_sample" / "worse.py").write_text("x = = 1\n", encoding="utf-8")
    ran = twofold("build", root)
    assert ran.code == 1
    assert "broken.py:1" in ran.err
    assert "worse.py:1" in ran.err
    assert "Traceback" not in ran.err
    assert not (root / "dist").exists()


def test_errors_found_beside_the_writing_leave_nothing_of_the_build(project: Project) -> None:
    """A large project is written while its modules are read."""
    root = project("flat_layout")
    large = "".join(f"VALUE_{number} = {number}\n" for number in range(4000))
    (root / "flat_sample" / "large.py").write_text(f"{large}from . import nothing\n", "utf-8")
    before = sorted(root.rglob("*"))
    with pytest.raises(ProjectErrors, match="flat_sample has no 'nothing'"):
        build_project(root)
    assert sorted(root.rglob("*")) == before
    (root / "flat_sample" / "large.py").write_text(large, "utf-8")
    build_project(root)
    held = sorted((root / "dist").iterdir())
    (root / "flat_sample" / "large.py").write_text(f"{large}return\n", "utf-8")
    with pytest.raises(ProjectErrors, match="outside function"):
        build_project(root)
    assert sorted((root / "dist").iterdir()) == held


def test_the_conda_settings_of_the_project_hold(project: Project) -> None:
    root = project("flat_layout")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.twofold.conda]\nname = "other-name"\nbuild-number = 3\n')
    made = build_project(root, BuildRequest(("conda",)))
    assert Path(made.artifacts[0].path).name == "other-name-0.1-py_3.conda"


def test_wrong_conda_settings_are_reported(project: Project) -> None:
    root = project("flat_layout")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.twofold.conda]\nnmae = "x"\n')
    with pytest.raises(ProjectErrors, match="nmae"):
        build_project(root)
    assert not (root / "dist").exists()


def test_markers_that_noarch_cannot_say_make_several_packages(project: Project) -> None:
    root = project("flat_layout")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("dependencies = [\"colorama; sys_platform == 'win32'\"]\n")
    made = build_project(root, BuildRequest(("wheel", "conda")))
    assert len([built for built in made.artifacts if built.kind == "conda"]) > 1
    names = [built.path for built in made.artifacts]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["--sdist"], ["sdist"]),
        (["--wheel", "--sdist"], ["sdist", "wheel"]),
        (["--conda", "--only", "tar.bz2"], ["conda", "tar.bz2"]),
    ],
)
def test_kinds_have_options_of_their_own(
    words: list[str], kinds: list[str], project: Project, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", project("flat_layout"), *words, "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert isinstance(report, dict)
    assert [one["kind"] for one in report["artifacts"]] == kinds


@pytest.mark.skipif(os.name == "nt", reason="no such terminals on Windows")
def test_progress_is_shown_on_a_terminal_for_work_over_a_second() -> None:
    ours, theirs = os.openpty()
    script = (
        "import time; now = [0.0]; time.monotonic = lambda: now[0];"  # no clock but our own
        "from twofold.cli.build import _progress; tell = _progress();"
        "tell(1_000_000, 9_000_000); now[0] += 1.1; tell(2_000_000, 9_000_000);"
        "tell(3_000_000, 9_000_000); now[0] += 0.2; tell(4_000_000, 9_000_000);"
        "tell(9_000_000, 9_000_000)"
    )
    subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True)
    os.close(theirs)
    output = os.read(ours, 1000).decode()
    os.close(ours)
    assert output == "".join(
        f"\r\x1b[K{text}" for text in ("2.0 MB of 9.0 MB", "4.0 MB of 9.0 MB", "")
    )


def test_elsewhere_there_are_plain_lines(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", project("flat_layout"))
    assert "\x1b" not in ran.out + ran.err
    assert "\r" not in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("option", ["-o", "--outdir", "--out-dir"])
def test_outdir_is_refused_with_a_hint_at_out(
    option: str, project: Project, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", project("flat_layout"), option, "elsewhere")
    assert ran.code == 2
    assert "hint: pass --out elsewhere" in ran.err


@pytest.mark.parametrize("words", [("--only", "egg"), ("--only", ",")])
def test_a_kind_that_is_not_there_is_wrong_usage(
    words: tuple[str, ...], project: Project, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", project("flat_layout"), *words)
    assert ran.code == 2
    assert "hint:" in ran.err


def test_what_conda_cannot_say_stops_the_build_and_the_hint_names_the_way_around(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    assert twofold("new", "my_package", "--dep", "nobody-has-this[fast]").code == 0
    alone = {"PIP_NO_INDEX": "1"}
    refused = twofold("build", cwd=tmp_path / "my_package", env=alone)
    assert refused.code == 1
    assert "nobody-has-this[fast]" in refused.err
    assert "--only sdist,wheel" in refused.err
    assert twofold("build", "--only", "sdist,wheel", cwd=tmp_path / "my_package").code == 0


@pytest.mark.parametrize("name", ["0.1", "0.1.0", "1", "0.1.0.0", "0.2", "0.0.9", "00.1", "2.0.0"])
@pytest.mark.parametrize("mark", [">=", "<", ">= ", " <"])
def test_plain_bounds_on_the_backend_mean_what_packaging_says(mark: str, name: str) -> None:
    for clauses in (f"{mark}{name}", f">=0,{mark}{name}", f"{mark}{name}, <9"):
        expected = SpecifierSet(clauses).contains("0.1.0")
        assert admits_version(clauses, "0.1.0") == expected, clauses


@pytest.mark.parametrize("clauses", ["", ">=1.0a1", "~=1.0", ">=1; python_version>'3'", "[x]>=1"])
def test_what_is_not_plain_is_left_to_packaging(clauses: str) -> None:
    assert admits_version(clauses, "0.1.0") is None


def test_a_new_projects_build_imports_nothing_heavy(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    assert twofold("new", "my_package").code == 0
    assert twofold("build", "my_package").code == 0
    script = (
        f"import os, sys; sys.path = {sys.path!r};"
        "from twofold.cli.build import quick, run; run(quick(['my_package']));"
        "heavy = {'packaging', 'dataclasses', 'ast', 'argparse', 'tomllib', 'zipfile', 'tarfile',"
        "         're', 'typing', 'functools', 'json', 'pathlib', 'platform', '_hashlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    words = [sys.executable, "-S", "-c", script]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_channels_are_for_recipes_only(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    assert twofold("new", "my_package").code == 0
    refused = twofold("build", "--channel", "conda-forge", cwd=tmp_path / "my_package")
    assert refused.code == 2
    assert "--channel is for recipes" in refused.err


def test_an_empty_pyproject_is_reported_and_not_built_by_setuptools(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    ran = twofold("build", tmp_path)
    assert ran.code == 1
    assert "there is no [project] table" in ran.err
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_the_end_of_a_build_compares_the_sdist_with_what_git_tracks(
    ignored: bool, project: Project
) -> None:
    root = project("flat_layout")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "checks").mkdir()
    (root / "checks" / "it.py").write_text("")
    if ignored:
        with (root / "pyproject.toml").open("a") as file:
            file.write('[tool.twofold.check]\nignore = ["TF213"]\n')
    subprocess.run(["git", "-C", root, "add", "-A"], check=True)
    (root / "flat_sample" / "new.py").write_text("")
    reports: list[str] = []
    build_project(root, BuildRequest(["sdist"], report=reports.append))
    compared = [text for text in reports if "TF213" in text]
    assert bool(compared) is not ignored
    if compared:
        missing, extra = compared
        assert "the sdist lacks" in missing and "checks/ (1)" in missing
        assert "git does not track: flat_sample/new.py" in extra
    reports.clear()
    build_project(root, BuildRequest(["wheel"], report=reports.append))
    assert not any("TF213" in text for text in reports)


_ON_A_URL = '\ndependencies = ["six", "own @ https://example.org/own-1.0-py3-none-any.whl"]\n'


def test_a_requirement_of_a_url_leaves_out_the_conda_package_unless_it_is_named(
    project: Project, twofold: Callable[..., CommandResult]
) -> None:
    root = project("flat_layout")
    text = (root / "pyproject.toml").read_text("utf-8")
    wanted = text.replace("[project]", f"[project]{_ON_A_URL}", 1)
    (root / "pyproject.toml").write_text(wanted, encoding="utf-8")
    ran = twofold("build", root)
    assert (ran.code, ran.err.count("warning: no conda package: 'own @ https://")) == (0, 1)
    built = json.loads((root / "dist/.twofold-build.json").read_text("utf-8"))["artifacts"]
    assert [one["kind"] for one in built] == ["sdist", "wheel"]
    assert not (root / "conda-bld").exists()
    assert "flat_sample-0.1.tar.gz" in twofold("build", root, "--list").out
    for named in (("--conda",), ("--only", "wheel,conda"), ("--only", "conda", "--list")):
        ran = twofold("build", root, *named, "--out", root / "other")
        assert (ran.code, "--only sdist,wheel builds without conda" in ran.err) == (1, True)
        assert not list((root / "other").rglob("*.whl"))
    assert twofold("build", root / "dist/flat_sample-0.1.tar.gz").code == 0
