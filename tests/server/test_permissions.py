"""People and their rights: who guesses is stopped, and who may not look learns nothing."""

from __future__ import annotations

import base64
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from argon2 import PasswordHasher
from sqlalchemy import func, select

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.admission.checks import FormClaims
from twofold.server.auth import accounts, login_throttle, required_roles
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.auth.tokens import MAX_HASHINGS
from twofold.server.model import Action, Actor
from twofold.server.registry import (
    administration,
    labels,
    lifecycle,
    queries,
    staged_upload,
)
from twofold.server.store.schema import guesses


def basic(user: str, password: str) -> dict[str, str]:
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {word}"}


def test_guessing_a_password_is_rate_limited_and_its_owner_is_not(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "MAX_FOR_USER", 2)
    accounts.add_user(served.registry, "operator", "ann", "a-long-password")
    token, _ = accounts.issue_token_for(
        served.registry,
        "operator",
        accounts.get_user(served.registry, "ann"),
        accounts.TokenRequest("t"),
    )
    urls = [f"{served.url}/api/user", f"{served.url}/api/manage/whoami"]
    for url in urls:
        assert requests.get(url, headers=basic("ann", "wrong"), timeout=120).status_code == 401
    for password in ("wrong", "a-long-password"):
        for url in urls:
            answer = requests.get(url, headers=basic("ann", password), timeout=120)
            assert (answer.status_code, answer.reason) == (429, "Too many wrong passwords")
            assert int(answer.headers["retry-after"]) > 0
    answer = requests.post(
        f"{served.url}/api/authentications", headers=basic("ann", "wrong"), json={}, timeout=120
    )
    assert answer.status_code == 429
    assert requests.get(urls[0], headers=basic("ann", token), timeout=120).status_code == 200
    assert requests.get(urls[0], headers=basic("bob", "wrong"), timeout=120).status_code == 401


def test_wrong_passwords_are_forgotten_and_a_flood_of_names_is_bounded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    database = place.registry.database
    guard = LoginThrottle(database, clock=lambda: at)

    def kept() -> int:
        with database.read() as db:
            return db.execute(select(func.count()).select_from(guesses)).scalar_one()

    def wrong(address: str, user: str) -> str:
        with pytest.raises(Refused) as refused, guard.attempt(address, user):
            raise Refused("invalid-login", "Invalid")
        return refused.value.code

    codes = [wrong("a", "ann") for _ in range(11)]
    assert codes == ["invalid-login"] * 10 + ["too-many-attempts"]
    assert wrong("b", "ann") == "invalid-login"
    codes = [wrong("a", f"user{n}") for n in range(41)]
    assert codes == ["invalid-login"] * 40 + ["too-many-attempts"]
    assert kept() == 2 * (10 + 1 + 40)
    at += timedelta(seconds=login_throttle.WINDOW + 1)
    assert wrong("a", "ann") == "invalid-login"
    assert kept() == 2
    monkeypatch.setattr(login_throttle, "MAX_ROWS", 10)
    for number in range(12):
        assert wrong(f"address{number}", "x") == "invalid-login"
    assert kept() == 10


def test_nothing_is_written_for_a_right_password_and_it_ends_the_count_of_wrong_ones(
    place: Place,
) -> None:
    guard = LoginThrottle(place.registry.database)

    def noted() -> int:
        with place.registry.database.read() as db:
            return db.execute(select(func.count()).select_from(guesses)).scalar_one()

    with place.registry.database.engine.connect() as watching:
        before = watching.exec_driver_sql("PRAGMA data_version").scalar_one()
        with guard.attempt("a", "ann"):
            pass
        assert watching.exec_driver_sql("PRAGMA data_version").scalar_one() == before
    for _ in range(9):
        with pytest.raises(Refused), guard.attempt("a", "ann"):
            raise Refused("invalid-login", "Invalid")
    assert noted() == 18
    with guard.attempt("a", "ann"):
        pass
    assert noted() == 9  # of the address alone


#: What a private channel holds or not, asked for by who may not look.
PAIRS = [
    ("/secret/simple/{}/", "there", "absent"),
    ("/secret/pypi/{}/json", "there", "absent"),
    ("/secret/project/{}", "there", "absent"),
    ("/secret/noarch/{}-1.0.0-py_0.conda", "there", "absent"),
    ("/api/package/secret/{}", "there", "absent"),
    ("/api/manage/channels/secret/projects/{}", "there", "absent"),
    ("/secret/label/{}/noarch/repodata.json", "main", "absent"),
]


