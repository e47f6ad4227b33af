"""What the leading backends build in silence, and what PyPI refuses: each is caught here.

Every row was tried with six backends (setuptools, hatchling, flit, poetry, pdm, uv_build) in
November 2026. A row about a project is judged by `twofold check` and stops `twofold build`; one
about a file is judged by `twofold check FILE`.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.conftest import write
from tests.check.samples import Sample, code
from tests.conftest import CommandResult
from tests.factories.artifacts import make_member, write_sdist, write_wheel
from tests.factories.checked_files import (
    GOOD,
    KEY,
    lie,
    unlisted,
    wheel,
    with_fields,
)
from twofold.check import check_file, check_files

_DEPENDENCIES = "dependencies = []"

#: What is wrong -> (the project, the code, the place that is reported).
PROJECTS: dict[str, tuple[Sample, str, str]] = {
    "a module with a syntax error": (
        (code("x = 1\ndef f(:\n"), {}),
        "TF101",
        "src/pkg/__init__.py:2",
    ),
    "a script in a module that is not there": (
        ({}, {_DEPENDENCIES: '[project.scripts]\nrun = "pkg.cli:main"'}),
        "TF102",
        "pyproject.toml:14",
    ),
    "__version__ unlike the project's version": (
        (code('__version__ = "2.0.0"'), {}),
        "TF103",
        "src/pkg/__init__.py:1",
    ),
    "a key in the package": (({"src/pkg/key.secret": KEY}, {}), "TF201", "src/pkg/key.secret:1"),
    "the package's folder renamed": (
        ({"src/pkg/__init__.py": None, "src/renamed/__init__.py": ""}, {}),
        "TF010",
        "pyproject.toml:6",
    ),
    "a misspelt key": (
        ({}, {_DEPENDENCIES: 'dependancies = ["numpy"]'}),
        "TF002",
        "pyproject.toml:13",
    ),
    "a dependency's version written with >>": (
        ({}, {_DEPENDENCIES: 'dependencies = [\n  "attrs",\n  "numpy>>1.24",\n]'}),
        "TF005",
        "pyproject.toml:15",
    ),
    "requires-python that is a bare number": (
        ({}, {'">=3.9"': '"3.9"'}),
        "TF006",
        "pyproject.toml:12",
    ),
    "a classifier nobody knows": (
        ({}, {_DEPENDENCIES: 'classifiers = ["Programming Language :: Pyton"]'}),
        "TF020",
        "pyproject.toml:13",
    ),
    "a classifier that is deprecated": (
        ({}, {_DEPENDENCIES: 'classifiers = ["Natural Language :: Ukranian"]'}),
        "TF021",
        "pyproject.toml:13",
    ),
    "a licence that SPDX does not know": (({}, {'"MIT"': '"MITT"'}), "TF007", "pyproject.toml:10"),
    "a licence file that is not there": (({"LICENSE": None}, {}), "TF007", "pyproject.toml:11"),
    "a dependency on an address": (
        ({}, {_DEPENDENCIES: 'dependencies = ["numpy @ https://example.org/numpy.whl"]'}),
        "TF022",
        "pyproject.toml:13",
    ),
    "a local version": (({}, {'"1.0.0"': '"1.0.0+lab"'}), "TF023", "pyproject.toml:7"),
    "a readme of no type that PyPI shows": (
        (
            {"README.html": "<p>"},
            {'"README.md"': '{file = "README.html", content-type = "text/html"}'},
        ),
        "TF009",
        "pyproject.toml:9",
    ),
    "a readme that PyPI cannot render": (
        ({"README.rst": "T\n=\n\n.. nosuch:: x\n\n`a\n"}, {'"README.md"': '"README.rst"'}),
        "TF029",
        "pyproject.toml:9",
    ),
}


@pytest.mark.parametrize("row", PROJECTS)
def test_what_breaks_users_is_reported_with_its_place_and_stops_the_build(
    row: str, project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    (files, toml), wanted, place = PROJECTS[row]
    root = project(files, toml)
    outcome = twofold("check", root, "--json")
    found = [finding for finding in outcome.json["findings"] if finding["code"] == wanted]
    assert outcome.code == 1
    assert found[0]["severity"] == "error"
    assert found[0]["where"].startswith(place)
    assert found[0]["hint"]
    built = twofold("build", root)
    assert place in built.err
    assert "Traceback" not in built.err
    if wanted in (
        "TF022",
        "TF023",
    ):  # right for a registry of one's own: the build warns, PyPI refuses
        assert (built.code, "warning: " in built.err) == (0, True)
        return
    assert built.code == 1
    assert not (root / "dist").exists() or not list((root / "dist").glob("*.*"))


def test_a_key_that_git_ignores_is_never_packed_and_what_is_generated_can_be_named(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project(
        {
            "src/pkg/__init__.py": "from ._made import x\n",
            "src/pkg/_made.py": "x = 1\n",
            "src/pkg/key.secret": KEY,
            ".gitignore": "*.secret\n_made.py\n",
        }
    )
    (root / ".git").mkdir()
    lost = twofold("build", root)
    assert lost.code == 1
    assert "left out of the package" in lost.err
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text() + '[tool.twofold]\ninclude = ["src/pkg/_made.py"]\n')
    built = twofold("build", root)
    assert built.code == 0, built.err
    names = zipfile.ZipFile(next((root / "dist").glob("*.whl"))).namelist()
    with tarfile.open(next((root / "dist").glob("*.gz"))) as sdist:
        names += sdist.getnames()
    assert not [name for name in names if "secret" in name]
    assert "pkg/_made.py" in names


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own on Windows")
def test_a_link_out_of_the_project_stops_the_build_with_its_path(
    project: Callable[..., Path], twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    write(tmp_path, {"private.txt": "nobody's business"})
    root = project()
    (root / "src/pkg/data.txt").symlink_to(tmp_path / "private.txt")
    outcome = twofold("check", root, "--json")
    assert [finding["code"] for finding in outcome.json["findings"]] == ["TF010"]
    built = twofold("build", root)
    assert built.code == 1
    assert "src/pkg/data.txt" in built.err


def test_another_folder_time_and_umask_give_the_same_bytes_with_the_lowest_metadata_version(
    project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    made = []
    for name, umask, seconds in (
        ("one", 0o022, 1_700_000_000),
        ("the-other", 0o077, 1_600_000_000),
    ):
        before = os.umask(umask)
        try:
            root = project(code("x = 1\n"), name=name)
            for path in root.rglob("*"):
                os.utime(path, (seconds, seconds))
            assert twofold("build", root).code == 0
        finally:
            os.umask(before)
        made.append({path.name: path.read_bytes() for path in root.rglob("pkg-1.0.0*.*")})
    assert len(made[0]) == 3
    assert made[0] == made[1]
    wheel_file = next(path for path in (root / "dist").glob("*.whl"))
    metadata = zipfile.ZipFile(wheel_file).read("pkg-1.0.0.dist-info/METADATA")
    assert metadata.startswith(b"Metadata-Version: 2.4\n")  # PEP 639's licence fields ask for it


def two_sdists(folder: Path) -> list[Path]:
    names = ("my_package-1.0.0", "my-package-1.0.0")
    return [
        write_sdist(folder, make_member(f"{n}/m.py"), metadata=GOOD, filename=f"{n}.tar.gz")
        for n in names
    ]


#: What is wrong -> (the file, the code).
FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a metadata version that PyPI does not know yet": (wheel(Metadata_Version="2.6"), "TF406"),
    "a bad classifier": (wheel(Classifier="Programming Language :: Pyton"), "TF020"),
    "a deprecated classifier": (wheel(Classifier="Natural Language :: Ukranian"), "TF021"),
    "a description of no type that PyPI shows": (
        wheel(Description_Content_Type="text/html"),
        "TF406",
    ),
    "a version in the file's name unlike the metadata's": (
        lambda folder: write_wheel(folder, None, with_fields(Version="1.0.1")),
        "TF405",
    ),
    "a dependency on an address": (wheel(Requires_Dist="x @ https://example.org/x.whl"), "TF022"),
    "a local version": (
        lambda folder: write_wheel(
            folder, None, with_fields(Version="1.0+x"), "my_package-1.0+x-py3-none-any.whl"
        ),
        "TF023",
    ),
    "a licence file that is named and not there": (wheel(License_File="LICENSE"), "TF406"),
    "a licence that SPDX does not know": (wheel(License_Expression="MITT"), "TF406"),
    "a file that RECORD does not list": (unlisted, "TF404"),
    "a compression that installers need not know": (lie("another method"), "TF403"),
    "an archive that unpacks to far more than it is": (lie("bomb"), "TF403"),
}


@pytest.mark.parametrize("row", FILES)
def test_what_pypi_refuses_of_a_file_is_found_before_upload(row: str, tmp_path: Path) -> None:
    make, wanted = FILES[row]
    found = [finding for finding in check_file(make(tmp_path)) if finding.code == wanted]
    assert found[0].is_error
    assert found[0].hint or wanted in ("TF403", "TF405", "TF406")


def test_names_that_are_not_normal_and_platforms_that_promise_nothing_are_warned_of(
    tmp_path: Path,
) -> None:
    name = "My_Package-1.0.0-cp311-cp311-linux_x86_64.whl"
    found = {(f.code, f.severity) for f in check_file(write_wheel(tmp_path, None, GOOD, name))}
    assert {("TF407", "warning"), ("TF410", "warning")} <= found


def test_a_second_sdist_of_a_release_is_reported(tmp_path: Path) -> None:
    found = [finding for finding in check_files(two_sdists(tmp_path)) if finding.is_error]
    assert [(f.code, f.where) for f in found] == [("TF411", "my-package-1.0.0.tar.gz")]
