"""Attestations (PEP 740): well formed, about this very file, signed by their certificate?

Checked of each: the statement is in-toto's and names this file and its SHA-256; the signature over
it (DSSE) is right under the certificate's key; where the operator gave a trust root, the
certificate was issued under it and names the publisher that uploads. Stored as a provenance object.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from twofold.artifact import Artifact
from twofold.errors import Refused

#: PyPI takes two (one of publishing, one of building); nobody sends more.
MOST = 10

_STATEMENT = "https://in-toto.io/Statement/v1"
_PAYLOAD_TYPE = b"application/vnd.in-toto+json"


def provenance_of(
    text: str,
    artifact: Artifact,
    publisher: Mapping[str, Any],
    roots: Sequence[x509.Certificate] = (),
) -> str:
    """The provenance object of an upload's `attestations` field, as JSON. Raises Refused."""
    try:
        attestations = json.loads(text)
    except ValueError as error:
        raise _wrong("they are not JSON") from error
    if not isinstance(attestations, list) or not 0 < len(attestations) <= MOST:
        raise _wrong(f"a list of 1 to {MOST} is expected")
    kinds = [_check(attestation, artifact, roots) for attestation in attestations]
    if len(set(kinds)) != len(kinds):
        raise _wrong("two of them have the same predicateType")
    bundle = {"publisher": dict(publisher), "attestations": attestations}
    return json.dumps({"version": 1, "attestation_bundles": [bundle]})


def _check(attestation: Any, artifact: Artifact, roots: Sequence[x509.Certificate]) -> str:
    """Raises Refused unless the attestation is about this file; returns its predicateType."""
    try:
        if attestation["version"] != 1:
            raise _wrong("only version 1 is known")
        material, envelope = attestation["verification_material"], attestation["envelope"]
        certificate = x509.load_der_x509_certificate(_decoded(material["certificate"]))
        if not isinstance(material["transparency_entries"], list):
            raise _wrong("transparency_entries must be a list")
        body, signature = _decoded(envelope["statement"]), _decoded(envelope["signature"])
        statement = json.loads(body)
        subjects = {subject["name"]: subject["digest"] for subject in statement["subject"]}
        kind = statement["predicateType"]
        is_statement = statement["_type"] == _STATEMENT and isinstance(kind, str)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise _wrong("a part is missing or cannot be read") from error
    if not is_statement:
        raise _wrong("the statement is not in-toto's")
    digest = subjects.get(artifact.filename)
    if len(subjects) != 1 or digest is None:
        raise _wrong(f"its subject is not {artifact.filename}")
    if not isinstance(digest, dict) or digest.get("sha256") != artifact.sha256:
        raise _wrong("it was made of other bytes")
    _check_signature(certificate, body, signature)
    if roots and not any(_is_under(certificate, root) for root in roots):
        raise _wrong("its certificate was not issued under the registry's trust root")
    return str(kind)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _check_signature(certificate: x509.Certificate, body: bytes, signature: bytes) -> None:
    """DSSE, version 1: the signature is over the payload's type and the payload with lengths."""
    signed = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE, len(body), body)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _wrong("its certificate has no elliptic-curve key")
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise _wrong("its signature is not by its certificate") from None


def _is_under(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _wrong(reason: str) -> Refused:
    return Refused("invalid-attestation", f"Invalid attestations: {reason}")
