"""Signing in at an issuer (OpenID Connect): a real one on loopback over TLS."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import trustme

from tests.clients.people import Person
from tests.server.conftest import Place, new_place, serve
from tests.servers.people_issuer import PeopleIssuer, run_people_issuer
from twofold.server.auth import accounts, oidc
from twofold.server.auth.issuer_client import IssuerClient
from twofold.server.registry import administration
from twofold.server.settings import IssuerSettings, Settings

ROLES = (("staff", "team", "upload"), ("leads", "team", "admin"), ("ops", "operators", "admin"))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Place, PeopleIssuer, str]]:
    """A registry over TLS that trusts a running issuer, and the file with their authority."""
    folder, authority = tmp_path_factory.mktemp("issuer"), trustme.CA()
    bundle, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(bundle)
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(certificate)
    own.private_key_pem.write_to_path(key)
    with pytest.MonkeyPatch.context() as patch, run_people_issuer(authority) as issuer:
        patch.setenv("SSL_CERT_FILE", str(bundle))
        patch.setattr(oidc, "KEYS_RETRY_AFTER", 0)
        made = IssuerSettings(
            issuer.url, issuer.client_id, issuer.client_secret, "Example", roles=ROLES
        )
        settings = Settings(
            folder / "registry", tls_certificate=certificate, tls_key=key, issuer=made
        )
        place = new_place(settings)
        for name in ("team", "operators"):
            accounts.add_user(place.registry, "operator", name, kind="organisation")
        with serve(place):
            yield place, issuer, str(bundle)
        place.registry.database.close()


@pytest.fixture
def place(running: tuple[Place, PeopleIssuer, str]) -> Place:
    return running[0]


@pytest.fixture
def issuer(running: tuple[Place, PeopleIssuer, str]) -> PeopleIssuer:
    """The issuer as it is at first; each test signs in somebody else."""
    found = running[1]
    fresh = PeopleIssuer(found.url, key=found.key, kid=found.kid)
    for name in ("claims", "userinfo", "document", "signing_key", "algorithm", "fault", "codes"):
        setattr(found, name, getattr(fresh, name))
    return found


@pytest.fixture
def person(running: tuple[Place, PeopleIssuer, str]) -> Iterator[Person]:
    made = Person(running[0].url, running[2])
    yield made
    made.http.close()  # the server waits for connections of TLS when it ends


def members(place: Place) -> dict[str, str]:
    with place.registry.database.read() as db:
        from twofold.server.store import accounts as stored

        team = stored.find_user(db, "team")
        assert team is not None
        return {name: str(role) for name, role in stored.list_members(db, team.id).items()}


def test_somebody_new_signs_in_and_gets_an_account_with_the_roles_of_the_groups(
    place: Place, issuer: PeopleIssuer, person: Person
) -> None:
    issuer.claims = {"sub": "n1", "preferred_username": "Ann.Lee@x.org", "groups": ["staff", "y"]}
    page = person.get("/-/sign-in")
    assert "Sign in with Example" in page.text
    answer = person.get("/-/sign-in/issuer?next=/-/account")
    assert answer.url == f"{place.url}/-/account" and "ann-lee" in answer.text
    assert members(place)["ann-lee"] == "upload"
    cookies = [one for one in person.http.cookies if "session" in one.name]
    assert [one.name for one in cookies] == ["__Host-twofold-session"] and cookies[0].secure
    assert not [one for one in person.http.cookies if "issuer" in one.name]
    person.send("/-/sign-out", csrf=person.token("/-/account"))
    for groups, role in ((["leads", "staff"], "admin"), ("staff", "upload"), ([], None)):
        issuer.claims["groups"] = groups
        assert person.get("/-/sign-in/issuer").ok
        assert members(place).get("ann-lee") == role
    issuer.claims = {"sub": "n1", "preferred_username": "renamed"}
    assert "ann-lee" in person.get("/-/sign-in/issuer?next=/-/account").text, "known by its subject"


@pytest.mark.parametrize(
    ("end", "leads"),
    [("/end?x=1", True), ("", False), ("http://evil.example/end", False), (7, False)],
    ids=["offered", "none", "not https", "malformed"],
)
def test_signing_out_leads_to_the_providers_sign_out_where_it_offers_one(
    place: Place, issuer: PeopleIssuer, end: object, leads: bool
) -> None:
    offered = f"{issuer.url}{end}" if isinstance(end, str) and end.startswith("/") else end
    document = {**issuer.make_document(), "end_session_endpoint": offered}
    client = IssuerClient(place.settings.issuer, lambda *_: document)  # type: ignore[arg-type]
    address = client.make_sign_out_url(f"{place.url}/")
    assert bool(address) is leads
    if leads:
        query = {"x": "1", "client_id": "registry", "post_logout_redirect_uri": f"{place.url}/"}
        assert dict(parse_qsl(urlsplit(address).query)) == query
        assert address.startswith(f"{issuer.url}/end?")


def test_a_session_of_the_provider_ends_here_before_its_page_is_offered(
    place: Place, issuer: PeopleIssuer, person: Person
) -> None:
    issuer.claims = {"sub": "out", "preferred_username": "outgoing"}
    assert person.get("/-/sign-in/issuer").ok and person.is_signed_in
    answer = person.send("/-/sign-out", csrf=person.token("/-/account"))
    assert answer.url == f"{place.url}/-/sign-out/issuer" and not person.is_signed_in
    link = re.search(r'href="([^"]*/end\?[^"]*)"', answer.text)
    assert link, answer.text
    assert person.http.get(html.unescape(link[1]), timeout=60).url == f"{place.url}/"
    assert issuer.signed_out[-1]["client_id"] == "registry"
    accounts.add_user(place.registry, "operator", "plain", "a-long-password")
    person.sign_in("plain", "a-long-password")
    answer = person.send("/-/sign-out", csrf=person.token("/-/account"))
    assert answer.url == f"{place.url}/", "who signed in with a password"


def test_groups_are_read_from_userinfo_and_from_inside_other_claims(
    place: Place, issuer: PeopleIssuer, person: Person
) -> None:
    issuer.claims = {"sub": "n2", "preferred_username": "bea", "groups": None}
    issuer.userinfo = {"sub": "n2", "groups": ["/staff"]}
    assert person.get("/-/sign-in/issuer").ok
    assert members(place)["bea"] == "upload"
    issuer.userinfo = {"sub": "somebody else", "groups": ["leads"]}
    assert person.get("/-/sign-in/issuer").ok
    assert "bea" not in members(place)


@pytest.mark.parametrize("name", ["owner", "taken"])
def test_no_account_that_was_here_is_taken_over_by_its_name_or_mail(
    place: Place, issuer: PeopleIssuer, person: Person, name: str
) -> None:
    if name == "taken":
        accounts.add_user(place.registry, "operator", name, "a-long-password")
    mail = f"{name}@example.org"
    issuer.claims = {"sub": f"evil-{name}", "preferred_username": name, "email": mail}
    answer = person.get("/-/sign-in/issuer")
    assert answer.status_code == 409 and not person.is_signed_in
    assert "link it" in answer.text


def link(person: Person) -> requests.Response:
    """Link the account: the form's page leads to the issuer, as its content policy wants it."""
    page = person.send("/-/sign-in/issuer/link", csrf=person.token("/-/account"))
    assert page.status_code == 200 and not page.history
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found
    return person.http.get(html.unescape(found[1]), timeout=20)


