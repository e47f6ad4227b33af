"""What the sample projects become, and what judges that nobody here wrote say of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.clients.checkers import CheckerFindings, run_all_checkers
from tests.factories.archives import extract_all
from tests.factories.sample_projects import EVERY, SAMPLES, BuiltFiles
from tests.factories.sample_projects import call_hook as call
from twofold_build.errors import TwofoldError
from twofold_build.plan import LATEST, make_plan
from twofold_build.pyproject import read_project

Built = Callable[[str], BuiltFiles]


def test_the_wheel_of_the_unpacked_sdist_is_the_wheel_of_the_tree(
    each_sample: str, built: Built, tmp_path: Path
) -> None:
    files = built(each_sample)
    with tarfile.open(files.sdist) as archive:
        extract_all(archive, tmp_path)
    (unpacked,) = tmp_path.iterdir()
    out = tmp_path / "out"
    again = out / call("build_wheel", unpacked, out)
    assert again.name == files.wheel.name
    assert again.read_bytes() == files.wheel.read_bytes()


def test_the_sdist_of_the_unpacked_sdist_is_the_same(
    each_sample: str, built: Built, tmp_path: Path
) -> None:
    files = built(each_sample)
    with tarfile.open(files.sdist) as archive:
        extract_all(archive, tmp_path)
    (unpacked,) = tmp_path.iterdir()
    out = tmp_path / "out"
    again = out / call("build_sdist", unpacked, out)
    assert again.read_bytes() == files.sdist.read_bytes()


def test_the_wheel_holds_nothing_that_the_sdist_does_not(each_sample: str, built: Built) -> None:
    files = built(each_sample)
    packed = set(files.sdist_files.values())
    made = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
    for path, data in files.wheel_files.items():
        assert data in packed or path.rpartition("/")[2] in made, path


def test_metadata_is_the_same_in_both(each_sample: str, built: Built) -> None:
    files = built(each_sample)
    assert files.sdist_files["PKG-INFO"] == files.metadata.encode()


#: What a judge says of a sample because of the case that it stands for.
FAULTS: dict[str, CheckerFindings] = {
    "several_modules": {"check-wheel-contents": {"W009"}},  # several entries at the top
    "single_module": {"check-wheel-contents": {"W003", "W009"}},  # its stub beside it
    "twofold": {"check-wheel-contents": {"W004"}},  # alembic's revisions begin with their number
}


@pytest.mark.parametrize("name", EVERY)
def test_independent_checkers_accept_every_sample(
    name: str, built: Built, every_project: Callable[[str], Path], tmp_path: Path
) -> None:
    root = every_project(name)
    if name in SAMPLES:
        files = built(name)
    else:
        out = tmp_path / "out"
        files = BuiltFiles(
            out / call("build_sdist", root, out), out / call("build_wheel", root, out)
        )
    assert run_all_checkers(files.wheel, files.sdist, root) == FAULTS.get(name, {})
    assert read_project(root).name


def test_archives_say_nothing_of_the_machine(each_sample: str, built: Built) -> None:
    files = built(each_sample)
    with tarfile.open(files.sdist) as archive:
        for member in archive.getmembers():
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
            assert member.mtime == 315532800
            assert member.mode in (0o644, 0o755)
            assert member.isfile()
    with zipfile.ZipFile(files.wheel) as wheel:
        for info in wheel.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.external_attr >> 16 in (0o100644, 0o100755)
    names = [info.filename for info in zipfile.ZipFile(files.wheel).infolist()]
    assert names[-1].endswith(".dist-info/RECORD")


@pytest.mark.parametrize("name", ["data_files", "gitignored", "full_metadata"])
def test_another_folder_other_times_and_another_umask_give_the_same_bytes(
    name: str, built: Built, project: Callable[[str], Path], tmp_path: Path
) -> None:
    files = built(name)
    root = project(name)
    for path in root.rglob("*"):
        os.utime(path, (1_000_000_000, 1_234_567_890))
        if path.is_file() and not path.stat().st_mode & 0o100:
            path.chmod(0o600)
    out = tmp_path / "out"
    mask = os.umask(0o077)
    try:
        sdist = out / call("build_sdist", root, out, TZ="Asia/Kathmandu", LC_ALL="C")
        wheel = out / call("build_wheel", root, out, PYTHONHASHSEED="7")
    finally:
        os.umask(mask)
    assert sdist.read_bytes() == files.sdist.read_bytes()
    assert wheel.read_bytes() == files.wheel.read_bytes()


def test_a_line_ending_of_windows_in_pyproject_changes_no_metadata(
    built: Built, project: Callable[[str], Path], tmp_path: Path
) -> None:
    root = project("flat_layout")
    text = (root / "pyproject.toml").read_bytes().replace(b"\n", b"\r\n")
    (root / "pyproject.toml").write_bytes(text)
    wheel = tmp_path / call("build_wheel", root, tmp_path)
    assert wheel.read_bytes() == built("flat_layout").wheel.read_bytes()


def test_source_date_epoch_is_honoured_but_never_before_1980(
    project: Callable[[str], Path], tmp_path: Path
) -> None:
    root = project("flat_layout")
    for epoch, year in (("1700000000", 2023), ("1", 1980)):
        out = tmp_path / epoch
        wheel = out / call("build_wheel", root, out, SOURCE_DATE_EPOCH=epoch)
        sdist = out / call("build_sdist", root, out, SOURCE_DATE_EPOCH=epoch)
        assert {i.date_time[0] for i in zipfile.ZipFile(wheel).infolist()} == {year}
        with tarfile.open(sdist) as archive:
            expected = max(int(epoch), 315532800)
            assert {member.mtime for member in archive.getmembers()} == {expected}


@pytest.mark.parametrize("epoch", ["abc", "1e9", "1700000000000", "9" * 30, "9" * 5000])
def test_a_source_date_epoch_that_is_not_a_time_is_reported(
    epoch: str, project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(TwofoldError, match="SOURCE_DATE_EPOCH") as caught:
        make_plan(project("flat_layout"))
    assert caught.value.problems[0].hint


def test_every_archive_can_hold_the_latest_time(
    project: Callable[[str], Path], tmp_path: Path
) -> None:
    root = project("flat_layout")
    made = {"SOURCE_DATE_EPOCH": str(LATEST)}
    wheel = tmp_path / call("build_wheel", root, tmp_path, **made)
    sdist = tmp_path / call("build_sdist", root, tmp_path, **made)
    times = {info.date_time for info in zipfile.ZipFile(wheel).infolist()}
    assert times == {(2107, 12, 31, 23, 59, 58)}
    with tarfile.open(sdist) as archive:
        assert {member.mtime for member in archive.getmembers()} == {LATEST}


def test_every_key_of_the_project_table_reaches_the_metadata(built: Built) -> None:
    metadata, unparsed = Metadata.from_email(built("full_metadata").metadata), {}
    assert not unparsed
    assert metadata.metadata_version == "2.4"
    assert metadata.name == "Full-Metadata.Sample"
    assert str(metadata.version) == "1.2.0rc1"
    assert metadata.summary == "Every key of PEP 621 at once"
    assert metadata.description is not None
    assert "世界" in metadata.description
    assert metadata.description_content_type == "text/x-rst; charset=UTF-8"
    assert metadata.keywords == ["sample", "metadata"]
    assert metadata.author == "Grace Hopper"
    assert metadata.author_email == "Ada Lovelace <ada@example.org>"
    assert metadata.maintainer_email == 'team@example.org, "Müller, Jörg" <jm@example.org>'
    assert metadata.license_expression == "MIT OR Apache-2.0"
    assert metadata.license_files == ["LICENSE", "licenses/apache.txt"]
    assert str(metadata.requires_python) == "!=3.12.1,>=3.11"
    assert metadata.provides_extra == ["plot-tools"]
    assert [str(requirement) for requirement in metadata.requires_dist or []] == [
        "numpy>=1.24",
        'rich[extra,jupyter]~=13.0; python_version >= "3.11"',
        'tomli; python_version < "3.11" or os_name == "nt"',
        'matplotlib; extra == "plot-tools"',
        'pillow>=9; os_name != "nt" and extra == "plot-tools"',
        'odd; (os_name == "nt" or os_name == "java") and extra == "plot-tools"',
    ]
    assert metadata.project_urls == {"Homepage": "https://example.org/sample"}
    assert built("full_metadata").wheel_files[
        "full_metadata_sample-1.2.0rc1.dist-info/entry_points.txt"
    ].decode() == (
        "[console_scripts]\nfull-sample = full_metadata_sample.cli:main\n\n"
        "[gui_scripts]\nfull-sample-gui = full_metadata_sample.cli:main\n\n"
        "[sample.plugins]\nfirst = full_metadata_sample.cli\n\n"
    )


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("flat_layout", "2.2"),
        ("single_module", "2.2"),
        ("full_metadata", "2.4"),
        ("import_name", "2.5"),
    ],
)
def test_the_metadata_version_is_the_lowest_that_fits(
    name: str, version: str, built: Built
) -> None:
    assert built(name).metadata.startswith(f"Metadata-Version: {version}\n")


def test_import_names_are_found_and_written_where_the_name_does_not_imply_them(
    built: Built,
) -> None:
    assert "Import-Name: PIL_like\n" in built("import_name").metadata
    several = built("several_modules").metadata
    for name in ("_helper", "first_part", "second_part", "shared.third_part"):
        assert f"Import-Name: {name}\n" in several
    assert "Import-Namespace: shared\n" in several
    assert "Import-Name" not in built("full_metadata").metadata


def test_files_go_where_they_belong(built: Built) -> None:
    files = built("data_files")
    wheel = set(files.wheel_files)
    assert {
        "data_files/__init__.py",
        "data_files/raw.bin",
        "data_files/words/empty.dat",
        "data_files/words/größe und maß.txt",
        "data_files-1.0.data/scripts/data-files-script",
        "data_files-1.0.data/data/share/data_files/defaults.toml",
        "data_files-1.0.data/headers/data_files.h",
        "data_files-1.0.dist-info/sboms/bom.cdx.json",
    } <= wheel
    assert "data_files/speed.pyx" not in wheel
    sdist = set(files.sdist_files)
    assert {"docs/guide.md", "docs/more/deep.md", "tests/test_data.py"} <= sdist
    assert {"src/data_files/speed.pyx", "scripts/data-files-script"} <= sdist
    assert not {"docs/picture.svg", "tests/big/input.txt"} & sdist
    info = zipfile.ZipFile(files.wheel).getinfo("data_files-1.0.data/scripts/data-files-script")
    assert info.external_attr >> 16 == 0o100755


def test_gitignore_is_obeyed_and_named_files_are_kept(built: Built) -> None:
    assert sorted(p for p in built("gitignored").wheel_files if ".dist-info" not in p) == [
        "gitignored/__init__.py",
        "gitignored/_generated.py",
        "gitignored/built/inside.py",
        "gitignored/inner/a.txt",
        "gitignored/keep.secret",
    ]


def test_only_named_modules_are_packed(built: Built) -> None:
    assert sorted(p for p in built("several_modules").wheel_files if ".dist-info" not in p) == [
        "_helper.py",
        "first_part/__init__.py",
        "second_part/__init__.py",
        "shared/third_part/__init__.py",
    ]


def test_the_other_layouts_are_packed_as_they_are_imported(built: Built) -> None:
    assert {"sample/space/__init__.py", "sample/space/deep/inner.py"} <= set(
        built("namespace").wheel_files
    )
    assert {"single_module.py", "single_module.pyi"} <= set(built("single_module").wheel_files)
    assert "flat_sample/__init__.py" in built("flat_layout").wheel_files
    assert "sample-stubs/__init__.pyi" in built("stubs_only").wheel_files


def test_a_version_in_the_code_is_read_without_running_it(built: Built) -> None:
    assert built("dynamic_version").wheel.name == "dynamic_version-4.5.0-py3-none-any.whl"
    assert "Version: 4.5.0\n" in built("dynamic_version").metadata


def test_long_paths_survive(built: Built, tmp_path: Path) -> None:
    files = built("long_paths")
    names = {path for path in files.sdist_files if path.startswith("src/")}
    assert max(map(len, names)) > 190
    if shutil.which("tar"):
        subprocess.run(["tar", "xzf", files.sdist, "-C", tmp_path], check=True)
        top = tmp_path / "long_paths-1.0"
        assert all((top / name).is_file() for name in names)


def test_an_empty_readme_keeps_its_type(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("")
    (tmp_path / "README.md").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nreadme = "README.md"\n'
    )
    assert b"\nDescription-Content-Type: text/markdown; charset=UTF-8\n" in (
        make_plan(tmp_path).metadata
    )
