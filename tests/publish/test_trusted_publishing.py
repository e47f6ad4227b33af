"""Trusted publishing against a local issuer: an identity of the CI for a token of the target."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.attestations import make_pep_740_attestation
from tests.factories.releases import Release, hash_file, make_wheel
from tests.servers.package_servers import FakeServer, Store, run_server
from twofold.cli import main
from twofold.errors import Refused, TwofoldError
from twofold.publish.order import Order, prepare
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy

MINTED = "minted-token-15-minutes"


def jwt(audience: str) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part({'aud': audience, 'sub': 'repo:me/p'})}.{'c2ln'}"


class TrustingIndex(FakeServer):
    """An issuer as GitHub's, and an index that mints tokens in both dialects and takes uploads."""

    def do_GET(self) -> None:
        path = self.path_only
        self.store.other.setdefault("requested", []).append(path)
        if path == "/issuer":
            audience = self.path.partition("audience=")[2]
            self.send_answer(200, {"value": jwt(audience)})
        elif path == "/.well-known/pytp" and self.store.other.get("pep807"):
            ends = {"audience-endpoint": "/oidc/who", "token-mint-endpoint": "/oidc/mint"}
            self.send_answer(200, ends)
        elif path in ("/_/oidc/audience", "/oidc/who") and not self.store.other.get("untrusting"):
            self.send_answer(200, {"audience": "the-index"})
        elif path.startswith("/simple/"):
            files = [
                {
                    "filename": n,
                    "url": f"/files/{n}",
                    "hashes": {"sha256": hashlib.sha256(d).hexdigest()},
                }
                for n, d in self.store.files.items()
            ]
            self.send_answer(200, {"files": files})
        else:
            self.send_stored(path.removeprefix("/files/"))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = self.path_only
        if path in ("/_/oidc/mint-token", "/oidc/mint", "/api/oidc/mint_token"):
            token = json.loads(self.body)["token"]
            audience = "127.0.0.1" if path.startswith("/api/") else "the-index"
            if token != jwt(audience) or self.store.other.get("stranger"):
                errors = [{"code": "invalid-publisher", "description": "no publisher fits"}]
                return self.send_answer(422, {"message": "Token request failed", "errors": errors})
            if path.startswith("/api/"):
                return self.send_answer(200, data=MINTED.encode())
            return self.send_answer(200, {"success": True, "token": MINTED, "expires": 1})
        fields = self.form()
        basic = base64.b64encode(f"__token__:{MINTED}".encode()).decode()
        if path == "/legacy/" and self.headers["Authorization"] == f"Basic {basic}":
            self.store.other["form"] = fields
            self.store.put(str(self.store.other["name"]), fields["content"])
            return self.send_answer(200, {})
        if path == "/api/v1/upload/lab" and self.headers["Authorization"] == f"Bearer {MINTED}":
            self.store.put(f"/lab/noarch/{self.headers['x-file-name']}", fields["file"])
            return self.send_answer(200, {})
        return self.send_answer(403, {"message": "not allowed"})


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Store]]:
    with run_server(TrustingIndex) as (address, store):
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{address}/issuer?x=1")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")
        yield address, store


QUICK = RetryPolicy(attempts=1)


@pytest.mark.parametrize("pep807", [False, True])
def test_an_identity_of_the_ci_becomes_a_token_of_the_index(
    index: tuple[str, Store], release: Release, pep807: bool
) -> None:
    address, store = index
    store.other |= {"name": release.wheel.name, "pep807": pep807}
    with prepare(Order([release.wheel], [f"legacy+{address}/legacy/"], retry_policy=QUICK)) as made:
        assert len(made.carry_out(lambda _: None)) == 1
    assert store.history[release.wheel.name] == {hash_file(release.wheel)}
    assert ("/oidc/who" in store.other["requested"]) == pep807


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("dialect", ["pypi", "prefix"])
def test_pypis_and_prefix_devs_dialects_are_spoken_in_both_cis(
    index: tuple[str, Store],
    release: Release,
    dialect: str,
    ci: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command: the target from the configuration, the identity from the CI's variables."""
    address, store = index
    file = release.conda if dialect == "prefix" else release.wheel
    store.other["name"] = file.name
    keys = {
        "pypi": f'url = "{address}/legacy/"\nindex = "{address}/simple/"',
        "prefix": f'url = "{address}"\nchannel = "lab"',
    }
    (tmp_path / "twofold-config").mkdir()
    config = tmp_path / "twofold-config" / "config.toml"
    config.write_text(f'[targets.there]\nkind = "{dialect}"\n{keys[dialect]}\n')
    if ci == "gitlab":
        for name in [name for name in os.environ if name.startswith(("GITHUB_", "ACTIONS_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("GITLAB_CI", "true")
        audience = "127.0.0.1" if dialect == "prefix" else "the-index"
        name = {"pypi": "THE_INDEX_ID_TOKEN", "prefix": "_27_0_0_1_ID_TOKEN"}[dialect]
        monkeypatch.setenv(name, jwt(audience))
    assert main(["publish", str(file), "--to", "there"]) == 0, capsys.readouterr().err
    stored = f"/lab/noarch/{file.name}" if dialect == "prefix" else file.name
    assert store.history[stored] == {hash_file(file)}
    assert MINTED not in "".join(capsys.readouterr())


def test_an_identity_that_is_not_trusted_is_reported_with_the_servers_reason(
    index: tuple[str, Store], release: Release
) -> None:
    address, store = index
    store.other["stranger"] = True
    with pytest.raises(Refused, match="Token request failed") as caught:
        prepare(Order([release.wheel], [f"legacy+{address}/legacy/"], retry_policy=QUICK))
    assert "no publisher fits" in str(caught.value)
    assert "trusted publisher" in caught.value.hint
    assert "this run's identity is " in caught.value.hint
    assert "aud=the-index" in caught.value.hint
    assert jwt("the-index") not in str(caught.value)


def test_a_job_without_the_permission_learns_what_to_add(
    index: tuple[str, Store], release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    with pytest.raises(TwofoldError) as caught:
        prepare(Order([release.wheel], [f"legacy+{index[0]}/legacy/"], retry_policy=QUICK))
    assert "id-token: write" in caught.value.hint


def test_a_token_that_is_set_comes_first_and_an_index_without_it_is_left_alone(
    index: tuple[str, Store], release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, store = index
    store.other["untrusting"] = True
    target = f"legacy+{address}/legacy/"
    with (
        prepare(Order([release.wheel], [target], retry_policy=QUICK)) as made,
        pytest.raises(TwofoldError, match="not allowed"),
    ):
        made.carry_out(lambda _: None)
    monkeypatch.setenv("TWOFOLD_TOKEN", "set")
    store.other["requested"].clear()
    with prepare(Order([release.wheel], [target], retry_policy=QUICK)):
        assert "/_/oidc/audience" not in store.other["requested"]


def test_attestations_beside_a_file_are_sent_with_it(
    index: tuple[str, Store], tmp_path: Path
) -> None:
    address, store = index
    wheel = make_wheel(tmp_path, "attested", "1.0")
    attestation = tmp_path / f"{wheel.name}.publish.attestation"
    attestation.write_text(make_pep_740_attestation(wheel))
    store.other["name"] = wheel.name
    order = Order([wheel, attestation], [f"legacy+{address}/legacy/"], retry_policy=QUICK)
    with prepare(order) as made:
        made.carry_out(lambda _: None)
    sent = json.loads(store.other["form"]["attestations"])
    assert sent == [json.loads(make_pep_740_attestation(wheel))]
    assert resolve_targets([f"legacy+{address}/legacy/"])
