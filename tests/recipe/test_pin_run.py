"""`pin_run_as_build` and `numpy x.x`: what a package requires follows what it was built with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder
from twofold.artifact import Artifact
from twofold.conda_metadata import CondaPackage
from twofold.errors import ProjectErrors
from twofold.formats.conda_writer import CondaWriter
from twofold.index.folder import index_folder
from twofold.recipe.request import Platform

posix = pytest.mark.skipif(os.name == "nt", reason="its script is for a POSIX shell")
SCRIPT = 'mkdir -p "$PREFIX/share"\necho built > "$PREFIX/share/built"\n'
TOP = "package: {name: sample, version: 1.0.0}\nrequirements:\n"


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """numpy, libz and tool, each in two versions."""
    folder = tmp_path_factory.mktemp("channel")
    for name, version in (
        ("numpy", "1.26.4"),
        ("numpy", "2.1.3"),
        ("libz", "1.2.13"),
        ("libz", "1.3.1"),
        ("tool", "5.4.3"),
        ("tool", "6.0"),
    ):
        package = CondaPackage(name, version, build="0", noarch="generic")
        target = folder / "noarch" / f"{package.stem}.conda"
        target.parent.mkdir(exist_ok=True)
        CondaWriter(target, package).close()
    index_folder(folder)
    return folder


def built(folder: Path, channel: Path, needs: str, config: str) -> list[Artifact]:
    (folder / "build.sh").write_text(SCRIPT, encoding="utf-8")
    (folder / "conda_build_config.yaml").write_text(config, encoding="utf-8")
    build = Builder(platform=Platform.current())
    return build(folder, TOP + needs, channels=(str(channel),)).artifacts


@posix
def test_requirements_in_host_and_run_are_pinned_as_the_variants_define(
    tmp_path: Path, channel: Path
) -> None:
    config = (
        "libz: [1.2]\n"
        "pin_run_as_build:\n  libz:\n    min_pin: x.x\n    max_pin: x.x\n"
        "  tool: x\n  numpy:\n    max_pin: x.x\n"
    )
    needs = "  host: [libz, tool, numpy]\n  run: [libz, 'tool >=5', other]\n"
    (made,) = built(tmp_path, channel, needs, config)
    # As conda-build does, the pin takes the place of tool's own bound; numpy is not asked for.
    assert sorted(made.depends) == ["libz >=1.2,<1.3.0a0", "other", "tool >=6,<7.0a0"]


@posix
def test_numpy_x_x_is_built_for_each_numpy_of_the_variants(tmp_path: Path, channel: Path) -> None:
    needs = "  build:\n    - numpy x.x\n  run:\n    - numpy  x.x\n"
    made = built(tmp_path, channel, needs, "numpy:\n  - 1.26\n  - 2.1\n")
    assert [one.depends for one in made] == [("numpy >=1.26,<1.27.0a0",), ("numpy >=2.1,<2.2.0a0",)]


def test_invalid_pins_are_reported_with_their_location(tmp_path: Path, channel: Path) -> None:
    with pytest.raises(ProjectErrors) as caught:
        built(tmp_path, channel, "  run:\n    - numpy x.x\n    - libz x.x\n", "libz: 1\n")
    found = {problem.where: problem.message for problem in caught.value.problems}
    assert found == {
        "meta.yaml:4: requirements/run": (
            "'numpy x.x' follows the host's numpy, but the host has no numpy"
        ),
        "meta.yaml:5: requirements/run": "'libz x.x' is not a valid conda requirement",
    }
    config = (
        "pin_run_as_build:\n  libz:\n    max_pin: 1.2\n  a:\n    upper: x\n  tool: y\n  b: [x]\n"
    )
    with pytest.raises(ProjectErrors) as caught:
        built(tmp_path, channel, "  run: [libz]\n", config)
    assert [(one.where, one.message) for one in caught.value.problems] == [
        (f"conda_build_config.yaml:{line}: pin_run_as_build/{name}", "invalid pin")
        for line, name in ((3, "libz"), (5, "a"), (6, "tool"), (7, "b"))
    ]
    with pytest.raises(ProjectErrors, match="expected names with their pins"):
        built(tmp_path, channel, "  run: [libz]\n", "pin_run_as_build: [libz]\n")


def test_a_package_may_pin_itself_in_its_constraints(tmp_path: Path) -> None:
    text = """\
package: {name: own, version: 1.2.3}
build: {noarch: generic}
requirements:
  run_constrained:
    - {{ pin_subpackage(PKG_NAME, max_pin="x.x") }}
"""
    (tmp_path / "meta.yaml").write_text(text, encoding="utf-8")
    (made,) = Builder()(tmp_path).artifacts
    assert json.loads(made.metadata)["constrains"] == ["own >=1.2.3,<1.3.0a0"]