def test_a_private_channel_reveals_nothing_to_strangers(served: Place, tmp_path: Path) -> None:
    registry, owner = served.registry, served.owner
    assert owner.user is not None
    accounts.add_channel(registry, "owner", "secret", owner.user, public=False)
    served.publish(make_wheel(tmp_path, "there"), channel="secret")
    served.publish(make_conda(tmp_path, "other"), channel="secret")
    stranger = accounts.add_user(registry, "operator", "stranger")
    token, _ = accounts.issue_token_for(registry, "operator", stranger, accounts.TokenRequest("t"))
    for pattern, there, absent in PAIRS:
        for secret in (None, token):
            one = served.get(pattern.format(there), token=secret)
            other = served.get(pattern.format(absent), token=secret)
            assert one.status_code == other.status_code == (401 if secret is None else 404)
            assert one.text.replace(there, "x") == other.text.replace(absent, "x"), pattern
        for secret in (None, token):  # nor is the channel told from one that does not exist
            one = served.get(pattern.format(there), token=secret)
            other = served.get(pattern.format(there).replace("secret", "nobody"), token=secret)
            assert (one.status_code, one.headers.get("www-authenticate")) == (
                other.status_code,
                other.headers.get("www-authenticate"),
            ), pattern
            assert one.text.replace("secret", "nobody") == other.text, pattern
    for path in ("/api/search?name=there", "/api/manage/channels"):
        answer = served.get(path, token=token)
        assert "there" not in answer.text and "secret" not in answer.text, path


def test_a_quarantine_is_an_administrators_to_make_and_to_end(place: Place, tmp_path: Path) -> None:
    place.publish(make_wheel(tmp_path))
    ann = accounts.add_user(place.registry, "operator", "ann")
    administration.set_role(place.registry, "operator", "main", ann, Action.UPLOAD)

    def set_status(actor: Actor, status: str) -> None:
        lifecycle.set_status(place.registry, actor, "main", "my_package", status)

    with pytest.raises(Refused, match="lacks permission to admin"):
        set_status(Actor(ann), "quarantined")
    set_status(place.owner, "quarantined")
    with pytest.raises(Refused, match="lacks permission to admin"):
        set_status(Actor(ann), "active")
    set_status(place.owner, "active")
    set_status(Actor(ann), "archived")


@pytest.mark.parametrize("secret", ["twofold-wrong", "twofold-" + "A" * 38])
def test_no_response_contains_a_secret(served: Place, secret: str) -> None:
    """In every place that clients put it, on addresses that exist and on others."""
    for path in ("/main/simple/", "/api/user", "/api/manage/whoami", "/nothing/here"):
        for headers in (
            {"authorization": f"Bearer {secret}"},
            {"authorization": f"token {secret}"},
            {"x-api-key": secret},
            basic("__token__", secret),
        ):
            answer = requests.get(f"{served.url}{path}", headers=headers, timeout=120)
            assert secret not in answer.text + str(answer.headers) + answer.reason
    answer = requests.get(f"{served.url}/t/{secret}/main/simple/", timeout=120)
    assert answer.status_code == 401
    assert secret not in answer.text + str(answer.headers) + answer.reason


def test_a_token_for_one_purpose_ends_no_other_of_its_user(served: Place) -> None:
    owner = accounts.get_user(served.registry, "owner")
    login = accounts.issue_token_for(served.registry, "x", owner, accounts.TokenRequest("laptop"))[
        0
    ]
    narrow = accounts.TokenRequest("ci", frozenset({Action.READ}), "main")
    ci = accounts.issue_token_for(served.registry, "x", owner, narrow)[0]
    url, scopes = f"{served.url}/api/authentications", ["repos", "channel:main"]

    def make(secret: str, name: str) -> requests.Response:
        body = {"note": name, "scopes": scopes}
        return requests.post(url, json=body, headers=basic("owner", secret), timeout=120)

    assert make(ci, "laptop").status_code == 400
    assert served.get("/api/user", login).status_code == 200
    renewed = make(ci, "ci")
    assert renewed.status_code == 200
    assert served.get("/api/user", ci).status_code == 403
    assert served.get("/main/simple/", renewed.json()["token"]).status_code == 200


def test_nobody_acts_for_an_organisation_that_was_closed(place: Place) -> None:
    registry = place.registry
    ann = accounts.add_user(registry, "operator", "ann")
    team = accounts.add_user(registry, "operator", "team", kind="organisation")
    accounts.add_channel(registry, "operator", "own", team, public=False)
    accounts.add_channel(
        registry, "operator", "other", accounts.get_user(registry, "owner"), public=False
    )
    administration.set_role(registry, "operator", "other", team, Action.UPLOAD)
    administration.set_member(registry, "operator", team, ann, Action.ADMIN)
    for channel in ("own", "other"):
        queries.get_channel(registry, Actor(ann), channel, Action.UPLOAD)
    administration.disable_user(registry, "operator", team)
    for channel in ("own", "other"):
        with pytest.raises(Refused, match="There is no channel"):
            queries.get_channel(registry, Actor(ann), channel)
    words = {"organisation": "team"}
    with pytest.raises(Refused, match="may not do this"):
        required_roles.authorize(
            registry, Actor(ann), required_roles.RequiredRole.ORGANISATION, words
        )