def test_who_is_signed_in_links_the_account_and_signs_in_with_it_then(
    place: Place, issuer: PeopleIssuer, person: Person
) -> None:
    accounts.add_user(place.registry, "operator", "dora", "a-long-password")
    issuer.claims = {"sub": "d1", "preferred_username": "dora"}
    person.sign_in("dora", "a-long-password")
    answer = link(person)
    assert answer.url.endswith("done=link-identity") and "d1" in answer.text
    assert person.send("/-/sign-in/issuer/link", csrf="").status_code == 403
    person.http.cookies.clear()
    assert "dora" in person.get("/-/sign-in/issuer?next=/-/account").text
    accounts.add_user(place.registry, "operator", "eve", "a-long-password")
    person.http.cookies.clear()
    person.sign_in("eve", "a-long-password")
    answer = link(person)
    assert answer.status_code == 409, "an identity has one account"


def test_a_closed_account_stays_closed(place: Place, issuer: PeopleIssuer, person: Person) -> None:
    issuer.claims = {"sub": "c1", "preferred_username": "closed"}
    assert person.get("/-/sign-in/issuer").ok
    closed = accounts.get_user(place.registry, "closed")
    administration.disable_user(place.registry, "operator", closed)
    assert person.get("/-/sign-in/issuer").status_code == 403 and not person.is_signed_in


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["registry", "another"]},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"exp": timedelta(seconds=-120)},
        {"exp": "soon"},
        {"exp": None},
        {"exp": 10**30},
        {"iat": timedelta(seconds=600)},
        {"nbf": timedelta(seconds=600)},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"sub": 7},
        {"sub": ["x"]},
    ],
    ids=lambda claim: next(iter(claim)),  # the moment of collecting is in no test's name
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    issuer: PeopleIssuer, person: Person, claims: dict[str, Any]
) -> None:
    """Times are those of the request: the suite may have run for minutes before it."""
    now = time.time()
    for name, value in claims.items():
        if isinstance(value, timedelta):
            claims = {name: int(now + value.total_seconds())}
    issuer.claims = {"preferred_username": "nobody", **claims}
    answer = person.get("/-/sign-in/issuer")
    if claims == {"exp": 10**30}:
        assert answer.status_code in (200, 401)
        return
    assert answer.status_code == 401 and not person.is_signed_in


