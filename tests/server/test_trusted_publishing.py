"""Trusted publishing: an issuer on loopback over TLS, tokens good and bad, and uv itself."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from tests.servers.identity_provider import Issuer, run_issuer
from twofold.errors import Refused
from twofold.server.auth import trusted_publishers


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def issuer(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Issuer]:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with run_issuer(authority) as issuer:
        yield issuer


@pytest.fixture
def secure(place: Place, authority: trustme.CA, tmp_path: Path, issuer: Issuer) -> Iterator[Place]:
    """The registry over TLS, trusting the issuer's runs of org/project."""
    certificate = authority.issue_cert("localhost")
    files = tmp_path / "registry.pem", tmp_path / "registry.key"
    certificate.cert_chain_pems[0].write_to_path(files[0])
    certificate.private_key_pem.write_to_path(files[1])
    place.settings = replace(place.settings, tls_certificate=files[0], tls_key=files[1])
    trusted_publishers.add_publisher(
        place.registry,
        "owner",
        "main",
        "My_Package",
        issuer.url,
        {"repository": "org/project", "workflow_ref": "*/.github/workflows/release.yml@*"},
    )
    with serve(place):
        yield place


def mint(place: Place, token: str, path: str = "/_/oidc/mint-token") -> requests.Response:
    return requests.post(f"{place.url}{path}", json={"token": token}, timeout=120)


def test_a_run_gets_a_token_for_its_project_alone(
    secure: Place, issuer: Issuer, tmp_path: Path
) -> None:
    answer = mint(secure, issuer.token()).json()
    assert answer["success"] is True
    assert 800 < answer["expires"] - time.time() <= 900
    mine, other = make_wheel(tmp_path, "my_package"), make_wheel(tmp_path, "other")
    assert secure.upload(mine, token=answer["token"]).status_code == 200
    refused = secure.upload(other, token=answer["token"])
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_an_identity_token_is_good_once(secure: Place, issuer: Issuer) -> None:
    token = issuer.token()
    assert mint(secure, token).status_code == 200
    again = mint(secure, token)
    assert again.status_code == 422
    assert again.json()["errors"][0]["code"] == "invalid-reuse-token"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "pypi"}, "invalid-token"),
        ({"exp": int(time.time()) - 600}, "invalid-token"),
        ({"nbf": int(time.time()) + 6000}, "invalid-token"),
        ({"iss": "https://evil.example"}, "invalid-token"),
        ({"jti": None}, "invalid-token"),
        ({"repository": "org/other"}, "invalid-publisher"),
        ({"repository": ["org/project"]}, "invalid-publisher"),
        ({"workflow_ref": "org/project/.github/workflows/test.yml@x"}, "invalid-publisher"),
        ({"repository": None}, "invalid-publisher"),
    ],
    ids=[
        "another audience",
        "expired",
        "not yet valid",
        "another issuer",
        "no jti",
        "another repository",
        "a list of repositories",
        "another workflow",
        "no repository",
    ],  # no times in them: every process of a run must collect the same names
)
def test_a_token_with_other_claims_is_refused(
    secure: Place, issuer: Issuer, claims: dict[str, Any], code: str
) -> None:
    answer = mint(secure, issuer.token(**claims))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == code


