"""Attestations (PEP 740): of this file, rightly signed, and under the operator's trust root."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, new_place, serve
from twofold.errors import TwofoldError
from twofold.server.auth import accounts
from twofold.server.auth.attestations import read_roots
from twofold.server.settings import Settings

JSON = "application/vnd.pypi.simple.v1+json"

ISSUER = "https://ci.example"
WORKFLOW = "org/project/.github/workflows/release.yml@refs/tags/v1"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Authority:
    """Who issues certificates: by default to itself."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def issue(
    name: str,
    by: Authority | None = None,
    uri: str = "",
    issuer: str = ISSUER,
    days: tuple[float, float] = (-1, 300),
) -> Authority:
    """A certificate for a new key, by an authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(by.certificate.subject if by else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
    if uri:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        content = issuer.encode()
        extension = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), bytes([0x0C, len(content)]) + content
        )
        made = made.add_extension(names, True).add_extension(extension, False)
    return Authority(key, made.sign(by.key if by else key, hashes.SHA256()))


def attestation(wheel: Path, run: Authority | None = None, **changes: Any) -> dict[str, Any]:
    """An attestation as PEP 740 has it, signed by a run."""
    run = run or issue("run")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": wheel.name, "digest": {"sha256": sha256}}],
        "predicateType": "https://example.test/publish/v1",
        "predicate": None,
        **changes,
    }
    body = json.dumps(statement).encode()
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    return {
        "version": 1,
        "verification_material": {
            "certificate": b64(run.certificate.public_bytes(serialization.Encoding.DER)),
            "transparency_entries": [{}],
        },
        "envelope": {
            "statement": b64(body),
            "signature": b64(run.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        },
    }


def test_attestations_are_served_as_provenance(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    made = attestation(wheel)
    assert served.upload(wheel, attestations=json.dumps([made])).status_code == 200
    (file,) = served.get("/main/simple/my-package/", accept=JSON).json()["files"]
    answer = served.get(f"/main/simple/my-package/{file['provenance']}")
    assert answer.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
    (bundle,) = answer.json()["attestation_bundles"]
    assert bundle["attestations"] == [made]
    assert bundle["publisher"]["kind"] == "twofold"
    assert bundle["publisher"]["verified"] == ["file", "signature"]
    assert "data-provenance=" in served.get("/main/simple/my-package/").text


def signature_of_another(wheel: Path) -> list[Any]:
    one, other = attestation(wheel), attestation(wheel, predicateType="x")
    return [{**one, "envelope": {**one["envelope"], "signature": other["envelope"]["signature"]}}]


def deep_statement(wheel: Path) -> list[Any]:
    one = attestation(wheel)
    deep = base64.b64encode(b"[" * 100_000).decode()
    return [{**one, "envelope": {**one["envelope"], "statement": deep}}]


def unknown_curve(wheel: Path) -> list[Any]:
    one = attestation(wheel)
    der = base64.b64decode(one["verification_material"]["certificate"])
    other = der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177"))
    assert other != der
    material = {
        **one["verification_material"],
        "certificate": base64.b64encode(other).decode(),
    }
    return [{**one, "verification_material": material}]


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "nonsense",
        lambda _: "[" * 100_000,
        lambda _: '[{"version": ' + "9" * 5_000 + "}]",
        deep_statement,
        unknown_curve,
        lambda _: [],
        lambda _: {},
        lambda _: [1],
        lambda wheel: [{**attestation(wheel), "version": 2}],
        lambda wheel: [attestation(wheel, subject=[])],
        lambda wheel: [attestation(wheel, subject=[{"name": "x", "digest": {}}])],
        lambda wheel: [
            attestation(wheel, subject=[{"name": wheel.name, "digest": {"sha256": "0" * 64}}])
        ],
        lambda wheel: [attestation(wheel, _type="other")],
        signature_of_another,
        lambda wheel: [attestation(wheel), attestation(wheel)],
    ],
)
def test_attestations_that_are_not_of_this_file_are_refused(
    served: Place, tmp_path: Path, make: Any
) -> None:
    wheel = make_wheel(tmp_path)
    made = make(wheel)
    text = made if isinstance(made, str) else json.dumps(made)
    answer = served.upload(wheel, attestations=text)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-attestation")
    assert served.get("/main/simple/my-package/").status_code == 404


@pytest.fixture
def root() -> Authority:
    return issue("root")


@pytest.fixture
def strict(tmp_path: Path, root: Authority) -> Any:
    """A registry with a trust root, and the token of a run that it trusts."""
    middle = issue("middle", root)
    pem = tmp_path / "roots.pem"
    chain = (root.certificate, middle.certificate)
    pem.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain))
    place = new_place(Settings(tmp_path / "registry", trust_root=pem))
    assert place.owner.user is not None
    publisher = {"iss": ISSUER, "repository": "org/project", "workflow_ref": WORKFLOW}
    request = accounts.TokenRequest("a run", application={"publisher": publisher})
    token, _ = accounts.issue_token_for(place.registry, "operator", place.owner.user, request)
    with serve(place):
        yield place, token, middle
    place.registry.database.close()


def send(place: Place, token: str, wheel: Path, run: Authority) -> Any:
    return place.upload(wheel, token, attestations=json.dumps([attestation(wheel, run)]))


def test_under_a_trust_root_the_runs_own_attestation_is_taken(strict: Any, tmp_path: Path) -> None:
    place, token, middle = strict
    wheel = make_wheel(tmp_path)
    run = issue("run", middle, f"https://ci.example/{WORKFLOW}", days=(-0.01, 0.01))
    answer = send(place, token, wheel, run)
    assert answer.status_code == 200, answer.text
    (file,) = place.get("/main/simple/my-package/", accept=JSON).json()["files"]
    content = place.get(f"/main/simple/my-package/{file['provenance']}").json()
    (bundle,) = content["attestation_bundles"]
    assert bundle["publisher"]["verified"] == ["file", "signature", "trust-root", "identity"]
    assert bundle["publisher"]["workflow_ref"] == WORKFLOW


def test_under_a_trust_root_everything_else_is_refused(
    strict: Any, tmp_path: Path, root: Authority
) -> None:
    place, token, middle = strict
    wheel, uri = make_wheel(tmp_path), f"https://ci.example/{WORKFLOW}"
    other = issue("root")  # of the same name, with another key
    stale = issue("middle", root, days=(-20, -10))
    refusals = {
        "trust root": [issue("run", uri=uri), issue("run", other, uri), issue("run", stale, uri)],
        "ended more than a day ago": [issue("run", middle, uri, days=(-9, -2))],
        "not valid yet": [issue("run", middle, uri, days=(1, 2))],
        "names no identity": [issue("run", middle)],
        "of another issuer": [issue("run", middle, uri, issuer="https://other.example")],
        "another workflow": [
            issue("run", middle, uri.replace("release", "test")),
            issue("run", middle, uri.replace("org/project", "evil-org/project")),
        ],
    }
    for reason, runs in refusals.items():
        for run in runs:
            answer = send(place, token, wheel, run)
            assert answer.status_code == 400 and reason in answer.reason, (reason, answer.text)
    run = issue("run", middle, uri)
    assert "only trusted publishers" in send(place, place.token, wheel, run).reason
    assert send(place, token, wheel, run).status_code == 200


def test_a_trust_root_that_cannot_be_read_is_reported_at_the_start(
    tmp_path: Path, twofold: Any
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing", encoding="utf-8")
    for path in (tmp_path / "absent.pem", empty):
        with pytest.raises(TwofoldError, match="cannot be read"):
            read_roots(path)
    ran = twofold("serve", "--port", "0", "--data", tmp_path / "data", "--trust-root", empty)
    assert ran.code == 1
    assert "the trust root cannot be read" in ran.err and "hint: a PEM file" in ran.err
