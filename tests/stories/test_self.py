"""twofold packs itself for both worlds, and is released to a registry of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.servers.registry import Registry

ROOT = Path(__file__).parents[2]


def run(words: list[str | Path], folder: Path, **variables: str) -> str:
    """Run a program; its output, both streams together."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def copy_repository(root: Path) -> None:
    """Copy the files that git tracks, as they are now."""
    tracked = run(["git", "ls-files", "-z"], ROOT).split("\0")
    for name in filter(None, tracked):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, root / name)


@pytest.mark.slow
@pytest.mark.git
def test_twofold_builds_checks_tries_and_releases_itself(
    registry: Registry, tmp_path: Path
) -> None:
    tool: list[str | Path] = [sys.executable, "-m", "twofold"]
    root = tmp_path / "twofold"
    copy_repository(root)
    for project in (root / "backend", root):
        run([*tool, "build"], project)
        run([*tool, "check", *sorted((project / "dist").glob("*.whl"))], project)
    packages = {path.name.partition("-0")[0] for path in root.glob("conda-bld/noarch/*.conda")}
    assert {"twofold", "twofold-publish", "twofold-server", "twofold-all"} <= packages
    token = {"TWOFOLD_TOKEN": registry.token}
    for project in (root / "backend", root):
        run([*tool, "publish", "--to", registry.channel, "--yes"], project, **token)
    # What the backend needs is brought to the registry as well: nothing else is asked below.
    run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "packaging"], tmp_path)
    (packaging,) = tmp_path.glob("packaging-*.whl")
    run([*tool, "publish", packaging, "--to", registry.channel, "--yes"], tmp_path, **token)
    backend = sorted((root / "backend").glob("dist/*.whl"))
    backend += sorted((root / "backend").glob("conda-bld/noarch/*.conda"))
    words = ["--channel", registry.channel, "--only"]
    assert "failed" not in run([*tool, "try", *backend, *words], tmp_path)

    run([*tool, "new", "hello"], tmp_path)
    alone = {"PIP_INDEX_URL": f"{registry.channel}/simple/", "PIP_CONFIG_FILE": os.devnull}
    alone |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1"}
    run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", "out", "./hello"],
        tmp_path,
        **alone,
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["hello-1.0.0-py3-none-any.whl"]


@pytest.mark.slow
@pytest.mark.git
@pytest.mark.skipif(sys.platform != "linux", reason="this machine's Python is repacked")
def test_twofold_runs_from_its_conda_package(tmp_path: Path) -> None:
    """Its dependencies are converted by twofold from their wheels; Python is this machine's."""
    tool: list[str | Path] = [sys.executable, "-m", "twofold"]
    root, out = tmp_path / "twofold", tmp_path / "out"
    copy_repository(root)
    for project in (root / "backend", root):
        run([*tool, "build", project, "--out", out], tmp_path)
    table = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    required = map(Requirement, table["dependencies"])
    needed = [
        f"{one.name}{one.specifier}"
        for one in required
        if one.name != "twofold-build" and (one.marker is None or one.marker.evaluate())
    ]
    channel = out / "conda-bld"
    run([*tool, "convert", *needed, "--with-deps", "--out", channel], tmp_path)
    prefix = tmp_path / "environment"
    run([*tool, "install", "twofold", "--from", channel, "--only", "--conda", prefix], tmp_path)

    own = prefix / "bin" / "twofold"
    alone = {"PYTHONPATH": "", "PATH": f"{prefix / 'bin'}{os.pathsep}{os.defpath}"}
    assert "build" in run([own, "--help"], tmp_path, **alone)
    where = run([prefix / "bin/python", "-c", "import twofold; print(twofold.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(prefix)
    run([own, "new", "hello"], tmp_path, **alone)
    run([own, "build", "hello"], tmp_path, **alone)
    assert (tmp_path / "hello/conda-bld/noarch/hello-1.0.0-py_0.conda").is_file()
    assert "0 errors, 0 warnings" in run([own, "check", "hello"], tmp_path, **alone)
