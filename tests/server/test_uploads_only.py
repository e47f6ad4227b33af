"""Tokens that upload, and change nothing that is published."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.auth.accounts import TokenRequest
from twofold.server.model import UPLOADS_ONLY, Action
from twofold.server.registry import administration

MANAGE = "/api/manage/channels/main"
CHANGES = [
    ("DELETE", f"{MANAGE}/projects/my-package", None),
    ("DELETE", f"{MANAGE}/projects/my-package/releases/1.0.0", None),
    ("DELETE", f"{MANAGE}/projects/my-package/files/my_package-1.0.0-py3-none-any.whl", None),
    ("PUT", f"{MANAGE}/projects/my-package/releases/1.0.0/yank", {}),
    ("DELETE", f"{MANAGE}/projects/my-package/releases/1.0.0/yank", None),
    ("PUT", f"{MANAGE}/projects/my-package/status", {"status": "archived"}),
    ("POST", f"{MANAGE}/labels/other/files", {"project": "my-package"}),
    ("DELETE", f"{MANAGE}/labels/main/files?project=my-package", None),
    ("DELETE", f"{MANAGE}/labels/dev", None),
    ("POST", f"{MANAGE}/promotions", {"source": "main", "project": "my-package", "to_label": "x"}),
    ("DELETE", "/api/package/main/my_package", None),
    ("DELETE", "/api/dist/main/my_package/1.0.0/my_package-1.0.0-py3-none-any.whl", None),
]


@pytest.fixture
def token(served: Place, tmp_path: Path) -> str:
    """A token for uploads alone, of the owner, who may do everything."""
    served.publish(make_wheel(tmp_path))
    request = TokenRequest("ci", application={UPLOADS_ONLY: True})
    return accounts.issue_token(served.registry, served.owner, request)[0]


def test_it_uploads_and_reads(served: Place, tmp_path: Path, token: str) -> None:
    assert served.upload(make_wheel(tmp_path, "other"), token).status_code == 200
    assert served.get("/main/simple/other/", token).status_code == 200


def test_it_changes_nothing_that_is_there(served: Place, token: str) -> None:
    before = served.get("/main/simple/my-package/").content
    for method, path, body in CHANGES:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.request(
            method, f"{served.url}{path}", json=body, headers=headers, timeout=60
        )
        assert answer.status_code in (403, 404), (method, path, answer.text)
        assert answer.status_code == 404 or answer.json()["code"] == "uploads-only", path
    assert served.get("/main/simple/my-package/").content == before


def test_it_makes_no_token_that_may_do_more_and_administers_nothing(
    served: Place, token: str
) -> None:
    actor = accounts.identify(served.registry, token)
    made = TokenRequest("more", frozenset({Action.UPLOAD}))
    secret, issued = accounts.issue_token(served.registry, actor, made)
    assert issued.uploads_only
    assert accounts.identify(served.registry, secret).token == issued
    answer = requests.post(
        f"{served.url}/api/manage/users",
        json={"name": "eve"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert answer.status_code == 403


def test_the_command_and_the_api_make_such_tokens(served: Place) -> None:
    answer = requests.post(
        f"{served.url}/api/manage/users/owner/tokens",
        json={"name": "ci", "uploads_only": True},
        headers={"Authorization": f"Bearer {served.token}"},
        timeout=60,
    )
    assert answer.status_code == 201 and answer.json()["token"]["uploads_only"] is True


def test_an_administrator_allows_a_name_that_looks_like_another(
    place: Place, tmp_path: Path
) -> None:
    place.publish(make_wheel(tmp_path, "h11"))
    with pytest.raises(Refused, match="confusable"):
        place.publish(make_wheel(tmp_path, "hll"))
    administration.change_rule(place.registry, "ann", "main", "allowed-names", "HLL,h-11")
    place.publish(make_wheel(tmp_path, "hll"))
    place.publish(make_wheel(tmp_path, "h_11"))
    with pytest.raises(Refused, match="not a valid value"):
        administration.change_rule(place.registry, "ann", "main", "allowed-names", "a b,")
