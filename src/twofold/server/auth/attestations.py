"""Verifies attestations (PEP 740): format, subject, signature and certificate.

Each statement must be in-toto's and name this file and its SHA-256; its signature (DSSE) must match
the certificate's key. With a trust root, the certificate must be issued under it, be recent, and
name the identity of the uploading CI run. The transparency log is not queried. The provenance
object lists the checks as `verified`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from twofold.artifact import Artifact
from twofold.errors import Refused, TwofoldError
from twofold.formats import strict_json

#: PyPI accepts two (publish and build provenance).
MAX_ATTESTATIONS = 10

_STATEMENT = "https://in-toto.io/Statement/v1"
_PAYLOAD_TYPE = b"application/vnd.in-toto+json"


#: Sigstore's certificate extension with the issuer of the identity.
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")

#: Claims of identity tokens that end the name in a certificate: GitHub's and GitLab's.
_WORKFLOW = ("job_workflow_ref", "workflow_ref", "ci_config_ref_uri")

#: How long after its certificate's expiry an attestation may be uploaded: certificates are valid
#: for ten minutes, in which the run signs; publishing may take longer.
_MAX_SIGNING_DELAY = timedelta(days=1)

#: The exceptions raised by reading a malformed part.
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    binascii.Error,
)

#: The longest certificate chain.
_MAX_CHAIN_LENGTH = 5


@dataclass(frozen=True)
class TrustPolicy:
    """The certificates the operator trusts, and the current time (UTC)."""

    roots: tuple[x509.Certificate, ...]
    at: datetime


def read_roots(path: Path) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM file: roots and intermediates.

    Raises TwofoldError when there is none.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        hint = "a PEM file of certificates is expected"
        raise TwofoldError(f"the trust root cannot be read: {error}", hint, str(path)) from error
    return tuple(found)


def make_provenance(
    text: str, artifact: Artifact, publisher: Mapping[str, Any], policy: TrustPolicy
) -> str:
    """Return the provenance object of an `attestations` field, as JSON. Raises Refused."""
    try:
        attestations = strict_json.parse(text.encode())
    except (ValueError, RecursionError) as error:
        raise _invalid("they are not JSON") from error
    if not isinstance(attestations, list) or not 0 < len(attestations) <= MAX_ATTESTATIONS:
        raise _invalid(f"a list of 1 to {MAX_ATTESTATIONS} is expected")
    kinds = [_check(attestation, artifact, publisher, policy) for attestation in attestations]
    if len(set(kinds)) != len(kinds):
        raise _invalid("two of them have the same predicateType")
    verified = ["file", "signature", *(["trust-root", "identity"] if policy.roots else [])]
    verified_publisher = {**publisher, "verified": verified}
    bundle = {"publisher": verified_publisher, "attestations": attestations}
    return json.dumps({"version": 1, "attestation_bundles": [bundle]})


def _check(
    attestation: Any, artifact: Artifact, publisher: Mapping[str, Any], policy: TrustPolicy
) -> str:
    """Check that an attestation is about this file; return its predicateType. Raises Refused."""
    try:
        if attestation["version"] != 1:
            raise _invalid("only version 1 is known")
        material, envelope = attestation["verification_material"], attestation["envelope"]
        certificate = x509.load_der_x509_certificate(_decode_base64(material["certificate"]))
        if not isinstance(material["transparency_entries"], list):
            raise _invalid("transparency_entries must be a list")
        body, signature = (
            _decode_base64(envelope["statement"]),
            _decode_base64(envelope["signature"]),
        )
        statement: Any = strict_json.parse(body)
        subjects = {subject["name"]: subject["digest"] for subject in statement["subject"]}
        kind = statement["predicateType"]
        is_statement = statement["_type"] == _STATEMENT and isinstance(kind, str)
    except _UNREADABLE as error:
        raise _invalid("a part is missing or cannot be read") from error
    if not is_statement:
        raise _invalid("the statement is not in-toto's")
    digest = subjects.get(artifact.filename)
    if len(subjects) != 1 or digest is None:
        raise _invalid(f"its subject is not {artifact.filename}")
    if not isinstance(digest, dict) or digest.get("sha256") != artifact.sha256:
        raise _invalid("it is for different content")
    _check_signature(certificate, body, signature)
    if policy.roots:
        _check_trust(certificate, policy)
        _check_identity(certificate, publisher)
    return str(kind)


def _check_trust(certificate: x509.Certificate, policy: TrustPolicy) -> None:
    """Check that a certificate chains to a trusted root and is recent. Raises Refused."""
    if not certificate.not_valid_before_utc <= policy.at + timedelta(minutes=5):
        raise _invalid("its certificate is not valid yet")
    if certificate.not_valid_after_utc + _MAX_SIGNING_DELAY < policy.at:
        raise _invalid("its certificate ended more than a day ago")
    current = certificate
    for _ in range(_MAX_CHAIN_LENGTH):
        issuer = next((root for root in policy.roots if _is_under(current, root)), None)
        if issuer is None:
            break
        if not issuer.not_valid_before_utc <= policy.at <= issuer.not_valid_after_utc:
            raise _invalid("a certificate of the registry's trust root is not valid now")
        if issuer.subject == issuer.issuer:
            return
        current = issuer
    raise _invalid("its certificate was not issued under the registry's trust root")


def _check_identity(certificate: x509.Certificate, publisher: Mapping[str, Any]) -> None:
    """Check that a certificate names the uploading run: its issuer and workflow."""
    if publisher.get("kind") != "trusted":
        raise _invalid("only trusted publishers may upload them, not other tokens")
    wanted = [str(publisher[claim]) for claim in _WORKFLOW if publisher.get(claim)]
    if not wanted:
        raise _invalid("the publisher's identity token names no workflow")
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        extension = certificate.extensions.get_extension_for_oid(_ISSUER).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise _invalid("its certificate names no identity") from error
    issuer = extension.value if isinstance(extension, x509.UnrecognizedExtension) else b""
    if _parse_der_text(issuer) != publisher.get("iss"):
        raise _invalid("its certificate is for an identity of another issuer")
    if not any(f"/{uri}".endswith(f"/{name}") for uri in uris for name in wanted):
        raise _invalid(f"its certificate is for another workflow than {wanted[0][:200]}")


def _parse_der_text(value: bytes) -> str:
    """Parse a short DER UTF8String (Sigstore encodes the issuer so)."""
    if len(value) < 2 or value[0] != 0x0C or value[1] != len(value) - 2:
        return ""
    return value[2:].decode("utf-8", "replace")


def _decode_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _check_signature(certificate: x509.Certificate, body: bytes, signature: bytes) -> None:
    """Verify a DSSE v1 signature, over payload type and payload with their lengths."""
    signed = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE, len(body), body)
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _invalid("its certificate's key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _invalid("its certificate has no elliptic-curve key")
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise _invalid("its signature is not by its certificate") from None


def _is_under(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _invalid(reason: str) -> Refused:
    return Refused("invalid-attestation", f"Invalid attestations: {reason}")
