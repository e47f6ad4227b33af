"""Keys that few recipes have: app, track_features, outputs/files, script_env, test/script."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml

from tests.recipe.recipe_builder import Builder, make_project, read_info, read_members
from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors, TwofoldError
from twofold.recipe.request import Platform
from twofold.recipe.write.to_v1 import translate_recipe

posix = pytest.mark.skipif(os.name == "nt", reason="its script is for a POSIX shell")
HEAD = "package: {name: sample, version: 1.0.0}\n"


@pytest.fixture
def build() -> Builder:
    return Builder(platform=Platform.current())


APP = """\
app:
  entry: sample-tool
  icon: icon.png
  type: desk
  summary: a tool with a window
  cli_opts:
    - name: size
      args: --size
"""


def test_an_app_is_written_for_launchers_with_its_icon(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p")
    (folder / "icon.png").write_bytes(b"\x89PNG")
    (artifact,) = build(folder, HEAD + APP).artifacts
    index = read_info(artifact.path)
    assert index["type"] == "app"
    assert index["app_entry"] == "sample-tool"
    assert index["app_type"] == "desk"
    assert index["app_cli_opts"] == [{"name": "size", "args": "--size"}]
    assert index["summary"] == "a tool with a window"
    assert index["icon"] == hashlib.md5(b"\x89PNG").hexdigest() + ".png"
    assert read_members(artifact.path)["info/icon.png"] == b"\x89PNG"


def test_an_icon_that_is_not_beside_the_recipe_is_reported(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(TwofoldError, match=r"the icon 'icon\.png' is not beside"):
        build(make_project(tmp_path / "p"), HEAD + APP)


def test_features_are_in_the_index_of_a_package_built_directly(
    build: Builder, tmp_path: Path
) -> None:
    text = HEAD + "build:\n  track_features:\n    - slow\n    - old\n"
    (artifact,) = build(make_project(tmp_path / "p"), text).artifacts
    assert read_info(artifact.path)["track_features"] == "slow old"
    record = json.loads((tmp_path / "p/conda-bld/noarch/repodata.json").read_text("utf-8"))
    assert record["packages.conda"][artifact.filename]["track_features"] == "slow old"


@posix
def test_features_make_the_solver_rank_a_package_lower_where_it_is_built_in_a_host(
    build: Builder, tmp_path: Path
) -> None:
    text = (
        HEAD + "build:\n  noarch: generic\n  track_features: slow old\n"
        "  script: mkdir $PREFIX/share && touch $PREFIX/share/x\n"
    )
    (artifact,) = build(tmp_path, text).artifacts
    assert len(read_info(artifact.path)["track_features"].split()) == 2


FILES = """\
package:
  name: things
  version: 2.0
build:
  script: |
    mkdir -p $PREFIX/lib/deep $PREFIX/include $PREFIX/bin
    echo lib > $PREFIX/lib/libthing.txt
    echo deep > $PREFIX/lib/deep/more.txt
    echo static > $PREFIX/lib/libthing.a
    echo head > $PREFIX/include/thing.h
    echo tool > $PREFIX/bin/thing
outputs:
  - name: libthing
    build:
      noarch: generic
    files:
      include:
        - lib
      exclude:
        - lib/*.a
  - name: libthing-dev
    build:
      noarch: generic
    files:
      - include/
      - lib/*.a
    requirements:
      run:
        - {{ pin_subpackage('libthing', exact=True) }}
"""


@posix
def test_outputs_take_their_files_from_what_the_top_builds(build: Builder, tmp_path: Path) -> None:
    made = {artifact.name: artifact for artifact in build(tmp_path, FILES).artifacts}
    payload = {
        name: sorted(path for path in read_members(one.path) if not path.startswith("info/"))
        for name, one in made.items()
    }
    assert payload == {
        "libthing": ["lib/deep/more.txt", "lib/libthing.txt"],
        "libthing-dev": ["include/thing.h", "lib/libthing.a"],
    }
    own = made["libthing"]
    assert list(made["libthing-dev"].depends) == [f"libthing =={own.version} {own.build}"]


@posix
def test_a_variable_without_a_value_is_passed_on_and_not_kept_in_the_package(
    build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAVOUR_OF_TEST", "vanilla-and-lime")
    text = (
        HEAD + "build:\n  noarch: generic\n  script_env:\n    - FLAVOUR_OF_TEST\n    - SIZE=3\n"
        "  script: mkdir $PREFIX/share && echo $FLAVOUR_OF_TEST $SIZE | wc -c > $PREFIX/share/x\n"
    )
    (artifact,) = build(tmp_path, text).artifacts
    files = read_members(artifact.path)
    assert files["share/x"].strip() == b"19"
    assert not [name for name, data in files.items() if b"vanilla" in data]


TESTED = """\
test:
  imports:
    - sample
  script: check.py
  commands:
    - sample-tool
"""


def test_a_test_script_of_any_name_is_carried_as_run_test(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p")
    (folder / "check.py").write_text("assert True\n", encoding="utf-8")
    (artifact,) = build(folder, HEAD + TESTED).artifacts
    assert read_members(artifact.path)["info/test/run_test.py"].endswith(
        b"import sample\n\nassert True\n"
    )
    recipe = read_for_linux(folder / "meta.yaml")
    assert translate_recipe(recipe, None, print)["tests"][1] == {
        "script": ["sample-tool", "python check.py"],
        "files": {"recipe": ["check.py"]},
    }


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("../x.py", "is not beside"),
        ("gone.sh", "is not beside"),
        ("a.rb", "cannot determine how to run"),
    ],
)
def test_a_test_script_that_cannot_be_run_is_reported(
    tmp_path: Path, script: str, words: str
) -> None:
    (tmp_path / "a.rb").touch()
    path = tmp_path / "meta.yaml"
    path.write_text(f"{HEAD}test:\n  script: {script}\n", encoding="utf-8")
    with pytest.raises(ProjectErrors) as caught:
        read_for_linux(path)
    (problem,) = caught.value.problems
    assert words in problem.message
    assert problem.where == "meta.yaml:3: test/script"


def test_the_recipe_and_its_tests_travel_in_both_forms(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p")
    text = "{% set v = '1.0.0' %}\npackage: {name: sample, version: '{{ v }}'}\n" + (
        "test:\n  imports: [sample]\n  commands: [sample-tool]\n  requires: [numpy]\n"
    )
    (artifact,) = build(folder, text).artifacts
    files = read_members(artifact.path)
    assert files["info/recipe/meta.yaml.template"].decode() == text
    assert b"{{" not in files["info/recipe/meta.yaml"]
    assert yaml.safe_load(files["info/tests/tests.yaml"]) == [
        {"python": {"imports": ["sample"], "pip_check": False}},
        {"script": ["sample-tool"], "requirements": {"run": ["numpy"]}},
    ]
    v1 = (
        "context: {v: 1.0.0}\npackage: {name: sample, version: '${{ v }}'}\n"
        "build: {script: pip install .}\ntests: [{python: {imports: [sample], pip_check: false}}]\n"
    )
    (folder / "meta.yaml").unlink()
    (folder / "recipe.yaml").write_text(v1, encoding="utf-8")
    (artifact,) = build(folder).artifacts
    files = read_members(artifact.path)
    assert files["info/recipe/recipe.yaml"].decode() == v1
    rendered = yaml.safe_load(files["info/recipe/rendered_recipe.yaml"])
    assert rendered["package"] == {"name": "sample", "version": "1.0.0"}
    assert b"import sample" in files["info/test/run_test.py"]
