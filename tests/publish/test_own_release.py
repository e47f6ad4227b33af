"""twofold's own repository is released with `twofold workspace release`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this checkout, whose environment is the one that the tests run in."""
    clone = tmp_path / "twofold"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    settings = [clone / "pyproject.toml", clone / "backend" / "pyproject.toml"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in settings)).hexdigest()
    (clone / ".venv" / "twofold-stamp.txt").write_text(digest)
    return clone


def release(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "scripts" / "release"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=checkout.parent)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the environment is a script for sh")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an sdist is no repository")
def test_both_distributions_are_planned_in_their_order_and_nothing_stays(checkout: Path) -> None:
    out = checkout.parent / "out"
    ran = release(checkout, "--to", str(out), "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("can be released; nothing was changed") == 2
    planned = [line.split()[1] for line in ran.stderr.splitlines() if "  upload " in line]
    wheels = [name.partition("-")[0] for name in planned if name.endswith(".whl,")]
    assert wheels == ["twofold_build", "twofold"]
    assert not out.exists()
    status = ["git", "-C", str(checkout), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""
    ran = release(checkout, "--to", str(out), "--tag", "v9.9.9")
    assert "the tag is v9.9.9" in ran.stderr
    assert not out.exists()