def test_only_administrators_delete_under_a_locked_label(place: Place, tmp_path: Path) -> None:
    ann = Actor(accounts.add_user(place.registry, "operator", "ann"))
    assert ann.user is not None
    administration.set_role(place.registry, "operator", "main", ann.user, Action.UPLOAD)
    wheel = make_wheel(tmp_path)
    place.publish(wheel)
    labels.lock_label(place.registry, place.owner, "main", "main")
    with pytest.raises(Refused, match="'main' is locked"):
        lifecycle.delete(place.registry, ann, "main", "", wheel.name)
    with pytest.raises(Refused, match="'main' is locked"):
        lifecycle.delete_release(place.registry, ann, "main", "my-package")
    assert len(lifecycle.delete_release(place.registry, place.owner, "main", "my-package")) == 2


@pytest.mark.parametrize("name", ["a b", "-", "é", "<b>", "a,b", ".a", "x" * 129])
def test_no_project_is_announced_under_a_name_that_no_file_could_have(
    served: Place, name: str
) -> None:
    answer = requests.post(
        f"{served.url}/api/package/main/{name}",
        json={"public_attrs": {"summary": "x"}},
        headers={"authorization": f"token {served.token}"},
        timeout=120,
    )
    assert answer.status_code == 400 and "cannot be the name" in answer.reason
    assert queries.list_projects(served.registry, served.owner, "main") == []


def test_the_description_of_a_release_is_recorded_in_the_audit_log(
    place: Place, tmp_path: Path
) -> None:
    place.publish(make_wheel(tmp_path))
    described = ("main", "my_package", "1.0.0", {"description": "x"})
    lifecycle.describe_release(place.registry, place.owner, *described)
    last = administration.read_changes(
        place.registry, administration.AuditQuery(action="describe")
    )[-1]
    assert last.subject == "my_package 1.0.0"


def test_a_token_of_a_publisher_of_several_projects_uploads_in_three_steps(
    place: Place, tmp_path: Path
) -> None:
    assert place.owner.token is not None
    minted = replace(place.owner.token, actions=frozenset({Action.UPLOAD}), project="eggs,spam")
    actor = replace(place.owner, token=minted)
    for name in ("spam", "eggs"):
        wheel = make_wheel(tmp_path, name)
        stage = staged_upload.begin(
            place.registry, actor, "main", staged_upload.StagedUpload(wheel.name)
        )
        staged_upload.store_bytes(place.registry, stage, wheel)
        assert staged_upload.commit(place.registry, actor, stage, FormClaims(name=name)).is_new
    wheel = make_wheel(tmp_path, "ham")
    stage = staged_upload.begin(
        place.registry, actor, "main", staged_upload.StagedUpload(wheel.name)
    )
    staged_upload.store_bytes(place.registry, stage, wheel)
    with pytest.raises(Refused, match="it is for 'eggs', 'spam' only"):
        staged_upload.commit(place.registry, actor, stage, FormClaims(name="ham"))


def test_wrong_passwords_for_others_lock_out_no_user_behind_the_same_address(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "MAX_FROM_ADDRESS", 3)
    for name in ("ann", "bob"):
        accounts.add_user(served.registry, "operator", name, "a-long-password")
    url = f"{served.url}/api/user"
    codes = [
        requests.get(url, headers=basic(f"nobody{n}", "wrong"), timeout=120).status_code
        for n in range(5)
    ]
    assert codes == [401, 401, 401, 429, 429]
    wrong = [requests.get(url, headers=basic("bob", "wrong"), timeout=120).status_code] * 4
    assert wrong == [401] * 4
    for name in ("ann", "bob"):
        right = requests.get(url, headers=basic(name, "a-long-password"), timeout=120)
        assert right.status_code == 200


def test_many_wrong_passwords_at_once_hold_up_nobody(served: Place) -> None:
    """At most two are hashed at once, and those beyond the limit of their address not at all."""
    url = f"{served.channel}/whoami"
    running: list[int] = []
    most = 0
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, stored: str, password: str) -> bool:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        try:
            return bool(verify(self, stored, password))
        finally:
            running.pop()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(60) as clients:
        patch.setattr(PasswordHasher, "verify", watched)
        requested = [
            clients.submit(requests.get, url, headers=basic(f"nob{n}", "xxxx"), timeout=120)
            for n in range(60)
        ]
        begun = time.monotonic()
        assert served.get("/healthz").status_code == 200
        assert served.get("/main/simple/").status_code == 200
        took = time.monotonic() - begun
        codes = Counter(one.result().status_code for one in requested)
    assert took < 5
    assert most <= MAX_HASHINGS
    assert codes[429] >= 8 and codes[401] + codes[429] == 60


def test_a_right_password_is_hashed_once_and_a_new_one_ends_the_old(served: Place) -> None:
    accounts.add_user(served.registry, "operator", "ann", "a-long-password")
    hashed = []
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, stored: str, password: str) -> bool:
        hashed.append(password)
        return bool(verify(self, stored, password))

    url = f"{served.url}/api/user"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "verify", watched)
        for _ in range(3):
            answer = requests.get(url, headers=basic("ann", "a-long-password"), timeout=120)
            assert answer.status_code == 200
        assert len(hashed) == 1
    ann = accounts.get_user(served.registry, "ann")
    administration.set_password(served.registry, "operator", ann, "another-password")
    old = requests.get(url, headers=basic("ann", "a-long-password"), timeout=120)
    assert old.status_code == 401
