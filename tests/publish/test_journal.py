"""The journal beside the files: foreign, damaged, and written by several publications at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release
from twofold.errors import TwofoldError
from twofold.publish.journal import JOURNAL_NAME, Journal
from twofold.publish.order import Order, prepare

ENTRY = {"target": "t", "file": "f", "sha256": "s", "state": "sent"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 1}',
        json.dumps({"version": 2, "files": []}),
        json.dumps({"version": 1, "files": {"a": 1}}),
        json.dumps({"version": 1, "files": [{**ENTRY, "target": ["t"]}]}),
        json.dumps({"version": 1, "files": [{**ENTRY, "sha256": 5}]}),
        json.dumps({"version": 1, "files": [{**ENTRY, "state": "flying"}]}),
        json.dumps({"version": 1, "files": [{**ENTRY, "more": "x"}]}),
    ],
)
def test_a_journal_that_is_none_is_reported_before_anything_is_sent(
    release: Release, tmp_path: Path, text: str
) -> None:
    (release.folder / JOURNAL_NAME).write_text(text)
    with pytest.raises(TwofoldError, match="the journal of earlier publications cannot be read"):
        prepare(Order([release.wheel], [str(tmp_path / "static")]))
    assert not (tmp_path / "static").exists()


def test_a_folder_in_the_journals_place_is_reported_before_anything_is_sent(
    twofold: Callable[..., Any], release: Release, tmp_path: Path
) -> None:
    (release.folder / JOURNAL_NAME).mkdir()
    ran = twofold("publish", release.wheel, "--to", tmp_path / "static")
    assert ran.code == 1
    assert JOURNAL_NAME in ran.err
    assert not (tmp_path / "static").exists()


def test_what_another_publication_noted_meanwhile_stays(tmp_path: Path) -> None:
    one, other = Journal(tmp_path / JOURNAL_NAME), Journal(tmp_path / JOURNAL_NAME)
    one.record("here", "a.whl", "1", "sent")
    other.record("there", "a.whl", "1", "sent")
    one.record("here", "b.whl", "2", "sending")
    other.record("there", "b.whl", "2", "sending")
    one.remove("here", "b.whl")
    left = Journal(tmp_path / JOURNAL_NAME)
    found = [left.get(place, file) for place in ("here", "there") for file in ("a.whl", "b.whl")]
    assert [entry and entry.state for entry in found] == ["sent", None, "sent", "sending"]


def test_several_publications_of_one_release_at_once_all_succeed(
    release: Release, tmp_path: Path
) -> None:
    places = [str(tmp_path / "one"), str(tmp_path / "two")]
    words = [*map(str, release.files), *(word for place in places for word in ("--to", place))]
    command = [sys.executable, "-m", "twofold", "publish", *words]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    for process in running:
        reported, _ = process.communicate(timeout=120)
        assert process.returncode == 0, reported
    entries = json.loads((release.folder / JOURNAL_NAME).read_text())["files"]
    assert {entry["file"] for entry in entries} == {file.name for file in release.files}
    assert not list(release.folder.glob("*.part"))
