"""Private channels for conda clients: every way to log in, every way not to, and nothing leaks."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard
from rattler import Client, Gateway, SourceConfig
from rattler.exceptions import GatewayError

from tests.clients.anaconda import second_user
from tests.clients.rattler import list_versions
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.model import Action, now
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Selection
from twofold.server.store import accounts as stored_accounts

READ = frozenset({Action.READ})


@pytest.fixture
def secret(served: Place, tmp_path: Path) -> Place:
    """A registry with a private channel that holds `hidden`, labelled main and dev."""
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_conda(tmp_path / "hidden", "hidden", "1.0"), "secret")
    labels.add_label(served.registry, served.owner, "secret", "dev", Selection("hidden"))
    return served


def token(place: Place, **limits: Any) -> str:
    assert place.owner.user is not None
    request = accounts.TokenRequest("t", **{"actions": READ, **limits})
    return accounts.issue_token_for(place.registry, "owner", place.owner.user, request)[0]


def in_path(place: Place, word: str, label: str = "") -> str:
    return f"{place.url}/t/{word}/secret{label}"


def as_user(place: Place, user: str, word: str) -> str:
    return place.url.replace("://", f"://{user}:{word}@") + "/secret"


def shards(place: Place, word: str) -> dict[str, str]:
    answer = place.get("/secret/noarch/repodata_shards.msgpack.zst", word)
    body = zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
    return {name: sha256.hex() for name, sha256 in msgpack.unpackb(body)["shards"].items()}


def test_rattler_reads_a_private_channel_by_path_by_password_and_by_bearer(
    secret: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = token(secret)
    assert list_versions(in_path(secret, word), "hidden", tmp_path / "1") == ["1.0"]
    assert list_versions(in_path(secret, word, "/label/dev"), "hidden", tmp_path / "2") == ["1.0"]
    assert list_versions(as_user(secret, "__token__", word), "hidden", tmp_path / "3") == ["1.0"]
    store = tmp_path / "credentials.json"
    store.write_text(json.dumps({"127.0.0.1": {"BearerToken": word}}))
    monkeypatch.setenv("RATTLER_AUTH_FILE", str(store))
    import asyncio

    async def ask() -> list[str]:
        config = SourceConfig(cache_action="no-cache")
        client = Client.default_client()
        gateway = Gateway(cache_dir=tmp_path / "4", default_config=config, client=client)
        answers = await gateway.query([f"{secret.url}/secret"], ["noarch"], ["hidden"])
        return [str(record.version) for records in answers for record in records]

    assert asyncio.run(ask()) == ["1.0"]


def test_a_user_with_a_role_reads_by_password(secret: Place, tmp_path: Path) -> None:
    bea = second_user(secret)
    packed = base64.b64encode(f"bea:{bea.password}".encode()).decode()
    path = "/secret/noarch/repodata.json"
    assert secret.get(path, authorization=f"Basic {packed}").status_code == 404
    from twofold.server.registry import administration

    assert bea.actor.user is not None
    administration.set_role(secret.registry, "owner", "secret", bea.actor.user, Action.READ)
    assert secret.get(path, authorization=f"Basic {packed}").status_code == 200
    word = bea.password.replace(" ", "%20")
    assert list_versions(as_user(secret, "bea", word), "hidden", tmp_path) == ["1.0"]


@pytest.mark.parametrize("way", ["expired", "revoked", "another channel", "unknown", "mistyped"])
def test_a_token_that_is_no_good_reads_nothing(secret: Place, tmp_path: Path, way: str) -> None:
    limits: dict[str, Any] = {}
    if way == "expired":
        limits = {"expires_at": now() - timedelta(seconds=1)}
    if way == "another channel":
        limits = {"channel": "main"}
    word = token(secret, **limits)
    if way == "revoked":
        assert secret.owner.user is not None
        with secret.registry.database.read() as db:
            mine = stored_accounts.list_tokens(db, secret.owner.user.id)
        for one in mine:
            if word.startswith(one.shown.rstrip(".")):
                accounts.revoke(secret.registry, "owner", one)
    if way == "unknown":
        word = "twofold-" + "A" * 38
    if way == "mistyped":
        word = word[:-1] + ("A" if word[-1] != "A" else "B")
    sha256 = shards(secret, secret.token)["hidden"]
    for path in (
        "/secret/noarch/repodata.json",
        "/secret/noarch/repodata.json.zst",
        "/secret/noarch/repodata_shards.msgpack.zst",
        f"/secret/noarch/shards/{sha256}.msgpack.zst",
        "/secret/noarch/hidden-1.0-py_0.conda",
        "/secret/label/dev/noarch/repodata.json",
        "/secret/noarch/run_exports.json",
        "/secret/channeldata.json",
        "/secret/notices.json",
        "/secret/simple/",
        "/secret/simple/hidden/",
        "/secret/project/hidden",
        "/api/package/secret/hidden",
        "/api/channels/secret",
    ):
        for answer in (
            secret.get(path, word),
            secret.get(path, authorization=f"Bearer {word}"),
            secret.get(path, authorization=f"token {word}"),
            secret.get(f"/t/{word}{path}"),
        ):
            status = 403 if way == "another channel" else 401
            assert answer.status_code == status, (path, answer.status_code)
            assert word not in answer.text + str(answer.reason)
            assert "1.0" not in answer.text and "etag" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"
    with pytest.raises(GatewayError):
        list_versions(in_path(secret, word), "hidden", tmp_path)


def test_nobody_learns_what_a_private_channel_holds(secret: Place) -> None:
    """What is there and what is not are answered alike; validators of a reader's help nobody."""
    sha256 = shards(secret, secret.token)["hidden"]
    there = "/secret/noarch/hidden-1.0-py_0.conda", "/secret/noarch/absent-1.0-py_0.conda"
    shard = f"/secret/noarch/shards/{sha256}.msgpack.zst", "/secret/noarch/shards/00.msgpack.zst"
    label = "/secret/label/dev/noarch/repodata.json", "/secret/label/no/noarch/repodata.json"
    project = "/secret/simple/hidden/", "/secret/simple/absent/"
    subdir = "/secret/noarch/repodata.json", "/secret/linux-64/repodata.json"
    package = "/api/package/secret/hidden", "/api/package/secret/absent"
    for known, unknown in (there, shard, label, project, subdir, package):
        held = secret.get(known, secret.token).headers.get("etag", '"x"')
        first, second = secret.get(known), secret.get(unknown)
        third = secret.get(known, if_none_match=held)
        assert {first.status_code, second.status_code, third.status_code} == {401}, known
        assert first.text == second.text == third.text
        assert "etag" not in first.headers


