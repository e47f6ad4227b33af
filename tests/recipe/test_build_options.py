"""`twofold build` of recipes: rendering, other platforms, pinning, the network, many recipes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import CommandResult
from tests.recipe.recipe_builder import Builder, make_project, read_info
from tests.recipe.summary import read_for_linux
from twofold.cli.recipe_dir import check_recipes_below
from twofold.conda_metadata import CondaPackage
from twofold.errors import ProjectErrors, TwofoldError
from twofold.formats.conda_writer import CondaWriter
from twofold.index.folder import index_folder
from twofold.recipe.building.build_method import BuildMethod, choose_methods
from twofold_build.archive import Content, Entry

Run = Callable[..., CommandResult]
META = "package:\n  name: {name}\n  version: 1.0.0\n"


def write_recipe(folder: Path, text: str, name: str = "meta.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_render_only_prints_what_each_variant_would_make_and_builds_nothing(
    twofold: Run, tmp_path: Path
) -> None:
    folder = write_recipe(
        tmp_path / "r",
        META.format(name="x") + "source:\n  url: https://nowhere.invalid/x.tar.gz\n"
        f"  sha256: {'0' * 64}\nbuild:\n  noarch: python\n"
        "  script: {{ PYTHON }} -m pip install .\nrequirements:\n  run:\n    - python\n"
        "    - {{ flavor }}\n    - colorama  # [win]\n",
    )
    (folder / "conda_build_config.yaml").write_text("flavor: [sweet, sour]\n", encoding="utf-8")
    done = twofold("build", folder, "--render-only", "--json", "--target-platform", "win-64")
    assert done.code == 0, done.err
    packages = json.loads(done.out)["packages"]
    runs = [package["requirements"]["run"] for package in packages]
    assert runs == [["python", "sweet", "colorama"], ["python", "sour", "colorama"]]
    assert [package["variant"] for package in packages] == [{"flavor": "sweet"}, {"flavor": "sour"}]
    assert all(package["file"].startswith("noarch/x-1.0.0-pyh") for package in packages)
    shown = twofold("build", folder, "--render-only")
    assert [one["method"] for one in yaml.safe_load_all(shown.out)] == ["install", "install"]
    assert not (folder / "conda-bld").exists()


def test_render_only_shows_a_recipe_yaml_that_rattler_build_builds(
    twofold: Run, tmp_path: Path
) -> None:
    text = "package: {name: x, version: '1'}\nbuild: {script: make, noarch: generic}\n"
    text += "tests: [{package_contents: {files: [x]}}]\n"
    folder = write_recipe(tmp_path / "r", text, "recipe.yaml")
    done = twofold("build", folder, "--render-only", "--json")
    assert done.code == 0, done.err
    (package,) = json.loads(done.out)["packages"]
    assert package["package"] == {"name": "x", "version": "1"}
    assert package["file"].startswith("noarch/x-1-h")


def test_several_platforms_are_built_by_one_command(twofold: Run, tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    write_recipe(
        root / "rec",
        META.format(name="sample") + "source: {path: ..}\nbuild:\n  noarch: python\n"
        "  string: unix_0  # [unix]\n  string: win_0  # [win]\n"
        "  script: {{ PYTHON }} -m pip install .\n"
        "requirements:\n  run:\n    - python\n    - __unix  # [unix]\n    - __win  # [win]\n",
    )
    targets = ("--target-platform", "linux-64", "--target-platform", "osx-arm64")
    done = twofold(
        "build", root / "rec", "--conda", "--json", *targets, "--target-platform", "win-64"
    )
    assert done.code == 0, done.err
    files = [Path(one["path"]).name for one in json.loads(done.out)["artifacts"]]
    assert files == ["sample-1.0.0-unix_0.conda", "sample-1.0.0-win_0.conda"]


def test_packages_of_two_platforms_with_one_name_are_an_error(twofold: Run, tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    write_recipe(
        root / "rec",
        META.format(name="sample") + "source: {path: ..}\nbuild:\n  noarch: python\n"
        "requirements:\n  run:\n    - python\n    - colorama  # [win]\n",
    )
    targets = ("--target-platform", "linux-64", "--target-platform", "win-64")
    done = twofold("build", root / "rec", "--conda", *targets)
    assert done.code == 1
    assert "differs from the one for another platform" in done.err
    assert twofold("build", root / "rec", "--target-platform", "amiga-68k").code == 2


def test_conda_forges_pinning_is_read_from_a_channel_and_the_recipes_own_values_count(
    twofold: Run, tmp_path: Path
) -> None:
    channel = tmp_path / "channel"
    (channel / "noarch").mkdir(parents=True)
    package = CondaPackage("conda-forge-pinning", "2026.11.28", build="0", noarch="generic")
    writer = CondaWriter(channel / "noarch" / "conda-forge-pinning-2026.11.28-0.conda", package)
    data = b"zlib: ['1.3']\nmpi: [nompi]\npin_run_as_build:\n  zlib: {max_pin: x.x}\n"
    entry = Entry("conda_build_config.yaml", data=data)
    writer.add(entry, Content(data, hashlib.sha256(data).digest()))
    writer.close()
    index_folder(channel)
    text = META.format(name="r-x") + "build: {noarch: generic}\n"
    text += "requirements:\n  run:\n    - zlib {{ zlib }}\n    - mpi-{{ mpi }}\n"
    folder = write_recipe(tmp_path / "r", text)
    (folder / "conda_build_config.yaml").write_text("mpi: [openmpi]\n", encoding="utf-8")
    plain = twofold("build", folder, "--render-only")
    assert plain.code == 1
    assert "--variant-config conda-forge" in plain.err
    pinned = ("--variant-config", "conda-forge", "--channel", channel, "--render-only", "--json")
    done = twofold("build", folder, *pinned)
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["packages"]
    assert found["requirements"]["run"] == ["zlib 1.3.*", "mpi-openmpi"]


def test_a_script_may_use_the_network_where_that_is_allowed(tmp_path: Path) -> None:
    text = META.format(name="x") + "build:\n  script: npm install\n"
    recipe = read_for_linux(write_recipe(tmp_path / "r", text) / "meta.yaml")
    with pytest.raises(ProjectErrors, match="--allow-network"):
        choose_methods(recipe)
    (chosen,) = choose_methods(recipe, allow_network=True)
    assert chosen.method is BuildMethod.HOST


def test_many_recipes_are_built_in_the_order_they_need(twofold: Run, tmp_path: Path) -> None:
    meta = META + "build: {{noarch: generic}}\nrequirements:\n  run: [{run}]\n"
    for name, run in (("a", "b"), ("b", "c >=1"), ("c", "elsewhere"), ("d", "a")):
        write_recipe(tmp_path / "all" / name, meta.format(name=name, run=run))
    (tmp_path / "all" / "notes").mkdir()
    done = twofold("build", tmp_path / "all", "--recipe-dir", "--json")
    assert done.code == 0, done.err
    names = [Path(one["path"]).name.partition("-")[0] for one in json.loads(done.out)["artifacts"]]
    assert names == ["c", "b", "a", "d"]
    write_recipe(tmp_path / "all" / "c", meta.format(name="c", run="a"))
    circle = twofold("build", tmp_path / "all", "--recipe-dir")
    assert circle.code == 1
    assert "in a circle" in circle.err


def test_recipes_deep_in_folders_are_read_before_one_is_built(twofold: Run, tmp_path: Path) -> None:
    root = tmp_path / "all"
    meta = META + "build: {{noarch: generic}}\nrequirements:\n  run:\n    - {run}\n"
    feedstock = write_recipe(root / "feeds/b-feedstock/recipe", meta.format(name="b", run="c"))
    write_recipe(feedstock / "tests", "not read: {")
    by_system = meta.format(name="c", run="__win  # [win]\n    - __unix  # [unix]")
    write_recipe(root / "c/recipe", by_system)
    (root / "c" / "conda-forge.yml").write_text("noarch_platforms: [linux_64, win_64]\n")
    done = twofold("build", root, "--recipe-dir", "--render-only", "--json")
    assert done.code == 0, done.err
    found = [(p["package"]["name"], p["target_platform"]) for p in json.loads(done.out)["packages"]]
    assert found[:2] == [("c", "linux-64"), ("c", "win-64")] and found[2][0] == "b"
    with pytest.raises(TwofoldError) as below:
        check_recipes_below(feedstock.parent)
    assert below.value.hint == f"run 'twofold build {feedstock}'"

    write_recipe(root / "d", meta.format(name="b", run="c"))
    with pytest.raises(TwofoldError, match="no project and no recipe") as below:
        check_recipes_below(root)
    assert below.value.hint.startswith("build all 2 with --recipe-dir")
    twice = twofold("build", root, "--recipe-dir")
    assert twice.code == 1 and "two recipes make b-1.0.0-0.conda" in twice.err
    for name in ("d", "e"):
        write_recipe(root / name, meta.format(name="B b", run="c"))
    wrong = twofold("build", root, "--recipe-dir")
    places = [f"{root / name / 'meta.yaml'}:2: package/name" for name in ("d", "e")]
    assert wrong.code == 1 and all(place in wrong.err for place in places), wrong.err


@pytest.mark.parametrize("option", ["--allow-network", "--target-platform=win-64"])
def test_an_option_for_recipes_is_refused_for_a_project(
    twofold: Run, tmp_path: Path, option: str
) -> None:
    done = twofold("build", make_project(tmp_path / "p"), option)
    assert done.code == 2
    assert option.partition("=")[0] in done.err


def test_a_package_that_only_requires_others_needs_no_noarch(tmp_path: Path) -> None:
    folder = tmp_path / "meta"
    text = META.format(name="my-meta") + "requirements:\n  run: [python >=3.10, click]\n"
    made = Builder()(write_recipe(folder, text))
    (package,) = made.artifacts
    assert read_info(package.path)["depends"] == ["python >=3.10", "click"]
    assert "my-meta has no script and no source: it is built without files" in made.messages


@pytest.mark.parametrize("name", ["meta.yaml", "recipe.yaml"])
def test_a_recipe_of_a_name_and_a_version_makes_a_package_without_anything(
    tmp_path: Path, name: str
) -> None:
    made = Builder()(write_recipe(tmp_path, "package: {name: bare, version: '1'}\n", name))
    (package,) = made.artifacts
    assert package.filename == "bare-1-0.conda"
    assert read_info(package.path)["depends"] == []


WITH_SELECTOR = """\
package: {name: by-system, version: "1"}
build:
  noarch: generic
  string: win_0  # [win]
