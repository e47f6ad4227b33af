"""schemathesis, as a program of its own, over the management API of a live server.

It makes requests out of the document, right and wrong ones, and holds the answers to it: none is
500, each is of a status, a type and a shape that the document names, wrong requests are refused and
right ones are not.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.auth import login_throttle


@pytest.mark.parametrize("examples", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_the_management_api_does_what_its_document_says(
    served: Place, tmp_path: Path, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        login_throttle, "MAX_FOR_USER", 10**9
    )  # it tries wrong passwords by the dozen
    monkeypatch.setattr(login_throttle, "MAX_FROM_ADDRESS", 10**9)
    served.publish(make_wheel(tmp_path, "my_package", "1.0.0"))
    command = [
        "schemathesis",
        "--no-color",
        "run",
        f"{served.url}/api/openapi.json",
        f"--header=Authorization: Bearer {served.token}",
        "--phases=examples,fuzzing",
        f"--max-examples={examples}",
        "--generation-deterministic",
        "--warnings=off",
        # It would look up the hosts it makes up.
        "--exclude-operation-id=set-upstream",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
