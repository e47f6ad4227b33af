"""Real pips from 2021 to today against one registry (PEP 658, 691, 700 and 714 came in between)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place
from twofold.server.registry import lifecycle

#: The version of Debian 12 is the one that failed on an answer of ours: it is in every run.
OLD = "23.0"
MATRIX = ["21.3", "22.3", "23.1", "24.0", ""]


@pytest.mark.parametrize(
    "version", [OLD, *(pytest.param(one, marks=pytest.mark.slow) for one in MATRIX)]
)
def test_pip_installs_from_the_registry(served: Place, tmp_path: Path, version: str) -> None:
    if version in ("21.3", "22.3", "23.0", "23.1") and sys.version_info >= (3, 12):
        pytest.skip("pips before 23.1.2 import pkgutil.ImpImporter, which Python 3.12 removed")
    uv = shutil.which("uv")
    assert uv is not None
    wheels = tmp_path / "wheels"
    served.publish(make_wheel(wheels, "Alpha.One", "1.0", "Requires-Dist: beta-two>=1"))
    served.publish(make_wheel(wheels, "Alpha.One", "2.0rc1"))
    served.publish(make_wheel(wheels, "alpha_one", "1.5", "Requires-Python: >=3.99"))
    served.publish(make_wheel(wheels, "beta_two", "1.0"))
    served.publish(make_wheel(wheels, "beta_two", "1.1"))
    served.publish(make_sdist(wheels, "beta_two", "1.0"))
    lifecycle.yank(served.registry, served.owner, "main", "beta-two", "1.1", "bad & <b>")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", tmp_path / "venv"], check=True, timeout=120)
    wanted = f"pip=={version}.*" if version else "pip"
    install = [uv, "pip", "install", "-q", "--python", python, wanted]
    subprocess.run(install, check=True, timeout=300)

    def pip(*words: str | Path) -> str:
        command = [python, "-m", "pip", *words, "--disable-pip-version-check", "--no-cache-dir"]
        done = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    index = ("--index-url", f"{served.channel}/simple/")
    pip("install", *index, "alpha_one")
    listed = pip("list", "--format=freeze")
    assert "beta_two==1.0\n" in listed.replace("-", "_")
    assert "==1.0\n" in listed and "2.0rc1" not in listed and "==1.5" not in listed
    pip("download", *index, "--no-deps", "-d", tmp_path / "out", "beta-two==1.1")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["beta_two-1.1-py3-none-any.whl"]
