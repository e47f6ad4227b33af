"""Paths in messages: short inside the working folder, whole elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.cli.shown_paths import shorten_path


@pytest.mark.windows
def test_a_path_is_shown_relative_to_the_working_folder_that_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shorten_path(tmp_path / "dist" / "a.whl") == str(Path("dist", "a.whl"))
    assert shorten_path(tmp_path.parent / "b") == str(tmp_path.parent / "b")


@pytest.mark.windows
def test_a_path_on_another_drive_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Windows has no relative path, `os.path.relpath` raises ValueError."""

    def refuse(path: str) -> str:
        raise ValueError(f"path is on mount 'D:', start on mount 'C:': {path}")

    monkeypatch.setattr("os.path.relpath", refuse)
    assert shorten_path("D:\\out\\a.whl") == "D:\\out\\a.whl"