def test_a_private_shard_is_not_given_out_by_a_public_channel(
    secret: Place, tmp_path: Path
) -> None:
    """Shards are asked for by their hash: the channel's own are all that it knows."""
    sha256 = shards(secret, secret.token)["hidden"]
    secret.publish(make_conda(tmp_path / "open", "open", "1.0"))
    for path in (
        f"/main/noarch/shards/{sha256}.msgpack.zst",
        f"/main/label/dev/noarch/shards/{sha256}.msgpack.zst",
        "/main/noarch/hidden-1.0-py_0.conda",
    ):
        assert secret.get(path).status_code == 404
        assert secret.get(path, secret.token).status_code == 404
    assert secret.get(f"/secret/linux-64/shards/{sha256}.msgpack.zst").status_code == 401
    search = secret.get("/api/search?name=hidden").json()
    assert search == []
    found = secret.get("/api/search?name=hidden", authorization=f"token {secret.token}")
    assert [one["name"] for one in found.json()] == ["hidden"]


def test_a_quarantined_file_of_a_private_channel_is_not_downloaded_either(secret: Place) -> None:
    project = secret.get("/api/package/secret/hidden", secret.token).json()
    (basename,) = [file["basename"] for file in project["files"] if file["type"] == "conda"]
    address = f"/api/download/secret/hidden/1.0/{basename}"
    assert secret.get(address, secret.token).status_code == 200
    lifecycle.set_status(secret.registry, secret.owner, "secret", "hidden", "quarantined")
    assert secret.get(address, secret.token).status_code == 403


def test_private_answers_are_kept_by_no_shared_cache(secret: Place, tmp_path: Path) -> None:
    secret.publish(make_wheel(tmp_path, "spam"), "secret")
    sha256 = shards(secret, secret.token)["hidden"]
    for path in (
        "/secret/noarch/repodata.json",
        "/secret/noarch/repodata_shards.msgpack.zst",
        f"/secret/noarch/shards/{sha256}.msgpack.zst",
        "/secret/noarch/hidden-1.0-py_0.conda",
        "/secret/channeldata.json",
        "/secret/notices.json",
        "/secret/simple/spam/",
    ):
        kept = secret.get(path, secret.token).headers["cache-control"]
        assert kept.startswith("private"), (path, kept)
        etag = secret.get(path, secret.token).headers["etag"]
        again = secret.get(path, secret.token, if_none_match=etag)
        assert again.status_code == 304 and again.headers["cache-control"].startswith("private")


def test_a_token_in_an_address_is_in_no_page(secret: Place, tmp_path: Path) -> None:
    """Pages are the same for every way to ask: addresses in them are relative."""
    secret.publish(make_wheel(tmp_path, "spam"), "secret")
    for page in ("noarch/repodata.json", "simple/spam/", "project/spam"):
        answer = secret.get(f"/t/{secret.token}/secret/{page}")
        assert answer.status_code == 200
        assert secret.token not in answer.text
