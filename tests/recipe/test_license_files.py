"""about/license_file: names are conda-build's, patterns in recipe.yaml rattler-build's (0.73)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, make_project, read_info, read_members
from twofold.errors import ProjectErrors

HEAD = "package:\n  name: sample\n  version: 1.0.0\n"


def test_licences_have_the_names_that_conda_build_gives_them(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p") / "recipe"
    (folder / "texts/deep").mkdir(parents=True)
    for name in ("plain", ".hidden", "texts/one", "texts/deep/two"):
        (folder / name).write_text(name, encoding="utf-8")
    files = "".join(f"    - {n}\n" for n in ("plain", "./plain", ".hidden", "texts/", "../LICENSE"))
    text = f"{HEAD}about:\n  license: MIT\n  license_file:\n{files}"
    (made,) = Builder()(folder, text).artifacts
    found = {name for name in read_members(made.path) if name.startswith("info/licenses/")}
    names = ("plain", "LICENSE0.txt", "LICENSE1.txt", "LICENSE2.txt", "texts/one", "texts/deep/two")
    assert found == {f"info/licenses/{name}" for name in names}
    assert read_members(made.path)["info/licenses/LICENSE2.txt"] == b"MIT, shortened\n"
    assert read_info(made.path)["build_number"] == 0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.{md,txt}", "a.md texts/b.txt texts/deep/c.txt"),
        ("**/*.txt", "texts/b.txt texts/deep/c.txt"),
        ("texts/*.txt", "texts/b.txt texts/deep/c.txt"),
        ("texts", "texts/b.txt texts/deep/c.txt"),
        ("text?", "texts/b.txt texts/deep/c.txt"),
        ("**/deep/**", "texts/deep/c.txt"),
        ("[!t]*.md", "a.md"),
        ("{a*,texts/{b,deep/c}.txt}", "a.md texts/b.txt texts/deep/c.txt"),
        ("[a]*", "a.md"),
    ],
)
def test_patterns_of_a_recipe_yaml_go_through_folders(
    tmp_path: Path, pattern: str, expected: str
) -> None:
    for name in ("a.md", "texts/b.txt", "texts/deep/c.txt"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    folder = tmp_path / "recipe"
    folder.mkdir()
    text = f"{HEAD}source:\n  path: ../source\nbuild:\n  noarch: generic\n"
    text += f"about:\n  license: MIT\n  license_file:\n    - '{pattern}'\n"
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    (made,) = Builder()(folder).artifacts
    names = sorted(name[14:] for name in read_members(made.path) if "/licenses/" in name)
    assert " ".join(names) == expected


def test_a_pattern_that_matches_nothing_is_reported(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p")
    text = f"{HEAD}about:\n  license_file: '{'{a,b}' * 20}*'\n"
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectErrors, match="does not exist"):
        Builder()(folder)