def test_a_clock_that_is_half_a_minute_off_is_forgiven(
    issuer: PeopleIssuer, person: Person
) -> None:
    now = int(time.time())
    issuer.claims = {"sub": "k1", "preferred_username": "clock", "iat": now + 30, "exp": now - 30}
    assert person.get("/-/sign-in/issuer").ok and person.is_signed_in


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_token_signed_by_no_key_of_the_issuer_is_refused(
    issuer: PeopleIssuer, person: Person, algorithm: str
) -> None:
    issuer.algorithm = algorithm
    issuer.signing_key = issuer.client_secret.ljust(40) if algorithm == "HS256" else ""
    if algorithm == "none":
        issuer.make_token = lambda nonce: _unsigned(issuer, nonce)  # type: ignore[method-assign]
    answer = person.get("/-/sign-in/issuer")
    issuer.__dict__.pop("make_token", None)
    assert answer.status_code == 401 and not person.is_signed_in


def _unsigned(issuer: PeopleIssuer, nonce: str) -> str:
    import jwt

    now = int(time.time())
    claims = {"iss": issuer.url, "sub": "0", "aud": issuer.client_id, "nonce": nonce}
    headers = {"kid": issuer.kid}
    return jwt.encode({**claims, "iat": now, "exp": now + 60}, None, "none", headers)


def test_an_issuers_new_key_is_fetched_and_a_strangers_is_not(
    issuer: PeopleIssuer, person: Person
) -> None:
    issuer.claims = {"sub": "r1", "preferred_username": "rotated"}
    assert person.get("/-/sign-in/issuer").ok
    issuer.rotate()
    assert person.get("/-/sign-in/issuer").ok and person.is_signed_in
    person.http.cookies.clear()
    issuer.signing_key = PeopleIssuer().key
    assert person.get("/-/sign-in/issuer").status_code == 401


def test_an_answer_counts_in_the_browser_that_asked_once_and_for_what_it_asked(
    place: Place, issuer: PeopleIssuer, person: Person, running: Any, request: pytest.FixtureRequest
) -> None:
    issuer.claims = {"sub": "s1", "preferred_username": "stolen"}
    away = person.get("/-/sign-in/issuer", allow_redirects=False).headers["location"]
    back = person.http.get(away, allow_redirects=False, timeout=20).headers["location"]
    victim = Person(place.url, running[2])
    request.addfinalizer(victim.http.close)
    assert victim.http.get(back, timeout=20).status_code == 403 and not victim.is_signed_in
    victim.get("/-/sign-in/issuer", allow_redirects=False)
    assert victim.http.get(back, timeout=20).status_code == 403, "another state"
    cookie = next(one for one in person.http.cookies if "issuer" in one.name)
    kept = cookie.value
    cookie.value = kept.replace(".in.", ".link.")
    assert person.http.get(back, timeout=20).status_code == 403, "what it is for was changed"
    person.http.cookies.set(cookie.name, kept, domain=cookie.domain, path="/")
    assert person.http.get(f"{back}x", timeout=20).status_code == 403
    person.http.cookies.set(cookie.name, kept, domain=cookie.domain, path="/")
    assert person.http.get(back, timeout=20).ok and person.is_signed_in
    person.http.cookies.clear()
    person.http.cookies.set(cookie.name, kept, domain=cookie.domain, path="/")
    assert person.http.get(back, timeout=20).status_code == 401, "the code was used"


def test_what_the_issuer_refuses_or_lacks_is_said_on_the_page(
    issuer: PeopleIssuer, person: Person
) -> None:
    for error, status in (("access_denied", 403), ("<script>alert(1)</script>", 401)):
        away = person.get("/-/sign-in/issuer", allow_redirects=False).headers["location"]
        state = away.partition("state=")[2].partition("&")[0]
        answer = person.get("/-/sign-in/callback", params={"error": error, "state": state})
        assert answer.status_code == status and "<script>alert" not in answer.text
        assert 'name="password"' in answer.text
    issuer.fault = 500
    answer = person.get("/-/sign-in/issuer")
    assert answer.status_code == 503 and "Example is not possible now" in answer.text
    issuer.fault = 400
    assert person.get("/-/sign-in/issuer").status_code == 401


def test_an_issuer_that_is_down_leaves_the_password(tmp_path: Any) -> None:
    made = IssuerSettings("https://localhost:1", "registry", "secret", "Example")
    place = new_place(Settings(tmp_path / "registry", issuer=made))
    with serve(place):
        person = Person(place.url)
        answer = person.get("/-/sign-in/issuer")
        assert answer.status_code == 503 and 'name="password"' in answer.text
        assert "localhost:1" not in answer.text
        assert person.sign_in("owner", place.token).ok and person.is_signed_in
    place.registry.database.close()
