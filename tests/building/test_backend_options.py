"""What steers another backend: settings, isolation, interpreter, constraints; sdists as input."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.sample_projects import copy_sample
from twofold.building import BackendOptions, BuildRequest, build_project
from twofold.building.uv_backend import start_uv_build
from twofold.errors import TwofoldError
from twofold.formats.light.scratch_folder import ScratchFolder

#: A backend in the project's own tree, which packs the settings and the interpreter it was given.
RECORDING_BACKEND = """
import base64, hashlib, io, json, sys, tarfile, zipfile

def get_requires_for_build_wheel(config_settings=None):
    return (config_settings or {}).get("requires", "").split()

def build_sdist(folder, config_settings=None):
    with tarfile.open(f"{folder}/recorded-1.0.tar.gz", "w:gz") as archive:
        for name in ("pyproject.toml", "recording.py"):
            archive.add(name, f"recorded-1.0/{name}")
        data = b"Metadata-Version: 2.2\\nName: recorded\\nVersion: 1.0\\n"
        member = tarfile.TarInfo("recorded-1.0/PKG-INFO")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return "recorded-1.0.tar.gz"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    given = {"settings": config_settings, "python": sys.version_info[:2], "prefix": sys.prefix}
    info = "recorded-1.0.dist-info"
    files = {
        "recorded.py": f"given = {json.dumps(given)!r}\\n",
        f"{info}/METADATA": "Metadata-Version: 2.2\\nName: recorded\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = f"{info}/RECORD,,\\n"
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{name},sha256={digest.rstrip('=')},{len(text)}\\n"
    with zipfile.ZipFile(f"{folder}/recorded-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in [*files.items(), (f"{info}/RECORD", record)]:
            wheel.writestr(name, text)
    return "recorded-1.0-py3-none-any.whl"
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A project whose wheel holds what its backend was given."""
    root = tmp_path / "recorded"
    root.mkdir()
    (root / "recording.py").write_text(RECORDING_BACKEND, encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "recording"\nbackend-path = ["."]\n'
        '[project]\nname = "recorded"\nversion = "1.0"\n',
        encoding="utf-8",
    )
    return root


def read_given(root: Path) -> dict[str, object]:
    """What the backend of `recorded` was given."""
    (wheel,) = (root / "dist").glob("*.whl")
    names: dict[str, str] = {}
    exec(zipfile.ZipFile(wheel).read("recorded.py"), names)
    given = json.loads(names["given"])
    assert isinstance(given, dict)
    return given


def test_config_settings_reach_the_backend(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    settings = ["-C", "one=1=1", "--config-setting=bare", "-Cmany=a", "-C", "many=b", "-Cmany=c"]
    ran = twofold("build", recorded, "--wheel", *settings)
    assert ran.code == 0, ran.err
    expected = {"one": "1=1", "bare": "", "many": ["a", "b", "c"]}
    assert read_given(recorded)["settings"] == expected


def test_a_config_setting_without_a_key_is_wrong_usage(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", recorded, "-C", "=value")
    assert ran.code == 2
    assert "has no key" in ran.err


def test_config_settings_of_our_own_backend_are_named_as_without_effect(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = copy_sample("flat_layout", tmp_path / "flat")
    ran = twofold("build", root, "-C", "opt=1", "--no-isolation", "--python", "3.11")
    assert ran.code == 0, ran.err
    assert "opt has no effect" in ran.err and "--python has no effect" in ran.err


def test_without_isolation_the_backend_runs_where_it_is_installed(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    assert twofold("build", recorded, "--wheel", "--no-isolation").code == 0
    assert read_given(recorded)["prefix"] == sys.prefix
    assert twofold("build", recorded, "--wheel").code == 0
    assert read_given(recorded)["prefix"] != sys.prefix


@pytest.mark.parametrize(
    ("requires", "message"),
    [
        ("no-such-project-at-all", "lacks no-such-project-at-all"),
        ("packaging>=9999", "lacks packaging>=9999 (there is "),
        ("Packaging>=1 absent;python_version<'3'", ""),
        ("half-installed", "lacks absent-part>=2, which half-installed requires"),
        ("half-installed[more]", "; packaging<1 (there is "),
        ("no?requirement", "'no?requirement' is no requirement"),
    ],
)
def test_without_isolation_what_is_missing_is_named(
    requires: str,
    message: str,
    recorded: Path,
    tmp_path: Path,
    twofold: Callable[..., CommandResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = tmp_path / "half_installed-1.dist-info"
    info.mkdir()
    lines = ("absent-part>=2", "packaging<1; extra == 'more'", "not a requirement of today")
    text = "".join(f"Requires-Dist: {line}\n" for line in lines)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: half-installed\nVersion: 1\n{text}"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    command = ("build", recorded, "-w", "-n", "-C", f"requires={requires}")
    ran = twofold(*command)
    assert ran.code == (1 if message else 0), ran.err
    assert message in ran.err
    assert ("hint:" in ran.err) is bool(message)
    if requires == "half-installed":
        assert twofold(*command, "-x").code == 0


def test_the_check_of_what_is_installed_is_skipped_without_isolation_alone(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", recorded, "--skip-dependency-check")
    assert ran.code == 2
    assert "hint: add --no-isolation" in ran.err


@pytest.mark.parametrize("has_uv", [True, False])
def test_a_python_may_be_named_by_its_path(
    has_uv: bool, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_uv:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    options = BackendOptions(python=sys.executable)
    build_project(recorded, BuildRequest(("wheel",), backend=options))
    assert read_given(recorded)["python"] == list(sys.version_info[:2])


@pytest.mark.parametrize("has_uv", [True, False])
@pytest.mark.parametrize("is_isolated", [True, False])
def test_a_python_that_is_not_there_is_reported(
    has_uv: bool, is_isolated: bool, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_uv:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    options = BackendOptions(python="/nowhere/python9", is_isolated=is_isolated)
    with pytest.raises(TwofoldError) as caught:
        build_project(recorded, BuildRequest(("wheel",), backend=options))
    assert "--python" in caught.value.problems[0].hint


@pytest.mark.parametrize("has_uv", [True, False])
def test_build_constraints_limit_what_is_installed(
    has_uv: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_uv:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    constraints = tmp_path / "build constraints.txt"
    constraints.write_text("flit-core==3.9.0\n", encoding="utf-8")
    root = tmp_path / "project"
    root.mkdir()
    (root / "other_sample.py").write_text('"""A sample."""\n', encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core>=3.4"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "other-sample"\nversion = "2.0"\ndescription = "A sample"\n',
        encoding="utf-8",
    )
    options = BackendOptions(constraints=[constraints])
    made = build_project(root, BuildRequest(("wheel",), backend=options))
    (wheel,) = (Path(built.path) for built in made.artifacts)
    name = "other_sample-2.0.dist-info/WHEEL"
    assert b"Generator: flit 3.9.0" in zipfile.ZipFile(wheel).read(name)


def test_constraints_that_are_not_there_are_reported(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("build", recorded, "--build-constraint", "absent.txt")
    assert ran.code == 1
    assert "there is no constraints file absent.txt" in ran.err


def test_an_sdist_of_another_backend_is_built(
    recorded: Path, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    assert twofold("build", recorded, "--sdist").code == 0
    sdist = recorded / "dist" / "recorded-1.0.tar.gz"
    ran = twofold("build", sdist, "-C", "a=b", "--json")
    assert ran.code == 0, ran.err
    assert isinstance(ran.json, dict)
    assert [one["kind"] for one in ran.json["artifacts"]] == ["wheel", "conda"]
    assert read_given(recorded)["settings"] == {"a": "b"}
    alone = tmp_path / "downloads" / sdist.name
    alone.parent.mkdir()
    shutil.copy(sdist, alone)
    assert twofold("build", alone, "--wheel").code == 0
    assert (alone.parent / "dist" / "recorded-1.0-py3-none-any.whl").is_file()


def test_the_wheel_of_our_own_sdist_is_the_wheel_of_the_project(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = copy_sample("data_files", tmp_path / "project")
    assert twofold("build", root).code == 0
    (sdist,), (wheel,) = (list((root / "dist").glob(ending)) for ending in ("*.tar.gz", "*.whl"))
    ran = twofold("build", sdist, "--out", tmp_path / "again")
    assert ran.code == 0, ran.err
    assert (tmp_path / "again" / "dist" / wheel.name).read_bytes() == wheel.read_bytes()
    assert not list((tmp_path / "again" / "dist").glob("*.tar.gz"))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a-1.0.tar.gz", b"no archive", "cannot be unpacked"),
        ("a-1.0.tar.gz", gzip.compress(b"cut off" * 999, mtime=0)[:30], "cannot be unpacked"),
        ("a-1.0-py3-none-any.whl", b"", "built already"),
        ("a-1.0.zip", b"", "neither a project's folder nor an sdist"),
    ],
)
def test_a_file_that_is_no_sdist_is_reported(
    name: str, data: bytes, message: str, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    (tmp_path / name).write_bytes(data)
    ran = twofold("build", tmp_path / name)
    assert ran.code == 1
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert twofold("build", tmp_path / name, "--list").code == 1


@pytest.mark.parametrize("member", ["../outside.txt", "a-1.0/setup.cfg"])
def test_an_archive_that_holds_no_project_or_leads_out_is_reported(
    member: str, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    path = tmp_path / "a-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(member), io.BytesIO())
    ran = twofold("build", path)
    assert ran.code == 1
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err


def test_an_sdist_of_an_sdist_is_refused(
    recorded: Path, twofold: Callable[..., CommandResult]
) -> None:
    assert twofold("build", recorded, "--sdist").code == 0
    ran = twofold("build", recorded / "dist" / "recorded-1.0.tar.gz", "--sdist")
    assert ran.code == 1
    assert "is an sdist already" in ran.err


@pytest.mark.parametrize("is_sdist", [False, True])
def test_a_project_with_another_backend_is_listed_after_its_build(
    is_sdist: bool,
    recorded: Path,
    twofold: Callable[..., CommandResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    source = recorded
    if is_sdist:
        assert twofold("build", recorded, "--sdist").code == 0
        source = recorded / "dist" / "recorded-1.0.tar.gz"
    before = sorted(recorded.rglob("*"))
    ran = twofold("build", source, "--list", "--json", "--only", "sdist,wheel,conda,tar.bz2")
    assert ran.code == 0, ran.err
    assert sorted(recorded.rglob("*")) == before
    assert isinstance(ran.json, dict)
    listed = {
        name: {one["path"]: one["why"] for one in entries}
        for name, entries in ran.json["artifacts"].items()
    }
    sdist = listed.pop("recorded-1.0.tar.gz", None)
    assert (sdist is None) is is_sdist
    if sdist:
        assert sdist["recording.py"] == "in the project"
        assert sdist["PKG-INFO"] == "generated by recording"
    wheel = listed.pop("recorded-1.0-py3-none-any.whl")
    assert wheel["recorded-1.0.dist-info/METADATA"] == "generated by recording"
    assert sorted(listed) == ["noarch/recorded-1.0-py_0.conda", "noarch/recorded-1.0-py_0.tar.bz2"]
    for package in listed.values():
        assert package["site-packages/recorded.py"] == "from the wheel"
        assert package["info/index.json"] == "generated"


def test_a_scratch_folder_is_private_and_goes_with_all_that_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chosen in (tmp_path, tmp_path / "missing"):
        monkeypatch.setenv("TMPDIR", str(chosen))
        (tmp_path / "kept").mkdir(exist_ok=True)
        with ScratchFolder("twofold-test-") as made:
            folder = Path(made)
            assert os.name != "posix" or folder.stat().st_mode & 0o777 == 0o700
            (folder / "a" / "b").mkdir(parents=True)
            (folder / "a" / "b" / "c.txt").touch(mode=0o400)
            (folder / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
            (folder / "a").chmod(0o500)
        assert not folder.exists() and (tmp_path / "kept").is_dir()


@pytest.mark.parametrize(
    "steering",
    [
        BackendOptions({"key": "value"}),
        BackendOptions(is_isolated=False),
        BackendOptions(python="3.12"),
        BackendOptions(constraints=["constraints.txt"]),
        BackendOptions(further_requires=["hatch-vcs"]),
    ],
)
def test_uv_runs_no_hooks_that_an_option_steers(steering: BackendOptions, tmp_path: Path) -> None:
    assert shutil.which("uv"), "without uv there is nothing to refuse"
    request = BuildRequest(("wheel",), backend=steering)
    system = (["hatchling"], "hatchling.build")
    assert start_uv_build(system, str(tmp_path), str(tmp_path), request, from_sdist=False) is None


def test_uv_builds_without_hooks_unless_they_are_wanted(tmp_path: Path) -> None:
    request = BuildRequest(("wheel",))
    request.backend.is_by_hooks = True
    system = (["hatchling"], "hatchling.build")
    assert start_uv_build(system, str(tmp_path), str(tmp_path), request, from_sdist=False) is None
