"""Readers with a token: what a process keeps about them holds until anything changes, anywhere."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import requests

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.processes import Fleet, wait_until
from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.auth.accounts import TokenRequest
from twofold.server.model import Action, Actor
from twofold.server.registry import administration, lifecycle
from twofold.server.registry.browsing.numbers import get_project_downloads
from twofold.server.settings import Settings


def basic(user: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def shown_paths(done: dict[str, str]) -> list[str]:
    """Return one path of every kind that the fast path serves."""
    return [
        "simple/my-package/",
        "simple/",
        f"files/{done['sha256']}/{done['filename']}",
        f"files/{done['sha256']}/{done['filename']}.metadata",
        "noarch/my_package-1.0.0-py_0.conda",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/repodata_shards.msgpack.zst",
        "label/main/simple/my-package/",
        "label/main/noarch/repodata.json",
        "channeldata.json",
    ]


def test_a_reader_with_a_token_gets_on_the_fast_path_what_the_normal_route_sends(
    served: Place, tmp_path: Path
) -> None:
    """A query makes a request take the normal route; each path is read three times before."""
    done = served.upload(make_wheel(tmp_path)).json()
    administration.change_rule(served.registry, "operator", "main", "public", "no")
    for path in shown_paths(done):
        slow = served.get(f"/main/{path}?slow", served.token)
        assert slow.status_code == 200, path
        for prefix, headers in (
            ("", basic("__token__", served.token)),
            ("", {"X-API-Key": served.token}),
            ("", {"Authorization": f"Bearer {served.token}"}),
            (f"/t/{served.token}", {}),
        ):
            for _ in range(2):
                fast = requests.get(
                    f"{served.url}{prefix}/main/{path}", headers=headers, timeout=60
                )
                assert fast.content == slow.content
                own = {**slow.headers, "date": fast.headers["date"]}
                assert dict(fast.headers) == own, path
        etag = slow.headers.get("etag")
        if etag:
            for tag in (etag, f'"other", W/{etag}', "*"):
                headers = {**basic("__token__", served.token), "If-None-Match": tag}
                fast, slow = (
                    requests.get(f"{served.url}/main/{path}{query}", headers=headers, timeout=60)
                    for query in ("", "?slow")
                )
                assert (fast.status_code, slow.status_code) == (304, 304)
                assert dict(fast.headers) == {**slow.headers, "date": fast.headers["date"]}
        assert served.get(f"/main/{path}").status_code == 401
        assert served.get(f"/main/{path}", "twofold-wrong").status_code == 401


def test_every_withdrawal_counts_at_the_next_request_at_every_process(
    fleet: Fleet, store: Settings, tmp_path: Path
) -> None:
    """Each process has kept its readers before each change, which another process makes."""
    registry = open_registry(
        replace(
            store,
            data=tmp_path / "operator",
            database=store.database or f"sqlite:///{(tmp_path / 'db.sqlite').as_posix()}",
            objects=store.objects or str(tmp_path / "objects"),
        )
    )
    done = fleet.upload(0, make_wheel(tmp_path)).json()
    administration.change_rule(registry, "operator", "main", "public", "no")
    ann = accounts.add_user(registry, "operator", "ann", "a-long-password")
    secret, _ = accounts.issue_token_for(registry, "operator", ann, TokenRequest("ci"))
    ends = registry.clock() + timedelta(days=1)
    passing = TokenRequest("short", expires_at=ends)
    short, _ = accounts.issue_token_for(registry, "operator", ann, passing)
    session = requests.Session()
    logins = [
        ("", basic("__token__", secret)),
        (f"/t/{secret}", {}),
        ("", basic("ann", "a-long-password")),
        ("", basic("__token__", short)),
    ]

    def statuses(logins: list[tuple[str, dict[str, str]]] = logins) -> set[int]:
        return {
            session.get(f"{url}{prefix}/main/{path}", headers=headers, timeout=60).status_code
            for url in fleet.urls
            for path in shown_paths(done)[:6:2]
            for prefix, headers in logins
        }

    administration.set_role(registry, "operator", "main", ann, Action.READ)
    assert statuses() == {200} == statuses()
    administration.set_role(registry, "operator", "main", ann, None)
    assert statuses() == {404}
    administration.set_role(registry, "operator", "main", ann, Action.READ)
    assert statuses() == {200} == statuses()
    operator = Actor(operator=True)
    lifecycle.set_status(registry, operator, "main", "my-package", "quarantined", "bad")
    for url in fleet.urls:
        for path in shown_paths(done)[2:5]:
            answer = session.get(f"{url}/main/{path}", headers=logins[0][1], timeout=60)
            assert answer.status_code == 403, path
    lifecycle.set_status(registry, operator, "main", "my-package", "active", "")
    assert statuses() == {200} == statuses()
    administration.revoke_token(registry, "operator", "ann", secret[: len("twofold-") + 4] + "...")
    assert statuses(logins[:2]) == {401}
    assert statuses(logins[2:]) == {200} == statuses(logins[2:])
    administration.set_password(registry, "operator", ann, "another-password")
    old = session.get(f"{fleet.urls[0]}/main/simple/", headers=logins[2][1], timeout=60)
    assert old.status_code == 401
    administration.disable_user(registry, "operator", ann)
    assert statuses(logins[3:]) == {401}
    registry.database.close()


def test_a_token_that_ends_is_refused_at_once(served: Place, tmp_path: Path) -> None:
    """Nothing in the database changes when it ends."""
    served.upload(make_wheel(tmp_path)).raise_for_status()
    administration.change_rule(served.registry, "operator", "main", "public", "no")
    ends = served.registry.clock() + timedelta(seconds=1.5)
    user = served.owner.user
    assert user is not None
    request = TokenRequest("short", expires_at=ends)
    secret, _ = accounts.issue_token_for(served.registry, "operator", user, request)
    path = "/main/simple/my-package/"
    while served.registry.clock() < ends - timedelta(seconds=0.3):
        assert served.get(path, secret).status_code == 200
    wait_until(lambda: served.registry.clock() > ends)
    assert served.get(path, secret).status_code == 401


def test_a_channel_that_redirects_sends_readers_of_files_to_a_signed_address(
    served: Place, tmp_path: Path
) -> None:
    """Both routes do, for everybody who may read the file; local files have no such address."""
    done = served.upload(make_wheel(tmp_path)).json()
    for rule, value in (("public", "no"), ("redirect", "yes")):
        administration.change_rule(served.registry, "operator", "main", rule, value)
    login = basic("__token__", served.token)
    for path in (shown_paths(done)[2], shown_paths(done)[4]):
        assert served.get(f"/main/{path}").status_code == 401
        for query in ("", "?slow"):
            url = f"{served.url}/main/{path}{query}"
            answer = requests.get(url, headers=login, timeout=60, allow_redirects=False)
            followed = requests.get(url, headers=login, timeout=60)
            assert followed.status_code == 200
            assert requests.head(url, headers=login, timeout=60).status_code == 200
            if served.settings.objects:
                assert answer.status_code == 307
                assert answer.headers["cache-control"] == "private, no-store"
                address = answer.headers["location"]
                assert requests.get(address, timeout=60).content == followed.content
                part = {**login, "Range": "bytes=0-3"}
                assert requests.get(url, headers=part, timeout=60).content == followed.content[:4]
            else:
                assert answer.status_code == 200
        if "files/" in path:
            assert hashlib.sha256(followed.content).hexdigest() == done["sha256"]
    served.registry.download_counter.flush(served.registry.database)
    counted = get_project_downloads(served.registry, served.owner, "main", "my-package")
    assert sorted(counted.by_file.values()) == [4, 4]  # no HEAD, no part, each redirect once
