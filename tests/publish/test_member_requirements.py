"""`workspace --raise-requirements` in every form in which requirements are written."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from twofold.publish.release.member_requirements import raise_in_document


def raised(text: str, version: str = "2.1.0", name: str = "acme-core") -> str:
    after = raise_in_document(text, tomllib.loads(text), name, version)
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
