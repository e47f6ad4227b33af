"""What the tests of check share: a cache of their own, and projects made of a few lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TWOFOLD_CACHE_DIR", str(folder))
    return folder


#: A project without a single finding, but for what the packed test environment adds.
GOOD = {
    "pyproject.toml": """\
[build-system]
requires = ["twofold-build"]
build-backend = "twofold_build"

[project]
name = "pkg"
version = "1.0.0"
description = "A sample"
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]
requires-python = ">=3.9"
dependencies = []
""",
    "README.md": "# pkg\n",
    "LICENSE": "MIT\n",
    "src/pkg/__init__.py": "",
}


def write(root: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Write files below `root`; None takes one away."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        elif isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
    return root


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """The good project with some files otherwise; `toml` replaces texts in its pyproject.toml."""

    def make(
        files: Mapping[str, str | bytes | None] | None = None,
        toml: Mapping[str, str] | None = None,
        name: str = "project",
    ) -> Path:
        text = GOOD["pyproject.toml"]
        for old, new in (toml or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        return write(tmp_path / name, {**GOOD, "pyproject.toml": text, **(files or {})})

    return make
