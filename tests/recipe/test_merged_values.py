"""Several variant files are merged as conda-build merges them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors
from twofold.recipe.read.variants import Variants, read_variants
from twofold.recipe.request import Environ, Platform

BASE = """\
python: [3.10.* *_cpython, 3.11.* *_cpython, 3.12.* *_cpython]
is_min: ["true", "false", "false"]
numpy: ["1.26", "2.0"]
blas: [old, new]
zip_keys:
  - [python, is_min]
  - [numpy, blas]
"""


def merge(folder: Path, own: str, base: str = BASE) -> Variants:
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    (folder / "conda_build_config.yaml").write_text(own, encoding="utf-8")
    return read_variants(
        folder / "meta.yaml", Platform("linux-64", "3.11"), Environ({}), (), (folder / "base.yaml",)
    )


@pytest.mark.parametrize(
    ("own", "name", "values", "partner", "partners"),
    [
        ("python: [3.11.* *_cpython]\n", "python", 1, "is_min", ("false",)),
        ("is_min: ['false']\n", "python", 2, "is_min", ("false", "false")),
        ("python: ['3.9', '3.13', '3.14']\n", "python", 3, "is_min", ("true", "false", "false")),
        ("python: ['3.9']\nis_min: ['true']\n", "python", 1, "is_min", ("true",)),
        ("numpy: '2.0'\n", "numpy", 1, "blas", ("new",)),
    ],
)
def test_a_later_file_chooses_among_names_that_change_together(
    tmp_path: Path, own: str, name: str, values: int, partner: str, partners: tuple[str, ...]
) -> None:
    merged = merge(tmp_path, own)
    assert len(merged.values[name]) == values
    assert merged.values[partner] == partners


def test_groups_of_all_files_are_kept(tmp_path: Path) -> None:
    merged = merge(tmp_path, "a: [1, 2]\nb: [3, 4]\nzip_keys: [[a, b], [blas, numpy]]\n")
    assert {frozenset(group) for group in merged.zipped} == {
        frozenset({"python", "is_min"}),
        frozenset({"numpy", "blas"}),
        frozenset({"a", "b"}),
    }
    assert len(merged.list_combinations({"a", "b"})) == 2


def test_a_value_that_the_group_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectErrors) as caught:
        merge(tmp_path, "python:\n  - 3.11\n")
    assert caught.value.problems[0].where == "conda_build_config.yaml:2: python"
    assert "python changes together with is_min, and 3.11 is new to it" in str(caught.value)


def test_choosing_among_values_of_different_numbers_is_reported(tmp_path: Path) -> None:
    base = "a: [1, 2, 3]\nb: [x]\nzip_keys: [[a, b]]\n"
    with pytest.raises(ProjectErrors, match="a has 3, b has 1"):
        merge(tmp_path, "a: [1, 3]\n", base)


def test_a_python_2_of_an_old_recipe_is_read(tmp_path: Path) -> None:
    assert merge(tmp_path, "python: ['2.7', '3.6']\n", "x: 1\n").values["python"] == ("2.7", "3.6")
    old = Platform("linux-64", "3.11").with_python("2.7.* *_cpython").variables()
    assert (old["py"], old["py2k"], old["py3k"], old["py27"]) == (27, True, False, True)


def test_a_later_group_takes_the_place_of_those_it_overlaps(tmp_path: Path) -> None:
    own = "python: ['3.11', '3.12']\nnumpy: ['1.26', '2.0']\nzip_keys: [[python, numpy]]\n"
    merged = merge(tmp_path, own)
    assert merged.zipped == (("python", "numpy"),)
    assert len(merged.list_combinations({"python", "numpy"})) == 2


def test_to_names_of_extend_keys_each_file_adds_values_and_jinja_has_all(tmp_path: Path) -> None:
    base = "more: [a]\nextend_keys: [more, pin_run_as_build]\n"
    own = "more: [b, a]\npython: 3.12.* *_cpython\n"
    merged = merge(tmp_path, own, base)
    assert merged.lists == {"more": ("a", "b")}
    assert "more" not in merged.values
    zipped = merge(tmp_path, "more: [b]\nx: [1, 2]\nzip_keys: [[more, x]]\n", base)
    assert (zipped.lists, zipped.values["more"]) == ({}, ("a", "b"))

    text = "package: {name: x, version: '1'}\nrequirements:\n  run:\n    - python {{ python }}\n"
    text += "    {% for one in more %}\n    - is-{{ one }}\n    {% endfor %}\n"
    text += "    - whole  # ['b' in more and python == '3.12.* *_cpython']\n"
    path = tmp_path / "r/meta.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    (path.parent / "conda_build_config.yaml").write_text(base + own.replace("more: [b, a]", ""))
    (path.parent / "variants.yaml").write_text("more: [b]\n", encoding="utf-8")
    (output,) = read_for_linux(path).outputs
    run = [line.text for line in output.requirements.run]
    assert run == ["python 3.12.* *_cpython", "is-a", "is-b", "whole"]
