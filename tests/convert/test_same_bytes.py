"""One wheel is one conda package, whoever makes it: `build`, `convert` and the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.artifacts import write_wheel
from tests.factories.sample_projects import SAMPLES, copy_sample
from twofold.building.conda_outputs import CondaOutputs
from twofold.building.delivery import make_conda_packages
from twofold.building.options import BuildRequest
from twofold.convert import CondaOptions, convert_all, parse_options
from twofold.formats.conda_writer import BUILD_LEVEL
from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.registry.publish import Upload, publish
from twofold.server.settings import Settings
from twofold_build.build import write_artifacts
from twofold_build.plan import make_plan
from twofold_build.wheel import make_wheel_writer

DIST_INFO = "my_package-1.0.0.dist-info"
DATA = "my_package-1.0.0.data"
#: A file for each way by which a member gets to its place in a package.
FILES = {
    "my_package/__init__.py": b"answer = 42\n",
    f"{DATA}/scripts/tool": b"#!python -x\nprint('tool')\n",
    f"{DATA}/scripts/native": b"\x7fELF native",
    f"{DATA}/data/share/my_package/table.txt": b"1 2 3\n",
    f"{DATA}/headers/my_package.h": b"int answer;\n",
    f"{DATA}/platlib/other.py": b"x = 1\n",
    f"{DIST_INFO}/INSTALLER": b"pip\n",
    f"{DIST_INFO}/entry_points.txt": b"[console_scripts]\nmy-tool = my_package:f\n",
    f"{DIST_INFO}/licenses/deps/LICENSE": b"MIT\n",
    f"{DIST_INFO}/COPYING.txt": b"see LICENSE\n",
}
METADATA = """\
Metadata-Version: 2.4
Name: my_package
Version: 1.0.0
Requires-Python: >=3.9
Requires-Dist: numpy>=1.26,<3
Requires-Dist: tomli>=2; python_version < '3.11'
Requires-Dist: pywin32; sys_platform == 'win32'
Provides-Extra: fancy
Requires-Dist: rich>=13; extra == 'fancy'
"""
TAGS = (
    "py3-none-any",
    "cp39-abi3-macosx_10_9_universal2",
    "cp312-cp312-win_amd64",
    "cp313-cp313t-musllinux_1_2_aarch64",
    "cp311.cp312-cp311.cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A fresh registry on SQLite and files."""
    opened = open_registry(Settings(tmp_path / "registry"))
    yield opened
    opened.database.close()


def publish_wheel(registry: Registry, wheel: Path) -> dict[str, str]:
    """Publish a wheel; file name -> SHA-256 of the packages that the registry makes of it."""
    token = accounts.bootstrap_owner(registry)
    assert token is not None
    copy = wheel.with_name("upload")
    copy.write_bytes(wheel.read_bytes())
    actor = accounts.identify(registry, token)
    uploaded = publish(registry, actor, "main", Upload(copy, wheel.name))
    assert uploaded.conversion_note is None
    return {one.filename: one.sha256 for one in uploaded.converted}


def convert_hashed(wheel: Path, channel: Path, options: CondaOptions) -> dict[str, str]:
    """File name -> SHA-256 of the packages that `convert` makes."""
    options.level = BUILD_LEVEL
    return {one.filename: one.sha256 for one in convert_all(wheel, channel, options)}


def build_hashed(root: Path) -> tuple[Path, dict[str, str]]:
    """The wheel of a project, and file name -> SHA-256 of the packages built beside it."""
    plan = make_plan(root)
    outputs = CondaOutputs(plan, str(root / "conda-bld"), ["conda"])
    write_artifacts(plan, [], [make_wheel_writer(str(root / "dist"), plan), *outputs.writers])
    (wheel,) = (root / "dist").glob("*.whl")
    return wheel, {Path(one.path).name: one.sha256 for one in outputs.finish()}


@pytest.mark.parametrize("name", SAMPLES)
def test_build_convert_and_the_registry_make_the_same_packages_of_a_project(
    name: str, tmp_path: Path, registry: Registry
) -> None:
    root = copy_sample(name, tmp_path / name)
    wheel, built = build_hashed(root)
    table = make_plan(root).project.settings.table.get("conda", {})
    assert built == convert_hashed(wheel, tmp_path / "converted", parse_options(table))
    if not table:  # what a project says about conda is not in its wheel
        assert built == publish_wheel(registry, wheel)


@pytest.mark.parametrize("tags", TAGS)
def test_convert_a_build_by_another_backend_and_the_registry_make_the_same_packages_of_a_wheel(
    tags: str, tmp_path: Path, registry: Registry
) -> None:
    wheel = write_wheel(tmp_path / "dist", FILES, METADATA, f"my_package-1.0.0-{tags}.whl")
    converted = convert_hashed(wheel, tmp_path / "converted", CondaOptions())
    assert converted
    assert publish_wheel(registry, wheel) == converted
    request = BuildRequest(["conda", "tar.bz2"], report=str)
    built = make_conda_packages(wheel, tmp_path / "built", request, CondaOptions())
    paths = [Path(path) for _, path, _ in built]
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert {name: one for name, one in hashes.items() if name.endswith(".conda")} == converted
