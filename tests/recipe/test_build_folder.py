"""`twofold build` in a folder with a recipe: the project's files and the recipe's packages."""

from __future__ import annotations

import json
from pathlib import Path

from tests.recipe.recipe_builder import copy_recipe, make_project, read_info
from twofold.building.options import BuildRequest
from twofold.cli.recipe import build_folder


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
