"""Publishing to indexes with the legacy API that others wrote: pypiserver and devpi-server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.publish.conftest import Release


def test_a_release_goes_to_pypiserver_and_a_second_run_changes_nothing(
    twofold: Callable[..., Any], release: Release, pypiserver: str
) -> None:
    target = f"legacy+{pypiserver}/"
    first = twofold("publish", release.wheel, release.sdist, "--to", target, "--json")
    assert first.code == 0, first.err
    assert [row["action"] for row in first.json["files"]] == ["upload", "upload"]
    second = twofold("publish", release.wheel, release.sdist, "--to", target, "--json")
    assert second.code == 0, second.err
    assert [row["action"] for row in second.json["files"]] == ["nothing", "nothing"]
    assert second.json["uploaded"] == 0
