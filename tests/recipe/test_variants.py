"""A recipe becomes one package for each combination of its variants' values that it uses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.recipe_builder import Builder, make_project, read_info, read_members
from twofold.errors import ProjectErrors, TwofoldError
from twofold.formats.deep_check import find_problems
from twofold.install.conda import install_into_prefix
from twofold.recipe.request import Platform

posix = pytest.mark.skipif(os.name == "nt", reason="its script is for a POSIX shell")
SCRIPT = "  script: {{ PYTHON }} -m pip install . -vv\n"
PURE = f"package: {{name: sample, version: 1.0.0}}\nsource:\n  path: .\nbuild:\n{SCRIPT}"
HOST = "requirements:\n  host:\n    - python\n    - pip\n  run:\n    - python\n"
PYTHONS = "python:\n  - 3.11.* *_cpython\n  - 3.12.* *_cpython\n"


def builds(made: object) -> list[str]:
    return sorted(f"{one.subdir}/{one.build}" for one in made.artifacts)  # type: ignore[attr-defined]


def variants(folder: Path, text: str) -> Path:
    (folder / "conda_build_config.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_package_is_built_for_each_python_that_the_recipe_leaves_open(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS)
    made = Builder()(folder, PURE + HOST)
    assert builds(made) == ["linux-64/py311_0", "linux-64/py312_0"]
    for artifact, low, high in zip(made.artifacts, ("3.11", "3.12"), ("3.12", "3.13"), strict=True):
        assert artifact.depends == (f"python >={low},<{high}.0a0",)
        assert read_info(artifact.path, "hash_input") == {"python": low}
        assert find_problems(artifact.path) == []
    assert any("its variants name Python 3.11" in line for line in made.messages)


def test_a_noarch_recipe_that_does_not_ask_for_python_stays_one_package(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS + "numpy:\n  - 1.26\n  - 2.0\n")
    text = PURE.replace("build:\n", "build:\n  noarch: python\n") + HOST
    assert builds(Builder()(folder, text)) == ["noarch/py_0"]
    # Where a selector depends on Python, the newest Python counts, as for conda-build.
    text_with_selectors = text + "    - tomli  # [py<312]\n    - rich  # [py>=312]\n"
    made = Builder()(folder, text_with_selectors)
    assert builds(made) == ["noarch/py_0"]
    assert made.artifacts[0].depends == ("python >=3.9", "rich")


def test_values_are_distinguished_by_a_hash_and_kept_in_the_package(tmp_path: Path) -> None:
    folder = variants(
        make_project(tmp_path / "p"), "flavour:\n  - sweet\n  - sour\nunused: [1, 2]\n"
    )
    text = PURE.replace("build:\n", "build:\n  noarch: python\n") + HOST
    made = Builder()(folder, text + "    - sugar  # [flavour == 'sweet']\n")
    assert len(made.artifacts) == 2
    sweet, sour = made.artifacts
    assert [read_info(one.path, "hash_input") for one in made.artifacts] == [
        {"flavour": "sweet"},
        {"flavour": "sour"},
    ]
    assert sweet.build != sour.build
    assert sweet.build.startswith("pyh")
    assert "sugar" in sweet.depends
    assert "sugar" not in sour.depends
    again = Builder()(folder)
    assert [one.sha256 for one in again.artifacts] == [one.sha256 for one in made.artifacts]


def test_names_in_zip_keys_change_together(tmp_path: Path) -> None:
    folder = variants(
        make_project(tmp_path / "p"),
        PYTHONS + "numpy:\n  - 1.26\n  - 2.0\nzip_keys:\n  -\n    - python\n    - numpy\n",
    )
    made = Builder()(folder, PURE + HOST + "    - numpy >={{ numpy }}\n    - np{{ np }}\n")
    assert [one.depends[1:] for one in made.artifacts] == [
        ("numpy >=1.26", "np126"),
        ("numpy >=2.0", "np20"),
    ]
    assert [one.build[:6] for one in made.artifacts] == ["py311h", "py312h"]
    # A name that follows the Python alone needs no packages of its own.
    assert len(Builder()(folder, PURE + HOST).artifacts) == 2


def test_without_zip_keys_every_combination_is_built(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS + "numpy:\n  - 1.26\n  - 2.0\n")
    text = PURE + HOST.replace("    - pip\n", "    - pip\n    - numpy\n")
    made = Builder()(folder, text)
    assert len({one.path for one in made.artifacts}) == 4
    hashes = [read_info(one.path, "hash_input") for one in made.artifacts]
    assert [(one["python"], one["numpy"]) for one in hashes] == [
        ("3.11", "1.26"),
        ("3.11", "2.0"),
        ("3.12", "1.26"),
        ("3.12", "2.0"),
    ]


def test_outputs_are_built_once_unless_they_use_what_varies(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS)
    text = (
        "package: {name: things, version: 1.0.0}\nsource:\n  path: .\noutputs:\n"
        f"  - name: sample\n  {SCRIPT}"
        "    requirements:\n      host:\n        - python\n        - pip\n"
        "      run:\n        - python\n"
        "  - name: common\n    build:\n      noarch: generic\n"
        "  - name: all\n    requirements:\n      run:\n"
        "        - {{ pin_subpackage('sample', exact=True) }}\n"
        "        - {{ pin_subpackage('common', exact=True) }}\n"
    )
    made = Builder()(folder, text)
    names = sorted((one.name, one.build[:5]) for one in made.artifacts)
    assert [name for name, _ in names] == ["all", "all", "common", "sample", "sample"]
    pins = {one.depends for one in made.artifacts if one.name == "all"}
    assert pins == {
        ("sample 1.0.0 py311_0", "common 1.0.0 0"),
        ("sample 1.0.0 py312_0", "common 1.0.0 0"),
    }


def test_a_combination_that_is_skipped_is_left_out(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS)
    text = PURE.replace("build:\n", "build:\n  skip: true  # [py<312]\n") + HOST
    assert builds(Builder()(folder, text)) == ["linux-64/py312_0"]


def test_a_build_string_of_ones_own_has_to_differ(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), "flavour:\n  - sweet\n  - sour\n")
    text = PURE.replace("build:\n", "build:\n  noarch: python\n  number: 3\n  string: mine\n")
    uses = HOST + "    - {{ flavour }}\n"
    with pytest.raises(
        ProjectErrors, match="two packages of the recipe would be noarch/"
    ) as caught:
        Builder()(folder, text + uses)
    assert "PKG_HASH" in caught.value.problems[0].hint
    assert not (folder / "conda-bld").exists()
    hashed = text.replace("mine", "{{ flavour }}_h{{ PKG_HASH }}_{{ PKG_BUILDNUM }}")
    made = Builder()(folder, hashed + uses)
    assert len({one.build for one in made.artifacts}) == 2
    assert all(one.build.endswith("_3") and "_h" in one.build for one in made.artifacts)
    assert (
        "{{ PKG_HASH }}" in read_members(made.artifacts[0].path)["info/recipe/meta.yaml"].decode()
    )


def test_more_files_of_variants_replace_those_beside_the_recipe(tmp_path: Path) -> None:
    folder = variants(make_project(tmp_path / "p"), PYTHONS)
    more = tmp_path / "mine.yaml"
    more.write_text("python:\n  - 3.13\n  - 3.14\n  - 3.9  # [win]\n", encoding="utf-8")
    made = Builder()(folder, PURE + HOST, variant_files=(more,))
    assert builds(made) == ["linux-64/py313_0", "linux-64/py314_0"]
    with pytest.raises(TwofoldError, match="no such file"):
        Builder()(folder, variant_files=(tmp_path / "none.yaml",))


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (
            "".join(f"{name}: {list(range(9))}\n" for name in ("a", "b")),
            "conda_build_config.yaml:1: a",
            r"more than 64 packages: 9 \(a\) x 9 \(b\)",
        ),
        (
            "a: [1, 2]\nb: [1]\nzip_keys:\n  - [a, b]\n",
            "conda_build_config.yaml:4: zip_keys",
            "different numbers of values: a has 2, b has 1",
        ),
        (
            "a: [1, 2]\nb: [1, 2]\nzip_keys:\n  - [a, b]\n  - [b]\n",
            "conda_build_config.yaml:4: zip_keys",
            "b is in more than one list",
        ),
        ("python: [x]\n", "conda_build_config.yaml:1: python", "no version of Python is named"),
        ("a:\n  - [x]\nb: 1\n", "conda_build_config.yaml:2: a", "a value is not text"),
        ("- a\n", "conda_build_config.yaml", "expected names with their values"),
    ],
)
def test_mistakes_in_variants_are_reported_with_their_location(
    tmp_path: Path, text: str, where: str, message: str
) -> None:
    folder = variants(make_project(tmp_path / "p"), text)
    with pytest.raises(ProjectErrors, match=message) as caught:
        Builder()(folder, PURE + HOST + "    - x{{ a }}{{ b }}\n")
    assert caught.value.problems[0].where == where
    assert not (folder / "conda-bld").exists()


def test_each_package_is_taken_by_its_own_python_when_solved(tmp_path: Path, offline: Path) -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = variants(
        make_project(tmp_path / "p", dependencies=""), f"python: ['3.9', '{minor}']\n"
    )
    Builder(platform=Platform.current())(folder, PURE + HOST)
    installed = install_into_prefix(
        ["sample"], [folder / "conda-bld", offline], tmp_path / "env", cache=tmp_path / "cache"
    )
    (sample,) = [package for package in installed if package.name == "sample"]
    assert sample.build == f"py{minor.replace('.', '')}_0"


def test_the_command_lists_the_packages_of_every_combination(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    folder = variants(make_project(tmp_path / "p"), "python: ['3.11']\n")
    (folder / "meta.yaml").write_text(PURE + HOST, encoding="utf-8")
    (tmp_path / "more.yaml").write_text(PYTHONS, encoding="utf-8")
    ran = twofold("build", "--conda", "--json", "--variant-config", "../more.yaml", cwd=folder)
    assert ran.code == 0, ran.err
    names = [Path(one["path"]).name for one in json.loads(ran.out)["artifacts"]]
    assert names == ["sample-1.0.0-py311_0.conda", "sample-1.0.0-py312_0.conda"]
    wrong = twofold("build", "--variant-config", "none.yaml", cwd=folder)
    assert wrong.code == 1
    assert "none.yaml: no such file" in wrong.err


@posix
def test_what_needs_a_host_is_built_there_for_each_combination(tmp_path: Path) -> None:
    (tmp_path / "build.sh").write_text(
        'mkdir -p "$PREFIX/share"\necho "$flavour $size" > "$PREFIX/share/$PKG_NAME"\n',
        encoding="utf-8",
    )
    variants(
        tmp_path,
        "flavour:\n  - sweet\n  - sour\nsize:\n  - big\n  - small\nunused: [1, 2]\n"
        "zip_keys:\n  - [flavour, size]\n",
    )
    text = (
        "package: {name: x, version: 1}\nbuild:\n  number: 2\n"
        "about:\n  summary: 'tastes {{ flavour }}'\n"
    )
    made = Builder(platform=Platform.current())(tmp_path, text)
    assert len({one.path for one in made.artifacts}) == 2
    found = [read_members(one.path)["share/x"] for one in made.artifacts]
    assert found == [b"sweet big\n", b"sour small\n"]
    assert read_info(made.artifacts[1].path, "hash_input")["flavour"] == "sour"
    named = text.replace("number: 2", "number: 2\n  string: '{{ flavour }}_{{ PKG_HASH }}_2'")
    again = Builder(platform=Platform.current())(tmp_path, named)
    assert sorted(one.build.split("_")[0] for one in again.artifacts) == ["sour", "sweet"]


@posix
def test_outputs_in_a_host_are_kept_once(tmp_path: Path) -> None:
    variants(tmp_path, "flavour:\n  - sweet\n  - sour\n")
    script = "    script: mkdir -p $PREFIX/share && echo %s > $PREFIX/share/$PKG_NAME\n"
    text = (
        "package: {name: both, version: 1}\noutputs:\n"
        f"  - name: one\n{script % '{{ flavour }}'}"
        f"  - name: other\n{script % 'same'}"
    )
    made = Builder(platform=Platform.current())(
        tmp_path, text.replace("script: ", "script:\n      - ")
    )
    assert sorted(one.name for one in made.artifacts) == ["one", "one", "other"]
