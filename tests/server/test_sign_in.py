"""Signing in with a browser: sessions, forms' tokens, second factors, invitations."""

from __future__ import annotations

import html
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import requests
from argon2 import PasswordHasher

from tests.clients.management import Api
from tests.clients.people import Person
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place, new_place, serve
from twofold.errors import Refused
from twofold.server.auth import accounts, second_factor, sessions
from twofold.server.auth.login_throttle import MAX_FROM_ADDRESS, LoginThrottle
from twofold.server.auth.sessions import SignIn
from twofold.server.auth.tokens import new_token
from twofold.server.model import Action, User
from twofold.server.registry import administration
from twofold.server.settings import SessionLimits, Settings
from twofold.server.store import accounts as stored
from twofold.server.web.session_cookie import check_csrf_token, make_csrf_token

PASSWORD = "a-long-password"

#: As `tokens.hash_password` makes it, in a thousandth of the memory.
CHEAP_HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One registry for the module; each test has users of its own."""
    folder = tmp_path_factory.mktemp("sign-in")
    made = new_place(Settings(folder / "registry"))
    made.publish(make_wheel(folder, "my_package"))
    owner = made.owner.user
    assert owner is not None
    accounts.add_channel(made.registry, "owner", "private", owner, public=False)
    made.publish(make_wheel(folder, "hidden"), "private")
    with serve(made):
        yield made
    made.registry.database.close()


@pytest.fixture
def new_user(place: Place, request: pytest.FixtureRequest) -> Callable[..., User]:
    """Make a user named after the test, with a password and a role in a channel."""

    def make(role: Action | None = None, channel: str = "main", suffix: str = "") -> User:
        digest = f"u{abs(hash(request.node.name + suffix)) % 10**12}"
        user = accounts.add_user(place.registry, "operator", digest)
        with place.registry.database.write() as db:
            stored.set_password(db, user.id, CHEAP_HASH)
        if role is not None:
            administration.set_role(place.registry, "operator", channel, user, role)
        return user

    return make


def log_actions(place: Place, actor: str) -> list[str]:
    return [entry["action"] for entry in Api(place)("GET", f"/log?actor={actor}")]


def test_a_session_begins_with_a_password_and_ends_with_the_sign_out(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person = new_user(), Person(place.url)
    assert not person.is_signed_in
    answer = person.sign_in(user.name, PASSWORD, "/-/account")
    assert answer.url == f"{place.url}/-/account" and user.name in answer.text
    cookie = answer.history[0].headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert answer.headers["cache-control"] == "no-store"
    kept = person.cookies
    person.send("/-/sign-out", csrf=person.token("/-/account"))
    assert not person.is_signed_in
    person.http.headers["Cookie"] = kept
    assert not person.is_signed_in, "the session itself has ended, not the cookie alone"
    assert log_actions(place, user.name) == ["sign-in", "sign-out"]


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(
    place: Place, new_user: Callable[..., User]
) -> None:
    user = new_user()
    texts = []
    for name in (user.name, "nobody-at-all"):
        person = Person(place.url)
        answer = person.sign_in(name, "wrong-password")
        assert answer.status_code == 401 and not person.is_signed_in
        texts.append(re.sub(r'value="[^"]*"', "", answer.text).replace(name, "NAME"))
    assert texts[0] == texts[1]


def test_the_store_has_no_secret_of_a_session_and_each_sign_in_has_another(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person = new_user(), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    first = person.cookies
    person.send("/-/sign-in", csrf=person.token("/-/account"), user=user.name, password=PASSWORD)
    second = person.cookies
    assert first != second and person.is_signed_in
    stolen = Person(place.url)
    stolen.http.headers["Cookie"] = first
    assert not stolen.is_signed_in, "the earlier session ended with the new one"
    database = (place.settings.data / "registry.sqlite").read_bytes()
    database += (place.settings.data / "registry.sqlite-wal").read_bytes()
    assert second.rpartition("=")[2].encode() not in database


@pytest.mark.parametrize(
    "token",
    ["", "x", "A" * 44, "none", make_csrf_token("another secret"), "é"],
    ids=["none", "short", "zeros", "missing", "another's", "no base64"],
)
def test_a_form_without_its_token_changes_nothing(
    place: Place, new_user: Callable[..., User], token: str
) -> None:
    user, person = new_user(suffix=token), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    fields = {} if token == "none" else {"csrf": token}
    for path in ("/-/sign-out", "/-/account/second-factor"):
        assert person.send(path, **fields, user=user.name).status_code == 403
    again = person.send("/-/manage/act/add-token", **fields, user=user.name, name="x")
    form = f"{place.url}/-/manage/act/add-token?user={user.name}&name=x"
    assert again.url == form, "to be looked at and sent once more"
    assert person.is_signed_in and not Api(place)("GET", f"/users/{user.name}/tokens")


def test_tokens_of_forms_differ_from_page_to_page_and_fit_one_secret() -> None:
    made = {make_csrf_token("secret") for _ in range(20)}
    assert len(made) == 20
    for one in made:
        check_csrf_token("secret", one)
        with pytest.raises(Refused):
            check_csrf_token("another", one)
        with pytest.raises(Refused):
            check_csrf_token("", one)


def test_a_page_of_another_site_acts_for_nobody_whose_session_it_sends(place: Place) -> None:
    person = Person(place.url)
    person.sign_in("owner", place.token)
    csrf = person.token("/-/account")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = person.http.post(
            f"{place.url}/-/sign-out", data={"csrf": csrf}, headers=headers, timeout=20
        )
        assert answer.status_code == 403
    assert person.is_signed_in


def test_no_upload_and_no_call_of_a_program_takes_a_session(place: Place, tmp_path: Path) -> None:
    person = Person(place.url)
    person.sign_in("owner", place.token)
    person.http.headers["Accept"] = "*/*"
    wheel = make_wheel(tmp_path, "by_cookie")
    files = {"content": (wheel.name, wheel.read_bytes())}
    for path in ("/main/legacy/", "/main/upload", "/api/v1/upload/main"):
        answer = person.http.post(
            f"{place.url}{path}", data={":action": "file_upload"}, files=files, timeout=20
        )
        assert answer.status_code == 401, path
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/manage/users", {"name": "eve"}),
        ("PATCH", "/api/manage/channels/main", {"public": False}),
        ("DELETE", "/api/manage/channels/main/projects/my-package", {}),
        ("POST", "/api/authentications", {"note": "t"}),
    ]
    for method, path, body in changes:
        answer = person.http.request(method, f"{place.url}{path}", json=body, timeout=20)
        assert answer.status_code == 401, path


def test_a_session_reads_what_its_user_may_and_leaves_nothing_for_others(
    place: Place, new_user: Callable[..., User]
) -> None:
    user = new_user(Action.READ, "private")
    person, stranger = Person(place.url), Person(place.url)
    pages = ("/private/simple/hidden/", "/private/noarch/repodata.json", "/private/project/hidden")
    for path in pages:
        assert stranger.get(path).status_code == 401
    person.sign_in(user.name, PASSWORD)
    for path in pages:
        answer = person.get(path)
        assert answer.status_code == 200 and "private" in answer.headers["cache-control"], path
        assert stranger.get(path).status_code == 401, path
    administration.set_role(place.registry, "operator", "private", user, None)
    for path in pages:
        assert person.get(path).status_code == 404, path


@pytest.mark.parametrize(
    ("target", "place_after"),
    [
        ("/-/manage?done=yank", "/-/manage?done=yank"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/%0d%0aSet-Cookie:x=y", "/%0d%0aSet-Cookie:x=y"),
        ("/\r\nSet-Cookie: x=y", "/"),
        ("/\t/evil.example", "/"),
        ("", "/"),
        ("evil", "/"),
    ],
)
def test_a_sign_in_leads_to_pages_of_this_server_alone(
    place: Place, target: str, place_after: str
) -> None:
    person = Person(place.url)
    csrf = person.token()
    answer = person.http.post(
        f"{place.url}/-/sign-in",
        data={"csrf": csrf, "user": "owner", "password": place.token, "next": target},
        allow_redirects=False,
        timeout=20,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, place_after)
    assert "x=y" not in str(dict(answer.cookies))
    shown = person.get(f"/-/sign-in?next={requests.utils.quote(target)}", allow_redirects=False)
    assert shown.headers["location"] == place_after


def test_a_password_a_closed_account_and_a_revoked_token_end_sessions(
    place: Place, new_user: Callable[..., User]
) -> None:
    registry, user = place.registry, new_user()
    person = Person(place.url)

    def sign_in() -> None:
        assert person.sign_in(user.name, PASSWORD).ok and person.is_signed_in

    sign_in()
    administration.set_password(registry, "operator", user, PASSWORD)
    assert not person.is_signed_in
    sign_in()
    person.act("set-password", user=user.name, current=PASSWORD, password=f"{PASSWORD}-2")
    assert person.is_signed_in, "who changes a password stays, in a new session"
    administration.set_password(registry, "operator", user, PASSWORD)
    sign_in()
    administration.disable_user(registry, "operator", user)
    assert not person.is_signed_in
    secret, token = accounts.issue_token_for(
        registry, "operator", new_user(suffix="2"), accounts.TokenRequest("t")
    )
    other = Person(place.url)
    name = next(one.name for one in administration.list_users(registry) if one.id == token.user_id)
    other.sign_in(name, secret)
    assert other.is_signed_in
    accounts.revoke(registry, "operator", token)
    assert not other.is_signed_in


def test_a_session_ends_by_its_age_and_without_use(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    place = new_place(Settings(tmp_path / "registry"))
    registry = place.registry
    user = place.owner.user
    assert user is not None
    object.__setattr__(registry, "clock", lambda: now)
    limits = SessionLimits(timedelta(hours=10), timedelta(hours=3))
    secret = sessions.begin(registry, SignIn(user, "password"), limits)
    for hours, is_there in ((2, True), (4, True), (6.9, True), (9.5, True), (10, False)):
        now = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        assert (sessions.find(registry, secret, limits) is not None) is is_there, hours
    secret = sessions.begin(registry, SignIn(user, "password"), limits)
    now += timedelta(hours=3)
    assert sessions.find(registry, secret, limits) is None
    assert sessions.find(registry, "", limits) is None
    registry.database.close()


def test_a_session_begun_with_a_token_may_what_the_token_may(
    place: Place, new_user: Callable[..., User]
) -> None:
    user = new_user(Action.ADMIN)
    limited = accounts.TokenRequest("t", frozenset({Action.READ}), channel="main")
    secret, _ = accounts.issue_token_for(place.registry, "operator", user, limited)
    person = Person(place.url)
    person.sign_in(user.name, secret)
    assert person.get("/-/manage").ok
    page = person.get("/-/manage/act/yank?channel=main&project=my-package&version=1.0")
    assert page.status_code == 403
    assert person.get(f"/-/manage/act/add-token?user={user.name}").status_code == 403
    csrf = person.token("/-/manage/act/accept-invitation")
    answer = person.send(
        "/-/manage/act/yank", csrf=csrf, channel="main", project="my-package", version="1.0"
    )
    assert answer.status_code == 403


def test_ten_wrong_passwords_are_enough(place: Place, new_user: Callable[..., User]) -> None:
    user, person = new_user(), Person(place.url)
    csrf = person.token()
    statuses = [
        person.send("/-/sign-in", csrf=csrf, user=user.name, password="wrong").status_code
        for _ in range(11)
    ]
    assert statuses == [401] * 10 + [429]
    assert person.sign_in(user.name, PASSWORD).status_code == 429
    assert person.sign_in("owner", new_token()).status_code == 401


def test_wrong_passwords_keep_no_token_out(place: Place) -> None:
    throttle, wrong = LoginThrottle(place.registry.database), Refused("invalid-login", "wrong")
    for number in range(MAX_FROM_ADDRESS):
        with pytest.raises(Refused), throttle.attempt("127.0.0.1", f"no{number}"):
            raise wrong
    person = Person(place.url)
    assert person.sign_in("nobody", "wrong").status_code == 429
    assert person.sign_in("owner", place.token).ok and person.is_signed_in


def set_up_second_factor(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    page = person.get("/-/account/second-factor").text
    found = re.search(r"secret=([A-Z2-7]+)", page)
    assert found and "<svg" in page and "otpauth://totp/" in page
    totp = pyotp.TOTP(found[1])
    wrong = person.send(
        "/-/account/second-factor", csrf=person.token("/-/account/second-factor"), code="000000"
    )
    assert wrong.status_code == 403
    done = person.send(
        "/-/account/second-factor", csrf=person.token("/-/account/second-factor"), code=totp.now()
    )
    codes = re.findall(r"\b[a-z2-9]{10}\b", done.text.split("<pre><code>")[1].split("</code>")[0])
    assert done.ok and len(set(codes)) == second_factor.RECOVERY_CODES
    return totp, codes


def test_with_a_second_factor_a_password_needs_a_code_which_works_once(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person, other = new_user(), Person(place.url), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    other.sign_in(user.name, PASSWORD)
    totp, codes = set_up_second_factor(person)
    assert person.is_signed_in and not other.is_signed_in
    half = other.sign_in(user.name, PASSWORD)
    assert half.url.startswith(f"{place.url}/-/sign-in/code") and not other.is_signed_in
    used = totp.now()
    csrf = other.token("/-/sign-in/code")
    assert other.send("/-/sign-in/code", csrf=csrf, code=used).status_code == 403, "it was used"
    later = totp.at(datetime.now(UTC) + timedelta(seconds=30))
    assert other.send("/-/sign-in/code", csrf=csrf, code=later, next="/-/account").ok
    assert other.is_signed_in
    for code in (later, used, "", "0", "x" * 5000):
        with pytest.raises(Refused, match="wrong"):
            second_factor.check(place.registry, user, code)
    second_factor.check(place.registry, user, f" {codes[0][:5]}-{codes[0][5:].upper()} ")
    with pytest.raises(Refused, match="wrong"):
        second_factor.check(place.registry, user, codes[0])
    assert second_factor.count_recovery_codes(place.registry, user) == len(codes) - 1


def test_with_a_second_factor_programs_send_tokens(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person = new_user(Action.UPLOAD), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    url = f"{place.url}/api/manage/whoami"
    assert requests.get(url, auth=(user.name, PASSWORD), timeout=20).ok
    set_up_second_factor(person)
    answer = requests.get(url, auth=(user.name, PASSWORD), timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (401, "second-factor")
    page = person.act("add-token", user=user.name, name="ci")
    secret = re.search(r"twofold-[A-Za-z0-9]{38}", page.text)
    assert secret
    assert requests.get(url, auth=("__token__", secret[0]), timeout=20).ok
    assert secret[0] not in person.get("/-/account").text, "it is shown once"
    stranger = Person(place.url)
    answer = stranger.sign_in(user.name, secret[0])
    assert answer.status_code == 403 and not stranger.is_signed_in, "a token skips no code"


def test_ten_wrong_codes_are_enough_wherever_they_come_from(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person = new_user(), Person(place.url)
    secret = second_factor.begin(place.registry, user, "t").secret
    second_factor.confirm(place.registry, user, pyotp.TOTP(secret).now(), None)
    statuses = []
    for _ in range(2):
        person.sign_in(user.name, PASSWORD)
        csrf = person.token("/-/sign-in/code")
        statuses += [
            person.send("/-/sign-in/code", csrf=csrf, code="000000").status_code for _ in range(6)
        ]
    assert statuses == [403] * 10 + [429] * 2


def test_administrators_must_have_a_second_factor_where_the_setting_says_so(
    tmp_path: Path,
) -> None:
    place = new_place(Settings(tmp_path / "registry", second_factor="administrators"))
    registry = place.registry
    reader = accounts.add_user(registry, "operator", "reader", PASSWORD)
    admin = accounts.add_user(registry, "operator", "admin1", PASSWORD)
    administration.set_role(registry, "operator", "main", admin, Action.ADMIN)
    with serve(place):
        url = f"{place.url}/api/manage/whoami"
        assert requests.get(url, auth=(reader.name, PASSWORD), timeout=20).ok
        answer = requests.get(url, auth=(admin.name, PASSWORD), timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (401, "second-factor")
        person = Person(place.url)
        landed = person.sign_in(admin.name, PASSWORD, "/-/manage")
        assert landed.url == f"{place.url}/-/account/second-factor"
        assert not person.is_signed_in
        csrf = person.token("/-/account/second-factor")
        answer = person.send("/-/manage/act/set-role", csrf=csrf, channel="main", user="reader")
        assert answer.status_code == 403
        set_up_second_factor(person)
        assert person.is_signed_in and person.get("/-/manage/channels/main").ok
        second_factor.reset(registry, "operator", admin)
        assert not person.is_signed_in
        other = Person(place.url)
        other.sign_in(reader.name, PASSWORD)
        assert other.is_signed_in
    registry.database.close()


def test_an_invitation_gives_a_role_once_to_an_account_or_a_new_one(
    place: Place, new_user: Callable[..., User]
) -> None:
    owner, guest, user = Person(place.url), Person(place.url), new_user()
    owner.sign_in("owner", place.token)
    page = owner.act("invite", channel="private", role="upload")
    link = re.search(r"/-/invitation\?code=[\w-]+", page.text)
    assert link
    code = link[0].partition("=")[2]
    shown = guest.get(link[0])
    assert "private" in shown.text and "upload" in shown.text
    csrf = guest.token(link[0])
    name = f"{user.name}n"
    short = guest.send("/-/invitation/new", csrf=csrf, code=code, name=name, password="short")
    assert short.status_code == 400 and "8 to" in short.text
    taken = guest.send("/-/invitation/new", csrf=csrf, code=code, name=user.name, password=PASSWORD)
    assert taken.status_code == 409
    assert guest.send("/-/invitation/new", csrf=csrf, code=code, name=name, password=PASSWORD).ok
    assert guest.is_signed_in and guest.get("/private/simple/hidden/").ok
    again = Person(place.url)
    assert again.get(link[0]).status_code == 404
    second = Api(place)("POST", "/channels/private/invitations", role="read")["code"]
    member = Person(place.url)
    member.sign_in(user.name, PASSWORD)
    member.send("/-/invitation", csrf=member.token("/-/account"), code=second)
    roles = {one["user"]: one["role"] for one in Api(place)("GET", "/channels/private/roles")}
    assert roles[name] == "upload" and roles[user.name] == "read"


def test_own_sessions_are_listed_and_ended_and_others_are_not_seen(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person, other = new_user(), Person(place.url), Person(place.url)
    stranger = new_user(suffix="stranger")
    person.sign_in(user.name, PASSWORD)
    other.sign_in(user.name, PASSWORD)
    page = person.get("/-/account").text
    assert page.count("Test/1.0") == 2
    person.act("end-sessions", user=user.name)
    assert person.is_signed_in and not other.is_signed_in
    other.sign_in(stranger.name, PASSWORD)
    assert other.get(f"/-/manage/users/{user.name}").status_code == 403
    assert other.get(f"/-/manage/act/end-sessions?user={user.name}").status_code == 403


def test_a_file_of_each_world_is_uploaded_from_a_page(
    place: Place, new_user: Callable[..., User], tmp_path: Path
) -> None:
    user, person = new_user(Action.UPLOAD), Person(place.url)
    path = "/-/manage/channels/main/upload"
    assert "/-/sign-in" in person.get(path).url
    person.sign_in(user.name, PASSWORD)
    for file in (make_wheel(tmp_path, "from_a_page"), make_conda(tmp_path, "also-from-a-page")):
        answer = person.http.post(
            f"{place.url}{path}",
            data={"csrf": person.token(path)},
            files={"content": (file.name, file.read_bytes())},
            timeout=60,
        )
        assert answer.ok and f"{file.name} is published" in answer.text
    published = Api(place)("GET", f"/channels/main/log?actor={user.name}&action=publish")
    names = " ".join(line["subject"] for line in published)
    assert "from_a_page" in names and "also-from-a-page" in names
    for data, file_, status in (
        ({}, ("x-1.0-py3-none-any.whl", b"x"), 403),
        ({"csrf": person.token(path)}, ("x-1.0-py3-none-any.whl", b"no wheel"), 400),
        ({"csrf": person.token(path)}, ("", b""), 400),
    ):
        answer = person.http.post(
            f"{place.url}{path}", data=data, files={"content": file_}, timeout=60
        )
        assert answer.status_code == status
    spool = list((place.settings.data / "spool").glob("incoming-*"))
    assert spool == [] and person.get("/-/manage/channels/private/upload").status_code == 404


def test_a_tokens_last_use_is_listed(place: Place, new_user: Callable[..., User]) -> None:
    user = new_user(Action.READ)
    secret, _ = accounts.issue_token_for(
        place.registry, "operator", user, accounts.TokenRequest("t")
    )
    api = Api(place)
    assert api("GET", f"/users/{user.name}/tokens")[0]["used_at"] is None
    assert place.get("/main/simple/my-package/", secret).ok
    deadline = time.monotonic() + 20
    while api("GET", f"/users/{user.name}/tokens")[0]["used_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_session_reads_while_another_process_writes(tmp_path: Path) -> None:
    place = new_place(Settings(tmp_path / "registry"))
    registry, user = place.registry, place.owner.user
    assert user is not None
    secret = sessions.begin(registry, SignIn(user, "password"), SessionLimits())
    later = registry.clock() + timedelta(hours=1)
    object.__setattr__(registry, "clock", lambda: later)
    other = sqlite3.connect(tmp_path / "registry" / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert sessions.find(registry, secret, SessionLimits()) is not None
    assert time.monotonic() - began < 5
    other.execute("ROLLBACK")
    other.close()
    actor = sessions.find(registry, secret, SessionLimits())
    assert actor is not None and sessions.list_sessions(registry, user)[0].used_at == later
    registry.database.close()


def test_what_was_entered_survives_the_end_of_the_session(
    place: Place, new_user: Callable[..., User]
) -> None:
    user, person = new_user(Action.ADMIN), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    page = "/-/manage/act/add-notice?channel=main"
    csrf = person.token(page)
    sessions.end_others(place.registry, "operator", user, None)
    words = {"channel": "main", "message": "Closed & <b>", "fixed-channel": "yes"}
    answer = person.send("/-/manage/act/add-notice", csrf=csrf, **words)
    assert answer.url.startswith(f"{place.url}/-/sign-in?next=")
    target = html.unescape(re.findall(r'name="next" value="([^"]*)"', answer.text)[0])
    landed = person.sign_in(user.name, PASSWORD, target)
    assert "Closed &amp; &lt;b&gt;" in landed.text and landed.url.endswith(target)
    assert not Api(place)("GET", "/channels/main/notices"), "nothing was done before"


def test_a_form_of_another_tab_is_shown_again_with_its_fields(
    place: Place, new_user: Callable[..., User]
) -> None:
    """Tab one has a form open; in tab two its reader signs in anew; the form is sent."""
    user, person = new_user(Action.ADMIN), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    csrf = person.token(f"/-/manage/act/set-password?user={user.name}")
    other = person.send(
        "/-/sign-in", csrf=person.token("/-/account"), user=user.name, password=PASSWORD
    )
    assert other.ok
    answer = person.send(
        "/-/manage/act/set-password", csrf=csrf, user=user.name, password="x" * 12, current="old"
    )
    assert answer.ok and f"user={user.name}" in answer.url
    assert "x" * 12 not in answer.url and "current=" not in answer.url
    assert "x" * 12 not in answer.text, "a password is in no address and on no page"
    assert person.sign_in(user.name, PASSWORD).ok, "the password is the one it was"


@pytest.mark.parametrize(
    ("act", "secret"),
    [
        ("add-webhook", {"url": "https://hooks.example/T0/s3cr3t-hook"}),
        ("set-upstream", {"url": "https://me:s3cr3t-hook@index.example/simple/"}),
        ("accept-invitation", {"code": "s3cr3t-hook"}),
    ],
)
def test_what_may_hold_a_secret_is_in_no_address(
    place: Place, new_user: Callable[..., User], act: str, secret: dict[str, str]
) -> None:
    user, person = new_user(Action.ADMIN, suffix=act), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    csrf = person.token("/-/manage/act/add-notice?channel=main")
    sessions.end_others(place.registry, "operator", user, None)
    answer = person.send(f"/-/manage/act/{act}", csrf=csrf, channel="main", **secret)
    addresses = [one.url for one in (*answer.history, answer)]
    assert f"/-/sign-in?next=%2F-%2Fmanage%2Fact%2F{act}" in addresses[-1]
    assert not any("s3cr3t-hook" in one for one in addresses)
    assert "s3cr3t-hook" not in answer.text


def test_a_session_that_somebody_planted_is_not_the_one_that_begins(
    place: Place, new_user: Callable[..., User]
) -> None:
    """Session fixation: a cookie from before the sign-in is good for nothing after it."""
    victim, attacker = new_user(suffix="v"), new_user(suffix="a")
    evil = Person(place.url)
    evil.sign_in(attacker.name, PASSWORD)
    (planted,) = [one for one in evil.http.cookies if "session" in one.name]
    for value in (planted.value, "chosen-by-the-attacker"):
        person = Person(place.url)
        person.http.cookies.set(planted.name, value, domain="127.0.0.1", path="/")
        csrf = person.token("/-/account" if value == planted.value else "/-/sign-in")
        person.send("/-/sign-in", csrf=csrf, user=victim.name, password=PASSWORD)
        values = {one.value for one in person.http.cookies if one.name == planted.name}
        assert person.is_signed_in and value not in values
        stolen = Person(place.url)
        stolen.http.cookies.set(planted.name, value, domain="127.0.0.1", path="/")
        assert victim.name not in stolen.get("/-/account").text


@pytest.mark.parametrize(("seconds", "good"), [(-65, False), (-30, True), (30, True), (65, False)])
def test_a_clock_may_be_half_a_minute_off(
    place: Place, new_user: Callable[..., User], seconds: int, good: bool
) -> None:
    user = new_user(suffix=str(seconds))
    now = datetime(2030, 1, 1, 0, 0, 15, tzinfo=UTC)
    registry = replace(place.registry, clock=lambda: now)
    secret = second_factor.begin(registry, user, "t").secret
    code = pyotp.TOTP(secret).at(now + timedelta(seconds=seconds))
    if good:
        second_factor.confirm(registry, user, code, None)
        with pytest.raises(Refused):
            second_factor.check(registry, user, code)
    else:
        with pytest.raises(Refused):
            second_factor.confirm(registry, user, code, None)


def test_the_files_of_a_label_are_listed(place: Place, new_user: Callable[..., User]) -> None:
    user, person = new_user(Action.ADMIN), Person(place.url)
    person.sign_in(user.name, PASSWORD)
    Api(place)("PUT", "/channels/main/labels/tried")
    Api(place)("POST", "/channels/main/labels/tried/files", project="my_package")
    assert "/-/manage/channels/main/labels/tried" in person.get("/-/manage/channels/main").text
    page = person.get("/-/manage/channels/main/labels/tried").text
    assert "my_package-1.0.0-py3-none-any.whl" in page and "act/unlabel?" in page
    assert person.get("/-/manage/channels/main/labels/nosuch").status_code == 404
    assert person.get("/-/manage/channels/private/labels/main").status_code == 404
