"""What recipes build is solved, installed and used by py-rattler, and built by rattler-build."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.recipe_builder import (
    Builder,
    build_wheel,
    copy_recipe,
    make_project,
    read_info,
    read_members,
)
from twofold.convert import convert_wheel
from twofold.index.folder import index_folder
from twofold.install.conda import install_into_prefix
from twofold.recipe.request import Platform
from twofold.recipe.write.from_project import WriteRequest, write_recipe


def ran(prefix: Path, *words: str) -> str:
    program, *rest = words
    path = prefix / ("Scripts" if os.name == "nt" and program != "python" else "bin") / program
    if os.name == "nt" and program == "python":
        path = prefix / "python.exe"
    done = subprocess.run([path, *rest], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_the_documents_package_is_installed_and_imported(tmp_path: Path, offline: Path) -> None:
    """numpy comes from the channel with the repacked python; the recipe requires it."""
    folder = copy_recipe(tmp_path, "document")
    Builder()(folder)
    prefix = tmp_path / "env"
    installed = install_into_prefix(
        ["my_package"], [folder / "conda-bld", offline], prefix, cache=tmp_path / "cache"
    )
    assert {"my_package", "numpy", "python"} <= {package.name for package in installed}
    output = ran(prefix, "python", "-c", "import my_package; print(my_package.function1())")
    assert output == "function 1"


def test_outputs_and_entry_points_work_when_installed(tmp_path: Path, offline: Path) -> None:
    folder = copy_recipe(tmp_path, "several_outputs")
    Builder()(folder)
    prefix = tmp_path / "env"
    channels = [folder / "conda-bld", offline]
    installed = install_into_prefix(["thing-all"], channels, prefix, cache=tmp_path / "cache")
    assert {"thing-all", "thing", "numpy"} <= {package.name for package in installed}
    assert ran(prefix, "thing") == "thing"


def test_the_command_builds_a_folder_with_a_recipe(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    folder = copy_recipe(tmp_path, "several_outputs")
    ran = twofold("build", cwd=folder)
    assert ran.code == 0, ran.err
    assert "conda-bld/noarch/thing-3.1.2-py_4.conda" in ran.out.replace("\\", "/")
    (folder / "meta.yaml").write_text("package:\n  nme: x\n", encoding="utf-8")
    wrong = twofold("build", cwd=folder)
    assert wrong.code == 1
    assert "meta.yaml:2: package/nme" in wrong.err


@pytest.mark.slow
def test_rattler_build_builds_what_is_written_to_the_same_files(
    tmp_path: Path, offline: Path
) -> None:
    """pip and flit-core come through pip and become conda packages for the host environment."""
    channel = tmp_path / "channel"
    wheels = tmp_path / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(wheels)]
    subprocess.run([*command, "pip", "flit-core"], check=True, timeout=300)
    for wheel in wheels.iterdir():
        convert_wheel(wheel, channel)
    index_folder(channel)
    folder = make_project(tmp_path / "project", dependencies='"numpy"')
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace("twofold_build", "flit_core.buildapi").replace("twofold-build", "flit-core")
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    direct, hosted = tmp_path / "direct", tmp_path / "hosted"
    written = write_recipe(folder, WriteRequest(build_wheel, "recipe.yaml", folder)).text
    # The lowest Python of the recipe is not in this channel; the running one is.
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    written = written.replace('python_min: "3.9"', f'python_min: "{minor}"')
    (folder / "recipe.yaml").write_text(written, encoding="utf-8")
    builder = Builder()
    (ours,) = builder(folder, out=direct).artifacts
    # A variants file leaves the recipe to rattler-build.
    (folder / "variants.yaml").write_text("nothing:\n  - '1'\n", encoding="utf-8")
    (theirs,) = builder(
        folder,
        out=hosted,
        channels=(str(channel), str(offline)),
        platform=Platform(Platform.current().subdir, minor),
    ).artifacts
    assert "rattler-build" in " ".join(builder.messages)
    assert (ours.name, ours.version, ours.subdir) == (theirs.name, theirs.version, theirs.subdir)
    assert sorted(ours.depends) == sorted(theirs.depends)
    assert read_info(ours.path, "link")["noarch"] == read_info(theirs.path, "link")["noarch"]
    one, other = read_members(ours.path), read_members(theirs.path)
    left_out = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    files = [
        {n: d for n, d in found.items() if not n.startswith("info/") and not n.endswith(left_out)}
        for found in (one, other)
    ]
    assert files[0] == files[1]
