"""The suite never reads the user's own files: their configuration changes no test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Files that clients read in a home. Their text is none of their formats: to read one is to fail.
TRAPS = (
    ".pypirc",
    ".netrc",
    ".condarc",
    ".gitconfig",
    ".pip/pip.conf",
    ".aws/config",
    ".config/pip/pip.conf",
    ".config/uv/uv.toml",
    ".config/git/config",
    ".config/twofold/config.toml",
    ".continuum/anaconda-client/config.yaml",
    ".config/anaconda-client/config.yaml",
    "AppData/Roaming/pip/pip.ini",
    "AppData/Roaming/uv/uv.toml",
    "Library/Application Support/pip/pip.conf",
    "Library/Application Support/twofold/config.toml",
)

#: Quick tests of what reads configuration: twine, pip, uv, anaconda-client, git, twofold.
TESTS = (
    "tests/publish/test_configuration.py",
    "tests/house/test_users_files.py::test_programs_read_no_configuration_of_the_user",
)


def test_a_test_has_a_home_of_its_own(tmp_path: Path) -> None:
    assert Path.home() == tmp_path.with_name(f"{tmp_path.name}-home")
    assert [path.name for path in Path.home().iterdir()] == [".gitconfig"]


@pytest.mark.parametrize(
    "command",
    [
        ["git", "config", "--list"],
        [sys.executable, "-m", "pip", "config", "list"],
        ["uv", "python", "dir"],
    ],
    ids=["git", "pip", "uv"],
)
def test_programs_read_no_configuration_of_the_user(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_of_the_user_change_no_test(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in TRAPS:
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"not": [any of the formats\n', encoding="utf-8")
    trap = str(home / ".pypirc")
    roaming = home / "AppData" / "Roaming"
    settings = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(roaming),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "NETRC": trap,
        "CONDARC": trap,
        "GIT_CONFIG_GLOBAL": trap,
        "TWINE_CONFIG_FILE": trap,
        "TWINE_PASSWORD": "not the tests'",
        "TWINE_REPOSITORY_URL": "not an address",
        "TWOFOLD_TOKEN": "not the tests'",
        "TWOFOLD_CONFIG_DIR": str(home / ".config" / "twofold"),
    }
    # The run below is one of its own, in this process alone.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"--basetemp={tmp_path / 'run'}"]
    done = subprocess.run(
        [*command, *TESTS],
        cwd=ROOT,
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
