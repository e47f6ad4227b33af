"""What `twofold admin doctor` finds at a real nginx in front of the registry."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.server.conftest import Place, serve
from tests.server.test_behind_nginx import configure, find_port, run_nginx
from twofold.server.doctor import Finding, addresses, examine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]

FORWARDED = "X-Forwarded-For $remote_addr"


@pytest.mark.parametrize("prefix", ["", "/pkgs"], ids=["at the top", "at a path"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        (FORWARDED, "X-Forwarded-For $proxy_add_x_forwarded_for", ""),
        (FORWARDED, "X-Forwarded-For $http_x_forwarded_for", "chooses its own address"),
        (f"proxy_set_header {FORWARDED};", "", "chooses its own address"),
        (FORWARDED, 'X-Forwarded-For ""', "does not name its clients"),
        ("client_max_body_size 4g;", "", "refuses uploads of 1 GiB"),
        ("proxy_request_buffering off;", "", "waits for the whole"),
        ("proxy_pass http", "return 302 https://elsewhere.invalid; #", "cannot be reached"),
        ("proxy_pass http", 'return 200 "hello"; #', "something that does not know"),
        ("proxy_pass http", "return 502; #", "something that does not know"),
    ],
)
def test_a_proxy_is_examined_by_what_comes_through_it(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    old: str,
    new: str,
    message: str,
) -> None:
    monkeypatch.setattr(addresses, "TIMEOUT", 2)
    port = find_port()
    address = find_address()
    public = f"http://{address}:{port}{prefix}"
    place.settings = replace(place.settings, public_url=public)
    with serve(place):
        config = configure(tmp_path, port, place.url, prefix, address)
        text = config.read_text("utf-8")
        assert old in text
        config.write_text(text.replace(old, new) if old else text, "utf-8")
        is_there: Callable[[], requests.Response] = lambda: requests.get(  # noqa: E731
            f"http://{address}:{port}/", timeout=5, allow_redirects=False
        )
        with run_nginx(config, tmp_path, is_there, codes=range(200, 600)):
            found = [one for one in examine(place.settings) if one.check in ("proxy", "public")]
    wrong = [one for one in found if one.state != "ok"]
    assert bool(wrong) == bool(message), found
    assert_each_has_a_hint(wrong)
    assert message in " ".join(one.message for one in wrong)


def find_address() -> str:
    """An address of this machine that is no loopback, so that a client has another than a proxy."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        try:
            unused.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no other address than loopback")
        return str(unused.getsockname()[0])


def assert_each_has_a_hint(findings: list[Finding]) -> None:
    assert [one for one in findings if not one.hint] == []
