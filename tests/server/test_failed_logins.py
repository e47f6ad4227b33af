"""Failed logins in the log, and fail2ban's filter for them."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.server.conftest import Place

FILTER = Path(__file__).parents[2] / "deploy" / "fail2ban" / "filter.d" / "twofold.conf"


@pytest.fixture
def lines(served: Place) -> list[str]:
    """The log's lines of logins that failed and of some that did not."""
    found: list[str] = []
    logger, handler = logging.getLogger("twofold.server"), logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        evil = 'x", "client": "192.0.2.66'
        for auth in (
            ("ann", "wrong-password"),
            ("__token__", "twofold-abc"),
            (evil, "wrong-password"),
        ):
            answer = requests.get(f"{served.channel}/whoami", auth=auth, timeout=60)
            assert answer.status_code == 401
        assert served.get("/t/twofold-abc/main/simple/").status_code == 401
        assert served.get("/main/whoami", served.token).status_code == 200
        assert served.get("/main/whoami").status_code in (200, 401)
    finally:
        logger.removeHandler(handler)
    return found


def test_a_failed_login_is_one_line_that_names_the_client(lines: list[str]) -> None:
    failed = [json.loads(line) for line in lines if '"failed": "login"' in line]
    assert [entry["reason"] for entry in failed] == [
        "invalid-login",
        "invalid-token",
        "invalid-login",
        "invalid-token",
    ]
    assert {entry["client"] for entry in failed} == {"127.0.0.1"}
    assert not any("wrong-password" in line or "twofold-abc" in line for line in lines)


def test_the_filter_finds_the_client_of_every_failure_and_no_other(lines: list[str]) -> None:
    failregex = re.search(r"^failregex = (.*)$", FILTER.read_text(), re.MULTILINE)
    assert failregex is not None
    pattern = re.compile(failregex[1].replace("<HOST>", r"(?P<host>[0-9a-f.:]+)"))
    found = [match["host"] for line in lines if (match := pattern.search(line))]
    assert found == ["127.0.0.1"] * 4


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="fail2ban is not installed")
def test_fail2ban_reads_the_filter(lines: list[str], tmp_path: Path) -> None:
    log = tmp_path / "twofold.log"
    log.write_text("\n".join(lines) + "\n", "utf-8")
    command = ["fail2ban-regex", "-o", "ip", log, FILTER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["127.0.0.1"] * 4, done.stdout + done.stderr
