"""What `twofold recipe` writes, built by rattler-build in a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import read_members
from twofold.building import BuildRequest, build_project
from twofold.formats.reader import read_artifact
from twofold.install.repack_python import repack_python
from twofold.recipe.building.with_rattler import HostSettings, build_v1
from twofold.recipe.request import Platform
from twofold.recipe.write.from_project import WriteRequest, write_recipe
from twofold_build import __version__

ROOT = Path(__file__).parents[2]
#: What the hosts need; the running Python is repacked.
WHEELS = (
    "pip", "packaging", "six", "setuptools", "wheel", "flit_core", "hatchling", "pathspec",
    "pluggy", "trove-classifiers", "tomlkit",
)  # fmt: skip
BACKENDS = {
    "twofold_build": f'["twofold-build=={__version__}"]',
    "hatchling.build": '["hatchling"]',
    "setuptools.build_meta": '["setuptools>=61", "wheel"]',
    "flit_core.buildapi": '["flit_core>=3"]',
}
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PROJECT = f"""\
[project]
name = "demo-pkg"
version = "1.0"
description = "A sample"
requires-python = ">={MINOR}"
license = "MIT"
license-files = ["LICENSE"]
dependencies = ["six>=1", "packaging"]
[project.scripts]
demo = "demo_pkg:main"
"""


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with the running Python, pip and the backends, converted from their wheels."""
    folder = tmp_path_factory.mktemp("host")
    repack_python(folder / "channel")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder / "wheels"]
    subprocess.run([*map(str, pip), *WHEELS], check=True, timeout=300)
    build_project(ROOT / "backend", BuildRequest(("wheel",), folder / "own"))
    wheels = [*(folder / "wheels").glob("*.whl"), *(folder / "own" / "dist").glob("*.whl")]
    convert = [sys.executable, "-m", "twofold", "convert", *wheels, "--out", folder / "channel"]
    subprocess.run([str(word) for word in convert], check=True, timeout=300)
    return folder / "channel"


def _build_wheel(source: Path, out: Path) -> Path:
    (built,) = build_project(source, BuildRequest(("wheel",), out)).artifacts
    return Path(built.path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the running Python is repacked on POSIX")
@pytest.mark.parametrize("backend", BACKENDS)
def test_rattler_build_makes_the_same_package(backend: str, channel: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "demo_pkg" / "sub").mkdir(parents=True)
    module = '"""A sample."""\nimport packaging\nimport six\n\ndef main() -> None: ...\n'
    (root / "demo_pkg" / "__init__.py").write_text(module)
    (root / "demo_pkg" / "sub" / "__init__.py").write_text("")
    (root / "LICENSE").write_text("MIT\n")
    system = f'[build-system]\nrequires = {BACKENDS[backend]}\nbuild-backend = "{backend}"\n'
    (root / "pyproject.toml").write_text(system + PROJECT)
    (ours,) = build_project(root, BuildRequest(("conda",), tmp_path / "ours")).artifacts
    written = write_recipe(root, WriteRequest(_build_wheel, "recipe.yaml", tmp_path / "recipe"))
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "recipe.yaml").write_text(written.text)
    host = HostSettings(
        channels=(channel.as_uri(),),
        subdir=Platform.current().subdir,
        variants={"python": [MINOR], "python_min": [MINOR]},
    )
    (theirs,) = build_v1(tmp_path / "recipe" / "recipe.yaml", tmp_path / "theirs", host)
    one, other = read_artifact(Path(ours.path)), read_artifact(theirs)
    assert (one.name, one.version, sorted(one.depends)) == (
        other.name, other.version, sorted(other.depends),
    )  # fmt: skip
    files, others = (
        {
            path: data
            for path, data in read_members(Path(built)).items()
            if path.startswith("site-packages/") and ".dist-info/" not in path
        }
        for built in (ours.path, theirs)
    )
    assert files == others
    assert b"demo_pkg:main" in read_members(theirs)["info/link.json"]