requirements:
  run:
    - __win  # [win]
    - __unix  # [unix]
"""


@pytest.mark.parametrize(
    ("place", "string", "builds"),
    [
        (".", "  string: win_0  # [win]\n", ("h1daa6ce_0", "win_0")),
        ("..", "", ("h1daa6ce_0", "h3a91677_0")),
        (".", "  string: x_{{ PKG_HASH }}\n", ("x_1daa6ce", "x_3a91677")),
    ],
)
def test_a_noarch_recipe_is_built_for_the_platforms_of_conda_forge_yml(
    twofold: Run, tmp_path: Path, place: str, string: str, builds: tuple[str, str]
) -> None:
    text = WITH_SELECTOR.replace("  string: win_0  # [win]\n", string)
    folder = write_recipe(tmp_path / "recipe", text)
    (folder / place / "conda-forge.yml").write_text("noarch_platforms: [linux_64, win_64]\n")
    done = twofold("build", folder)
    assert done.code == 0, done.err
    assert "noarch_platforms: building for linux-64, win-64" in done.err
    made = {path.name: read_info(path)["depends"] for path in folder.rglob("*.conda")}
    assert made == {
        f"by-system-1-{builds[0]}.conda": ["__unix"],
        f"by-system-1-{builds[1]}.conda": ["__win"],
    }


def test_all_means_the_platforms_of_conda_forge(twofold: Run, tmp_path: Path) -> None:
    text = WITH_SELECTOR.replace("  noarch: generic\n", "").replace(
        "  string: win_0  # [win]\n", ""
    )
    folder = write_recipe(tmp_path, text.replace("build:\n", ""))
    assert twofold("build", folder, "--target-platform", "all").code == 0
    found = sorted(path.parent.name for path in folder.rglob("*.conda"))
    assert found == ["linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"]
    wrong = twofold("build", folder, "--target-platform", "amiga-68")
    assert wrong.code == 2 and "'all' for those of conda-forge" in wrong.err


def test_an_undefined_name_that_the_pinning_sets_gets_a_hint_to_it(
    twofold: Run, tmp_path: Path
) -> None:
    for name, is_pinned in (("libabseil", True), ("nowhere_set", False)):
        text = (
            f"package: {{name: x, version: '1'}}\nrequirements:\n  run:\n    - a {{{{ {name} }}}}\n"
        )
        done = twofold("build", write_recipe(tmp_path / name, text))
        assert done.code == 1
        assert ("--variant-config conda-forge" in done.err) is is_pinned
