"""Pages of other sites cannot act for somebody whose browser knows the login."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.clients.management import Api
from tests.factories.packages import make_wheel
from tests.server.conftest import Place

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
]

#: Requests that a form of any page can send without being asked first.
REQUESTS = [
    ("POST", "/main/legacy/"),
    ("POST", "/main/upload"),
    ("POST", "/api/channels/main/upload/x-1-0.conda"),
    ("POST", "/api/v1/upload/main"),
    ("POST", "/api/manage/users"),
    ("POST", "/api/manage/users/bob/disable"),
    ("POST", "/api/package/main/evil"),
    ("POST", "/api/authentications"),
    ("POST", "/api/channels/main/dev"),
    ("POST", "/api/staged/0000"),
    ("POST", "/nowhere"),
    ("PUT", "/api/manage/users/bob"),
    ("DELETE", "/api/authentications"),
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_changes_that_another_site_asks_for_are_refused(
    served: Place, headers: dict[str, str]
) -> None:
    for method, path in REQUESTS:
        answer = requests.request(
            method,
            f"{served.url}{path}",
            headers=headers,
            auth=("owner", served.token),
            timeout=20,
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site"), path
    read = requests.get(f"{served.url}/main", headers=headers, timeout=20)
    assert read.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "own"}],
    ids=str,
)
def test_changes_by_programs_and_own_pages_are_made(
    served: Place, tmp_path: Path, headers: dict[str, str]
) -> None:
    own = {name: served.url if value == "own" else value for name, value in headers.items()}
    wheel = make_wheel(tmp_path)
    answer = requests.post(
        f"{served.channel}/legacy/",
        data={":action": "file_upload"},
        files={"content": (wheel.name, wheel.read_bytes())},
        headers=own,
        auth=("__token__", served.token),
        timeout=20,
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_without_the_media_type_json_is_refused(served: Place, kind: str | None) -> None:
    body = json.dumps({"public_attrs": {"summary": "owned"}})
    headers = {"Content-Type": kind, "Authorization": f"token {served.token}"}
    for path in ("/api/package/main/evil", "/api/authentications", "/api/channels/main/dev"):
        answer = requests.post(f"{served.url}{path}", data=body, headers=headers, timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (415, "not-json"), path
    assert Api(served).send("GET", "/channels/main").status_code == 200
