"""What conda-forge's recipes hold is read with the values that conda-build gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors
from twofold.recipe.building.build_method import BuildMethod, choose_methods
from twofold.recipe.model import Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import read_recipe
from twofold.recipe.request import Environ, Platform
from twofold.recipe.write.to_v1 import translate_recipe

HEAD = "package:\n  name: sample\n  version: 1.0.0\n"
SCRIPT = "build:\n  script: {{ PYTHON }} -m pip install .\n"


def read(folder: Path, text: str) -> Recipe:
    path = folder / "meta.yaml"
    path.write_text(text, encoding="utf-8")
    return read_for_linux(path)


@pytest.mark.parametrize(
    "written",
    [
        "'{{ environ[\"PREFIX\"] }}/lib/R/share/licenses/GPL-3'",
        "'{{ PREFIX }}/lib/R/share/licenses/GPL-3'",
        "$PREFIX/lib/R/share/licenses/GPL-3",
    ],
)
def test_a_licence_that_the_host_brings_is_taken_from_there(tmp_path: Path, written: str) -> None:
    text = f"{HEAD}{SCRIPT}about:\n  license: GPL-3.0-only\n  license_file:\n    - {written}\n"
    recipe = read(tmp_path, text + "    - LICENSE\n")
    (chosen,) = choose_methods(recipe)
    assert chosen.method is BuildMethod.HOST
    made = translate_recipe(recipe, tmp_path, print)
    assert made["about"]["license_file"] == [
        "${{ PREFIX }}/lib/R/share/licenses/GPL-3",
        "LICENSE",
    ]


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        ("path: ..\n  url: https://example.invalid/x.tar.gz", "url"),
        ("git_url: https://example.invalid/x.git\n  path: sub", "git"),
        ("url: https://example.invalid/x.zip\n  git_url: https://example.invalid/x", "url"),
    ],
)
def test_of_several_places_of_a_source_the_one_of_conda_build_counts(
    tmp_path: Path, places: str, kind: str
) -> None:
    recipe = read(tmp_path, f"{HEAD}source:\n  {places}\n")
    assert [source.kind for source in recipe.sources] == [kind]
    assert "is left out, as for conda-build" in recipe.remarks[0]


def test_unknown_keys_that_conda_build_ignores_are_left_out_and_reported(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        HEAD + "requirements:\n  run: [python]\n  pip: [x]\ntest:\n  command: [x]\n"
        "about:\n  licence: MIT\ntests:\n  - script: x\nextras: {x: y}\n",
    )
    assert recipe.remarks == (
        "meta.yaml:12: tests: 'tests' is not a key of meta.yaml and is left out; "
        "did you mean 'test'?",
        "meta.yaml:13: extras: 'extras' is not a key of meta.yaml and is left out; "
        "did you mean 'extra'?",
        "meta.yaml:6: requirements/pip: 'pip' is not a key of requirements and is left out; "
        "known: build, host, run, run_constrained, run_constraints, conflicts",
        "meta.yaml:8: test/command: 'command' is not a key of test and is left out; "
        "did you mean 'commands'?",
        "meta.yaml:10: about/licence: 'licence' is not a key of about and is left out; "
        "did you mean 'license'?",
    )
    with pytest.raises(ProjectErrors, match="'entry_point' is not a key of build"):
        read(tmp_path, HEAD + "build:\n  entry_point: [x]\n")


def test_the_mistakes_of_a_recipe_that_is_skipped_do_not_matter(tmp_path: Path) -> None:
    needs = "requirements:\n  host:\n    - cuda-version @ None\n"
    assert read(tmp_path, HEAD + "build:\n  skip: true  # [linux]\n" + needs).outputs[0].build.skip
    with pytest.raises(ProjectErrors, match="'cuda-version @ None' is not a valid"):
        read(tmp_path, HEAD + "build:\n  skip: true  # [win]\n" + needs)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ('"dask[complete]"', "dask"),
        ("typer[all]", "typer"),
        ("a[x-y, z] >=1", "a >=1"),
        ("'a[build=x]'", "a[build=x]"),
    ],
)
def test_extras_are_left_out_as_conda_reads_them(
    tmp_path: Path, written: str, read_as: str
) -> None:
    recipe = read(tmp_path, f"{HEAD}requirements:\n  run:\n    - {written}\n")
    assert [line.text for line in recipe.outputs[0].requirements.run] == [read_as]
    assert bool(recipe.remarks) == ("[build" not in written)


def test_a_build_string_may_follow_a_pin(tmp_path: Path) -> None:
    pin = "{{ pin_subpackage('sample', max_pin='x.x') }} mpi_mpich_*"
    recipe = read(tmp_path, f"{HEAD}build:\n  script: make\n  run_exports:\n    - {pin}\n")
    made = translate_recipe(recipe, tmp_path, print)
    assert made["requirements"]["run_exports"]["weak"] == [
        "${{ pin_subpackage('sample', lower_bound='x.x.x.x.x.x', upper_bound='x.x', "
        "build='mpi_mpich_*') }}"
    ]
    (line,) = recipe.outputs[0].build.run_exports["weak"]
    assert recipe.calls.restore_source(line.text) == pin


def test_a_build_for_python_2_needs_a_host(tmp_path: Path) -> None:
    (tmp_path / "conda_build_config.yaml").write_text("python: ['2.7']\n", encoding="utf-8")
    path = tmp_path / "meta.yaml"
    path.write_text(f"{HEAD}source:\n  path: .\n{SCRIPT}", encoding="utf-8")
    recipe = read_for_linux(path)
    assert recipe.platform == Platform("linux-64", "2.7")
    assert [one.method for one in choose_methods(recipe)] == [BuildMethod.HOST]


@pytest.mark.parametrize(
    ("expression", "value"),
    [("'7'.zfill(3)", "007"), ("'7'.rjust(2, '0')", "07"), ("'a'.ljust(2, 'b')", "ab")],
)
def test_texts_can_be_padded_within_limits(tmp_path: Path, expression: str, value: str) -> None:
    recipe = read(tmp_path, HEAD.replace("1.0.0", f"'{{{{ {expression} }}}}'"))
    assert recipe.outputs[0].version == value
    with pytest.raises(ProjectErrors, match="width"):
        read(tmp_path, HEAD.replace("1.0.0", "'{{ '7'.zfill(999999999) }}'"))


def test_the_mistakes_of_one_output_that_is_skipped_do_not_matter(tmp_path: Path) -> None:
    outputs = (
        "outputs:\n  - name: a\n  - name: b\n    build:\n      skip: true\n"
        "    requirements:\n      host:\n        - cuda-version @ None\n"
    )
    recipe = read(tmp_path, HEAD + outputs)
    assert [(one.name, one.build.skip) for one in recipe.outputs] == [("a", False), ("b", True)]
    wrong = outputs.replace("      skip: true\n", "      number: 1\n")
    with pytest.raises(ProjectErrors, match="'cuda-version @ None' is not a valid"):
        read(tmp_path, HEAD + wrong)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("{{ environ.PY_VER }}", "3.12"),
        ("{{ environ['CONDA_PY'] }}", "312"),
        ("{{ CONDA_BUILD_STATE|lower }}", "render"),
        ("{{ environ.get('CONDA_BUILD', '0') }}", "1"),
    ],
)
def test_the_variables_of_a_build_are_known_while_a_recipe_is_read(
    tmp_path: Path, written: str, name: str
) -> None:
    recipe = read(tmp_path, HEAD.replace("sample", f'"{written}"'))
    assert recipe.outputs[0].name == name


def test_an_output_may_be_named_after_the_package(tmp_path: Path) -> None:
    needs = "requirements:\n  run:\n    - {{ pin_subpackage(PKG_NAME + '_sub', exact=True) }}\n"
    outputs = "outputs:\n  - name: {{ PKG_NAME }}_sub\n"
    recipe = read(tmp_path, HEAD + needs + outputs)
    assert [one.name for one in recipe.outputs] == ["sample_sub", "sample"]


@pytest.mark.parametrize(
    ("subdir", "folder"),
    [("linux-64", "lib/python*/site-packages"), ("win-64", "Lib/site-packages")],
)
def test_files_of_an_output_may_be_modules(tmp_path: Path, subdir: str, folder: str) -> None:
    path = tmp_path / "meta.yaml"
    outputs = "outputs:\n  - name: a\n    files:\n      - {{ SP_DIR }}/a\n      - $PREFIX/bin/b\n"
    path.write_text(f"{HEAD}build:\n  script: make\n{outputs}", encoding="utf-8")
    context = ReadContext(tmp_path, (tmp_path,), Platform(subdir, "3.12"), Environ({}))
    made = translate_recipe(read_recipe(path, context), tmp_path, print)
    assert made["outputs"][0]["build"]["files"]["include"] == [
        f"{folder}/a", f"{folder}/a/**", "bin/b", "bin/b/**"
    ]  # fmt: skip


def test_noarch_true_is_generic(tmp_path: Path) -> None:
    recipe = read(tmp_path, f"{HEAD}build:\n  noarch: true\n")
    assert recipe.outputs[0].build.noarch == "generic"
    assert "means generic" in recipe.remarks[0]