def test_a_token_of_another_key_or_none_is_refused(secure: Place, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (
        issuer.token(stranger),
        issuer.token("shared-secret-shared-secret-shared", "HS256"),
        jwt.encode(jwt.decode(issuer.token(), options={"verify_signature": False}), "", "none"),
        "no.token.atall",
        "",
    ):
        answer = mint(secure, token)
        assert answer.status_code == 422, token
        assert answer.json()["errors"][0]["code"] == "invalid-token"


def new_key(issuer: Issuer, kid: str) -> rsa.RSAPrivateKey:
    """A key that the issuer publishes from now on, instead of its last one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    issuer.documents["/keys"] = {"keys": [{**public, "kid": kid, "use": "sig", "alg": "RS256"}]}
    issuer.key, issuer.kid = key, kid
    return key


def test_a_key_that_the_issuer_has_changed_is_fetched_at_limited_rate(
    secure: Place, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mint(secure, issuer.token()).status_code == 200
    old = issuer.token()
    new_key(issuer, "key-2")
    early = mint(secure, issuer.token())  # made-up ids do not flood the issuer
    assert "no such key" in early.json()["errors"][0]["description"]
    monkeypatch.setattr("twofold.server.auth.oidc.KEYS_RETRY_AFTER", 0)
    assert mint(secure, issuer.token()).status_code == 200
    assert "no such key" in mint(secure, old).json()["errors"][0]["description"]


def test_nothing_is_minted_while_the_issuer_is_down_and_minting_resumes_after(
    secure: Place, issuer: Issuer
) -> None:
    documents = dict(issuer.documents)
    token = issuer.token()
    issuer.documents.clear()
    answer = mint(secure, token)
    assert answer.status_code == 422
    assert "the issuer cannot be read" in answer.json()["errors"][0]["description"]
    issuer.documents.update(documents)
    assert mint(secure, token).status_code == 200  # it was not used up


def test_the_environment_counts_where_the_publisher_names_one(
    secure: Place, issuer: Issuer
) -> None:
    claims = {"repository": "org/guarded", "environment": "release"}
    trusted_publishers.add_publisher(
        secure.registry, "owner", "main", "guarded", issuer.url, claims
    )
    for environment in (None, "test", "release-2", ["release"]):
        answer = mint(secure, issuer.token(repository="org/guarded", environment=environment))
        assert answer.json()["errors"][0]["code"] == "invalid-publisher", environment
    right = mint(secure, issuer.token(repository="org/guarded", environment="release"))
    assert right.status_code == 200


def test_a_run_of_gitlab_is_known_by_its_own_claims(
    secure: Place, issuer: Issuer, tmp_path: Path
) -> None:
    """Any issuer will do: a publisher says its address and which of its claims must be what."""
    claims = {
        "project_path": "group/project",
        "ci_config_ref_uri": "gitlab.example/group/project//.gitlab-ci.yml@refs/tags/*",
    }
    trusted_publishers.add_publisher(
        secure.registry, "owner", "main", "from-gitlab", issuer.url, claims
    )
    claims_sent = {
        "sub": "project_path:group/project:ref_type:tag:ref:v1",
        "repository": None,
        "workflow_ref": None,
        "project_path": "group/project",
    }
    right = "gitlab.example/group/project//.gitlab-ci.yml@refs/tags/v1"
    wrong = "gitlab.example/group/project//.gitlab-ci.yml@refs/heads/main"
    refused = mint(secure, issuer.token(**claims_sent, ci_config_ref_uri=wrong))
    assert refused.json()["errors"][0]["code"] == "invalid-publisher"
    token = mint(secure, issuer.token(**claims_sent, ci_config_ref_uri=right)).json()["token"]
    assert secure.upload(make_wheel(tmp_path, "from-gitlab"), token=token).status_code == 200
    assert secure.upload(make_wheel(tmp_path, "my_package"), token=token).status_code == 403


def test_a_minted_token_ends_and_makes_no_other(secure: Place, issuer: Issuer) -> None:
    token = mint(secure, issuer.token()).json()["token"]
    url = f"{secure.url}/api/manage/users/owner/tokens"
    headers = {"authorization": f"Bearer {token}"}
    assert requests.post(url, headers=headers, timeout=120).status_code == 403
    later = secure.registry.clock() + timedelta(minutes=15, seconds=1)
    object.__setattr__(secure.registry, "clock", lambda: later)
    assert "expired" in secure.get("/api/manage/whoami", token=token).reason


def test_keys_on_another_host_are_not_fetched(secure: Place, issuer: Issuer) -> None:
    path = "/.well-known/openid-configuration"
    issuer.documents[path] = {"jwks_uri": "https://169.254.169.254/latest/meta-data"}
    answer = mint(secure, issuer.token())
    assert "own host" in answer.json()["errors"][0]["description"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"token": 1}', b"x" * 100_000, b"[" * 60_000, b'{"token": "\\ud800.a.b"}'],
)
def test_a_malformed_request_is_refused(secure: Place, body: bytes) -> None:
    answer = requests.post(f"{secure.url}/_/oidc/mint-token", data=body, timeout=120)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "invalid-payload"


@pytest.mark.parametrize("part", [b"[" * 40_000, b'{"iss":' + b"9" * 5_000 + b"}"])
def test_an_identity_token_made_to_exhaust_a_parser_is_refused(secure: Place, part: bytes) -> None:
    message = base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    head = base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=").decode()
    for token in (f"{message}.{message}.x", f"{head}.{message}.eA"):
        answer = mint(secure, token)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] in ("invalid-token", "invalid-payload")


def test_discovery_leads_to_the_channels_own_endpoints(secure: Place, issuer: Issuer) -> None:
    found = requests.get(
        f"{secure.url}/.well-known/pytp", params={"discover": "/main/legacy/"}, timeout=120
    )
    assert found.headers["content-type"] == "application/vnd.pypi.pytp.v1+json"
    where = found.json()
    assert requests.get(where["audience-endpoint"], timeout=120).json() == {"audience": "twofold"}
    answer = requests.post(
        where["token-mint-endpoint"], json={"token": issuer.token()}, timeout=120
    )
    assert answer.json()["success"] is True
    missing = requests.get(f"{secure.url}/.well-known/pytp?discover=/x/y", timeout=120)
    assert missing.status_code == 404


def test_without_publishers_it_is_not_enabled(served: Place) -> None:
    answer = requests.post(f"{served.url}/_/oidc/mint-token", json={"token": "x"}, timeout=120)
    assert answer.json()["errors"][0]["code"] == "not-enabled"


def test_an_issuer_without_tls_cannot_be_trusted(place: Place) -> None:
    with pytest.raises(Refused, match="https"):
        trusted_publishers.add_publisher(
            place.registry, "owner", "main", "x", "http://localhost", {"sub": "b"}
        )


def test_uv_publishes_from_a_run(secure: Place, issuer: Issuer, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    command = ["uv", "publish", "--trusted-publishing", "always", "--native-tls"]
    done = subprocess.run(
        [*command, "--publish-url", f"{secure.channel}/legacy/", str(wheel)],
        env={
            **{name: value for name, value in os.environ.items() if "UV_" not in name},
            "GITLAB_CI": "true",
            "TWOFOLD_ID_TOKEN": issuer.token(),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert secure.get("/main/simple/my-package/").status_code == 200


@pytest.mark.parametrize(
    "issuer",
    [
        "https://localhost:1",
        "https://169.254.169.254",
        "https://10.0.0.1:9",
        "https://[::1]:22",
        "https://[::ffff:10.0.0.1]",
        "https://[64:ff9b::a00:1]",
        "https://[64:ff9b:1::a00:1]",
        "https://[2002:a00:1::]",
        "https://[::10.0.0.1]",
        "https://intranet",
        "https://ci.home.arpa",
    ],
)
def test_a_channels_administrator_names_no_issuer_inside(place: Place, issuer: str) -> None:
    with pytest.raises(Refused, match="internal address"):
        trusted_publishers.add_public_publisher(
            place.registry, "ann", "main", "p", issuer, {"sub": "x"}
        )


def test_an_issuer_whose_name_leads_inside_is_not_contacted_and_nothing_is_revealed(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://ci.example"
    trusted_publishers.add_public_publisher(served.registry, "ann", "main", "p", url, {"sub": "x"})
    inside = socket.getaddrinfo("127.0.0.1", 1, type=socket.SOCK_STREAM)
    own = socket.getaddrinfo

    def resolve(host: str, *words: Any, **options: Any) -> Any:
        return inside if host == "ci.example" else own(host, *words, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    token = jwt.encode({"iss": url}, "k" * 32, "HS256")
    answer = requests.post(f"{served.url}/_/oidc/mint-token", json={"token": token}, timeout=120)
    path = f"{url}/.well-known/openid-configuration"
    assert answer.json()["errors"] == [
        {
            "code": "invalid-token",
            "description": f"Invalid identity token: the issuer cannot be read at {path}",
        }
    ]


@pytest.mark.parametrize(
    "claims",
    [
        {"repository": "*"},
        {"sub": "*"},
        {"sub": "repo:*"},
        {"repository": "*/project"},
        {"environment": "release"},
        {"ref": "refs/tags/v1", "repository": ""},
    ],
    ids=str,
)
def test_a_publisher_says_whose_runs_may_publish(place: Place, claims: dict[str, str]) -> None:
    url = "https://ci.example"
    with pytest.raises(Refused) as refused:
        trusted_publishers.add_publisher(place.registry, "owner", "main", "p", url, claims)
    assert refused.value.code == "no-identity"
    for fine in ({"repository": "o/r"}, {"sub": "repo:o/r:*"}, {"repository": "o/*"}):
        trusted_publishers.add_publisher(
            place.registry, "owner", "main", "p", url, {**claims, **fine}
        )


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/?", "a/b", False),
        ("a/[b]", "a/b", False),
        ("a/[b]", "a/[b]", True),
        ("a/*.yml@*", "a/x.yml@refs/tags/v1", True),
        ("a/*", "A/b", False),
    ],
)
def test_only_a_star_stands_for_any_text(
    secure: Place, issuer: Issuer, pattern: str, text: str, fits: bool
) -> None:
    claims = {"repository": "org/project", "workflow_ref": pattern}
    trusted_publishers.add_publisher(secure.registry, "owner", "main", "other", issuer.url, claims)
    answer = mint(secure, issuer.token(workflow_ref=text))
    assert (answer.status_code == 200) is fits


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 3_000_000_000_000},
        {"exp": 10**30},
        {"exp": "never"},
        {"jti": "x" * 10_000},
        {"jti": "a\0b"},
        {"sub": "\x1b[31mred"},
        {"sub": "x" * 10_000},
    ],
    ids=str,
)
def test_claims_that_cannot_be_stored_are_refused(
    secure: Place, issuer: Issuer, claims: dict[str, Any]
) -> None:
    answer = mint(secure, issuer.token(**claims))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] in ("invalid-token", "invalid-payload")


def test_a_token_that_names_a_key_of_another_kind_is_refused(secure: Place, issuer: Issuer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    keys = next(path for path, value in issuer.documents.items() if "keys" in value)
    issuer.documents[keys]["keys"].append({**public, "kid": "key-ec", "use": "sig"})
    issuer.kid = "key-ec"
    answer = mint(secure, issuer.token())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "invalid-token"


def test_an_issuer_may_end_its_address_with_a_slash(secure: Place, issuer: Issuer) -> None:
    assert mint(secure, issuer.token(iss=f"{issuer.url}/")).status_code == 200


def test_a_trusted_publisher_deletes_nothing(secure: Place, issuer: Issuer, tmp_path: Path) -> None:
    token = mint(secure, issuer.token()).json()["token"]
    wheel = make_wheel(tmp_path, "my_package")
    assert secure.upload(wheel, token=token).status_code == 200
    answer = requests.delete(
        f"{secure.url}/api/package/main/my_package",
        headers={"Authorization": f"token {token}"},
        timeout=120,
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "uploads-only")
    assert secure.get("/main/project/my-package").status_code == 200
