"""`workspace --raise-requirements` in every form in which requirements are written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from twofold.publish.release.member_requirements import raise_in_document
from twofold.publish.release.requirement_files import raise_in_files


def raised(text: str, version: str = "2.1.0", name: str = "acme-core") -> str:
    after = raise_in_document(text, tomllib.loads(text), name, Version(version))
    tomllib.loads(after)
    return after


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("acme-core>=1.4", "acme-core>=2.1.0"),
        ("Acme_Core >= 1.4", "Acme_Core >= 2.1.0"),
        ("acme.core==1.4.0", "acme.core==2.1.0"),
        ("acme-core===1.4.0", "acme-core===2.1.0"),
        ("acme-core~=1.4", "acme-core~=2.1"),
        ("acme-core~=1.4.2", "acme-core~=2.1.0"),
        ("acme-core==1.4.*", "acme-core==2.1.*"),
        ("acme-core==1.*", "acme-core==2.*"),
        ("acme-core[fast,more]>=1.4,<2", "acme-core[fast,more]>=2.1.0,<3"),
        ("acme-core (>=1.4, <2.0)", "acme-core (>=2.1.0, <3.0)"),
        ("acme-core>=1.4,<1.5", "acme-core>=2.1.0,<2.2"),
        ("acme-core<=2.0,>=1", "acme-core<=2.1.0,>=2.1.0"),
        ("acme-core>=1.4,!=1.5,<5", "acme-core>=2.1.0,!=1.5,<5"),
        ("acme-core>=1.4; python_version < '3.12'", "acme-core>=2.1.0; python_version < '3.12'"),
        ("acme-core>1.0", "acme-core>1.0"),
        ("acme-core>=3.0", "acme-core>=3.0"),
        ("acme-core~=2.1", "acme-core~=2.1"),
        ("acme-core", "acme-core"),
        ("acme-core @ https://host/core-1.0.tar.gz", "acme-core @ https://host/core-1.0.tar.gz"),
        ("acme-core-more>=1.4", "acme-core-more>=1.4"),
        ("acme>=1.4", "acme>=1.4"),
    ],
)
def test_a_requirement_is_raised_and_admits_the_version(written: str, wanted: str) -> None:
    text = f'[project]\ndependencies = [\n  "other>=1.4",\n  "{written}",  # why\n]\n'
    assert raised(text) == text.replace(written, wanted)
    requirement = Requirement(wanted)
    if written != wanted:
        assert Version("2.1.0") in requirement.specifier


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("acme-core>=1.4,<2", "acme-core>=2.0.0rc1,<3"),
        ("acme-core~=1.4", "acme-core~=2.0.0rc1"),
        ("acme-core==1.4", "acme-core==2.0.0rc1"),
    ],
)
def test_a_pre_release_is_admitted(written: str, wanted: str) -> None:
    text = f'[project]\ndependencies = ["{written}"]\n'
    assert raised(text, "2.0.0rc1") == text.replace(written, wanted)
    assert Requirement(wanted).specifier.contains("2.0.0rc1", prereleases=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[project.optional-dependencies]\nfast = ["numpy", "acme-core[fast]~=1.4"]\n',
            '[project.optional-dependencies]\nfast = ["numpy", "acme-core[fast]~=2.1"]\n',
        ),
        (
            '[dependency-groups]\ndev = ["acme_core>=1.4", {include-group = "test"}]\n',
            '[dependency-groups]\ndev = ["acme_core>=2.1.0", {include-group = "test"}]\n',
        ),
        (
            '[build-system]\nrequires = ["acme-core==1.4"]\n',
            '[build-system]\nrequires = ["acme-core==2.1.0"]\n',
        ),
        (
            "[project]\ndependencies = ['acme-core>=1; sys_platform == \"linux\"']\n",
            "[project]\ndependencies = ['acme-core>=2.1.0; sys_platform == \"linux\"']\n",
        ),
        (
            '[project]\ndependencies = ["acme-core>=1; sys_platform == \\"linux\\""]\n',
            '[project]\ndependencies = ["acme-core>=2.1.0; sys_platform == \\"linux\\""]\n',
        ),
        (
            '[tool.poetry.dependencies]\npython = "^3.11"\nacme_core = "^1.4"\n',
            '[tool.poetry.dependencies]\npython = "^3.11"\nacme_core = "^2.1.0"\n',
        ),
        (
            '[tool.poetry.dependencies]\nacme-core = {version = "~1.4", extras = ["fast"]}\n',
            '[tool.poetry.dependencies]\nacme-core = {version = "~2.1.0", extras = ["fast"]}\n',
        ),
        (
            '[tool.poetry.group.dev.dependencies]\nacme-core = "1.4.0"\nother = "1.4.0"\n',
            '[tool.poetry.group.dev.dependencies]\nacme-core = "2.1.0"\nother = "1.4.0"\n',
        ),
        (
            '[tool.poetry.dependencies.acme-core]\nversion = "^1.4"\noptional = true\n',
            '[tool.poetry.dependencies.acme-core]\nversion = "^2.1.0"\noptional = true\n',
        ),
        (
            '[tool.pixi.dependencies]\nacme-core = ">=1.4,<2"\n',
            '[tool.pixi.dependencies]\nacme-core = ">=2.1.0,<3"\n',
        ),
        (
            '[tool.pixi.feature.gpu.pypi-dependencies]\nacme-core = { version = "==1.4" }\n',
            '[tool.pixi.feature.gpu.pypi-dependencies]\nacme-core = { version = "==2.1.0" }\n',
        ),
        (
            '[tool.pixi.package.run-dependencies]\n"acme-core" = "1.4.*"\n',
            '[tool.pixi.package.run-dependencies]\n"acme-core" = "2.1.*"\n',
        ),
        (
            '[tool.hatch.envs.test]\ndependencies = ["acme-core>=1.4", "pytest"]\n',
            '[tool.hatch.envs.test]\ndependencies = ["acme-core>=2.1.0", "pytest"]\n',
        ),
    ],
)
def test_requirements_are_raised_wherever_they_are_written(before: str, after: str) -> None:
    assert raised(before) == after


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\nacme-core = "*"\n',
        '[tool.poetry.dependencies]\nacme-core = "^1.4 || ^3.0"\n',
        '[tool.poetry.dependencies]\nacme-core = {path = "../core", develop = true}\n',
        "[tool.uv.sources]\nacme-core = {workspace = true}\n",
        '[tool.other]\nacme-core = "1.4"\n',
        '[project]\nname = "x"\ndescription = "acme-core>=1.4"\n',
    ],
)
def test_what_is_no_requirement_of_a_version_stays(text: str) -> None:
    assert raised(text) == text


#: A file of requirements of another format, and what it becomes.
OTHER_FILES = {
    "setup.cfg": (
        "[metadata]\ndescription = acme-core>=1.4\n[options]\ninstall_requires =\n"
        "    acme.core >=1.4\n    # acme-core>=1\nsetup_requires: acme_core~=1.4; other>=1\n"
        "[options.extras_require]\na = acme-core[b]==1.4 ; os_name > '3'\nb=\n  acme-core<2\n",
        "[metadata]\ndescription = acme-core>=1.4\n[options]\ninstall_requires =\n"
        "    acme.core >=2.1.0\n    # acme-core>=1\nsetup_requires: acme_core~=2.1; other>=1\n"
        "[options.extras_require]\na = acme-core[b]==2.1.0 ; os_name > '3'\nb=\n  acme-core<3\n",
    ),
    "setup.py": (
        "NEEDS = ['acme-core>=1.4', 'x']\nsetup(name='acme-core', extras_require={'t': "
        "\"acme_core==1.4; os_name>'3'\"}, setup_requires='''\nacme-core~=1.4\n''')\n",
        "NEEDS = ['acme-core>=2.1.0', 'x']\nsetup(name='acme-core', extras_require={'t': "
        "\"acme_core==2.1.0; os_name>'3'\"}, setup_requires='''\nacme-core~=2.1\n''')\n",
    ),
    "meta.yaml": (
        "requirements:\n  run:\n    - acme-core >=1.4  # [linux]\n    - x::acme-core 1.4.*\n"
        "    - acme-core-x >=1.4\n    - acme-core {{ version }}\n    - 'acme-core >=1,<2'\n",
        "requirements:\n  run:\n    - acme-core >=2.1.0  # [linux]\n    - x::acme-core 2.1.*\n"
        "    - acme-core-x >=1.4\n    - acme-core {{ version }}\n    - 'acme-core >=2.1.0,<3'\n",
    ),
    "environment.yml": (
        "dependencies:\n  - acme-core=1.4\n  - acme-core=1.4=py_0\n  - acme-core 1.4 0\n",
        "dependencies:\n  - acme-core=2.1\n  - acme-core=1.4=py_0\n  - acme-core 1.4 0\n",
    ),
    "pixi.toml": (
        '[dependencies]\nacme-core = ">=1.4"\n',
        '[dependencies]\nacme-core = ">=2.1.0"\n',
    ),
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_requirements_of_other_files_are_raised(name: str, tmp_path: Path) -> None:
    before, after = OTHER_FILES[name]
    (tmp_path / name).write_text(before)
    assert list(raise_in_files(tmp_path, "Acme_Core", "2.1.0")) == [(tmp_path / name, after)]


def test_requirements_files_of_a_build_are_raised(tmp_path: Path) -> None:
    for name in ("pins.txt", "more.in", "other.txt"):
        (tmp_path / name).write_bytes(b"-r base.txt\r\nacme-core == 1.4 # why\r\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.setuptools.dynamic]\ndependencies = {file = ['pins.txt', '../outside.txt']}\n"
    )
    (tmp_path / "setup.py").write_text("read('more.in')\n")
    (tmp_path.parent / "outside.txt").write_text("acme-core==1.4\n")
    raised_files = dict(raise_in_files(tmp_path, "acme-core", "2.1.0"))
    assert {path.name for path in raised_files} == {"pins.txt", "more.in"}
    assert set(raised_files.values()) == {"-r base.txt\r\nacme-core == 2.1.0 # why\r\n"}
