"""Pages of users and organisations, and who uploaded what with which credential."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.people import Person
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.auth.accounts import TokenRequest
from twofold.server.importing.transfer import OPERATOR
from twofold.server.model import Action, Actor, User
from twofold.server.proxy import config
from twofold.server.registry import administration
from twofold.server.registry.publish import Upload, publish

PASSWORD = "a long password"


def add_user(place: Place, name: str, role: Action | None = None, channel: str = "main") -> User:
    user = accounts.add_user(place.registry, "owner", name, PASSWORD)
    if role is not None:
        administration.set_role(place.registry, "owner", channel, user, role)
    return user


def upload_as(place: Place, actor: Actor, path: Path, channel: str = "main", **more: bool) -> None:
    copy = path.with_name(f"{path.name}.copy")
    copy.write_bytes(path.read_bytes())
    publish(place.registry, actor, channel, Upload(copy, path.name, **more))


def sign_in(place: Place, name: str, password: str = PASSWORD) -> Person:
    person = Person(place.url)
    assert person.sign_in(name, password).ok
    return person


def test_a_page_shows_what_its_reader_may_read_and_nobody_learns_of_others(
    served: Place, tmp_path: Path
) -> None:
    accounts.add_channel(served.registry, "owner", "vaultlab", served.owner.user, public=False)  # type: ignore[arg-type]
    ann = add_user(served, "ann", Action.UPLOAD)
    administration.set_role(served.registry, "owner", "vaultlab", ann, Action.ADMIN)
    add_user(served, "bob", Action.READ, "vaultlab")
    add_user(served, "eve")
    upload_as(served, Actor(ann), make_wheel(tmp_path, "shown", "1.0"))
    upload_as(served, Actor(ann), make_wheel(tmp_path, "hush", "1.0"), "vaultlab")
    anybody, bob, eve = Person(served.url), sign_in(served, "bob"), sign_in(served, "eve")
    page = anybody.get("/-/users/ann").text
    assert "/main/project/shown" in page and "may upload" in page
    assert "hush" not in page and "vaultlab" not in page
    page = bob.get("/-/users/ann").text
    assert "/vaultlab/project/hush" in page and "administrates it" in page
    assert "vaultlab" not in eve.get("/-/users/ann").text
    for reader, name, status in (
        (anybody, "bob", 404),
        (anybody, "eve", 404),
        (anybody, "nobody", 404),
        (bob, "eve", 404),
        (bob, "bob", 200),
        (eve, "bob", 404),
        (sign_in(served, "owner", served.token), "eve", 200),
    ):
        assert reader.get(f"/-/users/{name}").status_code == status, name
    gone, there = anybody.get("/-/users/nobody").text, anybody.get("/-/users/eve").text
    assert gone.replace("nobody", "eve") == there


def test_an_organisation_shows_its_channels_and_to_members_each_other(
    served: Place, tmp_path: Path
) -> None:
    crew = accounts.add_user(served.registry, "owner", "crew", kind="organisation")
    accounts.add_channel(served.registry, "owner", "tools", crew)
    ann, bob = add_user(served, "ann"), add_user(served, "bob")
    for one in (ann, bob):
        administration.set_member(served.registry, "owner", crew, one, Action.UPLOAD)
    for name in ("drill", "saw"):
        upload_as(served, Actor(ann), make_wheel(tmp_path, name, "1.0"), "tools")
    anybody, member = Person(served.url), sign_in(served, "ann")
    page = anybody.get("/-/users/crew").text
    assert "owns it" in page and "/tools/project/drill" in page and "/tools/project/saw" in page
    assert "Members" not in page and "/-/users/bob" not in page
    assert "There is no such page" in anybody.get("/-/users/crew?page=2").text
    assert "/-/users/bob" in member.get("/-/users/crew").text
    assert "Member of" in member.get("/-/users/bob").text, "who has nothing else to show"
    assert anybody.get("/-/users/bob").status_code == 404
    assert "Member of" not in anybody.get("/-/users/ann").text


CI = {
    "iss": "https://ci.example",
    "repository": "acme/tool",
    "workflow_ref": "acme/tool/.github/workflows/release.yml@refs/tags/v1",
}


def test_a_release_shows_what_each_file_was_uploaded_with(served: Place, tmp_path: Path) -> None:
    ann, registry = add_user(served, "ann", Action.UPLOAD), served.registry
    _, token = accounts.issue_token_for(
        registry, "owner", ann, TokenRequest("for <laptop>", frozenset({Action.UPLOAD}))
    )
    publisher = replace(token, name="trusted publisher x", application={"publisher": CI})
    owner = served.owner.user
    assert owner is not None
    session = sign_in(served, "ann")
    for version, actor, more in (
        ("1", Actor(ann, token), {}),
        ("2", Actor(ann), {}),
        ("3", Actor(owner, publisher), {}),
        ("5", OPERATOR, {"is_imported": True}),
        ("6", OPERATOR, {}),
    ):
        upload_as(served, actor, make_wheel(tmp_path, "pkg", version), **more)

    def read(person: Person, version: str) -> str:
        page = person.get(f"/main/project/pkg/{version}").text
        return page.split("Uploaded by</dt>")[1].split("</dd>")[0]

    anybody = Person(served.url)
    assert "with a token" in read(anybody, "1") and "/-/users/ann" in read(anybody, "1")
    assert "the token &#39;for &lt;laptop&gt;&#39;" in read(session, "1")
    assert "the token" in read(sign_in(served, "owner", served.token), "1")
    assert "with a password" in read(anybody, "2")
    third = read(anybody, "3")
    assert "trusted publisher acme/tool (workflow acme/tool/.github" in third
    assert "owner" not in third, "the token was minted for the owner, who uploaded nothing"
    assert "imported" in read(anybody, "5") and "the operator" in read(anybody, "6")
    page = anybody.get("/main/project/pkg").text
    assert 'Maintained by</dt><dd><ul>\n<li><a href="/-/users/owner">owner</a>' in page
    assert '<a href="/-/users/ann">ann</a> <small>may upload</small>' in page
    done = session.http.post(
        f"{served.url}/-/manage/channels/main/upload",
        data={"csrf": session.token("/-/manage/channels/main/upload")},
        files={"content": ("pkg-7-py3-none-any.whl", make_wheel(tmp_path, "pkg", "7").open("rb"))},
        headers={"Origin": served.url},
        timeout=60,
    )
    assert done.ok, done.text
    assert "in the browser" in read(anybody, "7")
    with registry.database.write() as db:
        db.exec_driver_sql("UPDATE files SET uploaded_with = NULL WHERE version = '2'")
    assert read(anybody, "2").count("ann") == 2 and "with" not in read(anybody, "2")


def test_a_fetched_file_makes_nobody_its_uploader(served: Place, tmp_path: Path) -> None:
    owner = served.owner.user
    assert owner is not None
    front = config.UpstreamConfig("http://127.0.0.1:9/simple", "pypi")
    config.add(served.registry, "owner", "main", front)
    upload_as(served, Actor(owner), make_wheel(tmp_path, "theirs", "1.0"), is_fetched=True)
    upload_as(served, Actor(owner), make_wheel(tmp_path, "mine", "1.0"))
    page = served.get("/-/users/owner").text
    assert "/main/project/mine" in page and "theirs" not in page
    by = served.get("/main/project/theirs").text.split("Uploaded by</dt>")[1].split("</dd>")[0]
    assert "fetched from the upstream" in by and "owner" not in by


@pytest.mark.parametrize("number", ["0", "-1", "x", "999999", "1e3", "²"])
def test_any_number_of_a_page_is_answered(served: Place, tmp_path: Path, number: str) -> None:
    served.publish(make_wheel(tmp_path, "pkg", "1.0"))
    for path in ("/-/users/owner", "/main", "/main/label/pre", "/-/search"):
        assert served.get(f"{path}?q=&page={number}").status_code in (200, 404), path
