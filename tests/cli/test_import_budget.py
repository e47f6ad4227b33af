"""What a command imports: a library too many is a tenth of a second for everybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.releases import make_wheel

#: Command line -> what it must not import, and the most modules that it may.
BUDGETS = {
    "--help": ("argparse pathlib json twofold_build.errors", 70),
    "try --help": ("rattler ssl dataclasses asyncio twofold.install tempfile", 140),
    "unyank --help": ("urllib3 ssl twine email http.client", 220),
    "admin --help": ("sqlalchemy starlette jwt cryptography uvicorn inspect", 160),
    "index channel": ("packaging.metadata dataclasses inspect subprocess logging", 170),
    "convert {wheel} --out channel": ("importlib.metadata urllib.request ssl", 260),
    "publish {wheel} --to ./folder --dry-run": ("urllib3 twine keyring certifi ssl requests", 330),
}
RUNNER = """
import sys
from twofold.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(code, *sorted(sys.modules), file=sys.stderr)
"""


def run(words: list[str], folder: Path) -> tuple[int, set[str]]:
    """Run a command line in a process of its own; its exit code and the modules it imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    return int(code), set(modules)


def test_a_checked_file_is_published_without_the_rules(tmp_path: Path) -> None:
    """The findings of the dry run before it are in the cache."""
    words = ["publish", str(make_wheel(tmp_path, "demo", "1.0.0")), "--to", "./folder", "--dry-run"]
    run(words, tmp_path)
    code, modules = run(words, tmp_path)
    assert code == 0
    assert not modules & {"twofold.check.artifacts", "packaging.metadata", "subprocess", "email"}
    assert len(modules) <= 250


@pytest.mark.parametrize("line", BUDGETS)
def test_a_command_imports_what_it_needs(line: str, tmp_path: Path) -> None:
    (tmp_path / "channel" / "noarch").mkdir(parents=True)
    wheel = make_wheel(tmp_path, "demo", "1.0.0") if "{wheel}" in line else ""
    forbidden, largest = BUDGETS[line]
    code, modules = run(line.format(wheel=wheel).split(), tmp_path)
    assert code == 0
    assert sorted(modules & set(forbidden.split())) == []
    assert len(modules) <= largest
