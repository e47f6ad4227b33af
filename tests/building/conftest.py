"""Sample projects for builds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.sample_projects import copy_sample


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of a sample project."""
    return lambda name: copy_sample(name, tmp_path / name)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks remember nothing from other tests."""
    monkeypatch.setenv("TWOFOLD_CACHE_DIR", str(tmp_path / "twofold-cache"))
