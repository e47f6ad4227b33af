"""`twofold build` in a folder with a recipe: the project's files and the recipe's packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import copy_recipe, make_project, read_info
from twofold.building.options import BuildRequest
from twofold.cli.recipe import build_folder
from twofold.errors import ProjectErrors


def test_a_project_with_a_recipe_gives_all_three_files(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    (root / "meta.yaml").write_text(
        "package: {name: by-recipe, version: 1.0.0}\nbuild: {noarch: python}\n"
        "requirements:\n  run:\n    - attrs\n",
        encoding="utf-8",
    )
    messages: list[str] = []
    made = build_folder(root, BuildRequest(report=messages.append))
    names = [Path(built.path).relative_to(root).as_posix() for built in made.artifacts]
    assert names == [
        "dist/sample-1.0.0.tar.gz",
        "dist/sample-1.0.0-py3-none-any.whl",
        "conda-bld/noarch/by-recipe-1.0.0-py_0.conda",
    ]
    assert (made.name, made.version) == ("by-recipe", "1.0.0")
    assert "the recipe's name is by-recipe, the project's sample" in messages
    noted = json.loads((root / "dist" / ".twofold-build.json").read_text(encoding="utf-8"))
    assert "by-recipe-1.0.0-py_0.conda" in json.dumps(noted)


def test_a_folder_with_a_recipe_alone_gives_its_packages(tmp_path: Path) -> None:
    made = build_folder(copy_recipe(tmp_path, "metapackage"), BuildRequest())
    assert [Path(built.path).name for built in made.artifacts] == ["everything-2024.06-0.conda"]


def test_both_conda_forms_and_another_place(tmp_path: Path) -> None:
    folder = copy_recipe(tmp_path, "metapackage")
    made = build_folder(folder, BuildRequest(("conda", "tar.bz2"), tmp_path / "out"))
    paths = [Path(built.path) for built in made.artifacts]
    assert [path.parent for path in paths] == [tmp_path / "out" / "conda-bld" / "noarch"] * 2
    assert read_info(paths[0]) == read_info(paths[1])
    assert not (folder / "conda-bld").exists()


#: What the checks find in a project, and a file of it that gives the finding.
_FINDINGS = {
    "TF101": ("template.py", "def f(:\n"),
    "TF103": ("__init__.py", '__version__ = "0.9"\ndef main() -> None: ...\n'),
    "TF105": ("unused.py", "from sample import gone\n"),
    "TF111": ("__init__.py", "import numpy\ndef main() -> None: ...\n"),
    "TF201": ("key.pem", "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA\n" * 9),
}


@pytest.mark.parametrize("code", _FINDINGS)
def test_a_recipes_source_is_not_judged_as_ones_own(code: str, tmp_path: Path) -> None:
    source = make_project(tmp_path / "work" / "source")
    name, text = _FINDINGS[code]
    (source / "sample" / name).write_text(text, encoding="utf-8")
    messages: list[str] = []
    recipe = _write_recipe(tmp_path / "work", "attrs")
    made = build_folder(recipe, BuildRequest(("conda",), report=messages.append))
    assert len(made.artifacts) == 1
    noted = [line for line in messages if line.startswith("note: ")]
    assert [f"({code})" in line and name in line for line in noted] == [True]


def test_an_import_that_the_recipes_requirements_provide_is_not_missed(tmp_path: Path) -> None:
    source = make_project(tmp_path / "work" / "source")
    text = "import numpy\nimport torch\nimport cv2\ndef main() -> None: ...\n"
    (source / "sample" / "__init__.py").write_text(text, encoding="utf-8")
    messages: list[str] = []
    recipe = _write_recipe(tmp_path / "work", "attrs, numpy >=1.2, conda-forge::pytorch, opencv")
    build_folder(recipe, BuildRequest(("conda",), report=messages.append))
    assert [line for line in messages if "TF111" in line] == []


def test_the_project_beside_a_recipe_is_judged(tmp_path: Path) -> None:
    root = make_project(tmp_path / "work")
    (root / "sample" / "__init__.py").write_text("def f(:\n", encoding="utf-8")
    _write_recipe(root, "attrs", "")
    with pytest.raises(ProjectErrors, match="TF101"):
        build_folder(root, BuildRequest(("conda",)))


def _write_recipe(folder: Path, run: str, source: str = "source: {path: source}\n") -> Path:
    (folder / "meta.yaml").write_text(
        f"package: {{name: sample, version: 1.0.0}}\n{source}"
        "build: {noarch: python, script: python -m pip install . --no-deps}\n"
        f"requirements:\n  host: [python, pip]\n  run: [python, {run}]\n",
        encoding="utf-8",
    )
    return folder
