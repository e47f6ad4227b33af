"""A Sigstore on loopback: Fulcio with a CT log issues certificates, Rekor notes entries.

It has its own keys, which its trust configuration names. Identity tokens are not verified.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Sigstore:
    """Its keys and certificates; `entries` is what its log holds, `refusal` a status to answer."""

    url: str = ""
    refusal: int = 0
    entries: list[Any] = field(default_factory=list)
    ct_key: ec.EllipticCurvePrivateKey = field(default_factory=_make_key)
    log_key: ec.EllipticCurvePrivateKey = field(default_factory=_make_key)
    ca_key: ec.EllipticCurvePrivateKey = field(default_factory=_make_key)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
        builder = self._begin(name, name, self.ca_key.public_key(), days=2)
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage |= {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), True)
        self.root = builder.sign(self.ca_key, hashes.SHA256())

    def _begin(
        self, subject: x509.Name, issuer: x509.Name, key: Any, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC).replace(microsecond=0)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=days))
        )

    def issue(self, request: x509.CertificateSigningRequest, identity: str) -> x509.Certificate:
        """A certificate for the identity, with a signed timestamp of the CT log (RFC 6962)."""
        builder = self._begin(x509.Name([]), self.root.subject, request.public_key(), 0.01)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        builder = builder.add_extension(names, True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]), False
        )
        signed = builder.sign(self.ca_key, hashes.SHA256()).tbs_certificate_bytes
        stamp = int(time.time() * 1000)
        issuer = hashlib.sha256(_encode_key(self.ca_key)).digest()
        entry = issuer + struct.pack("!I", len(signed))[1:] + signed
        text = struct.pack("!BBQH", 0, 0, stamp, 1) + entry + b"\0\0"
        signature = self.ct_key.sign(text, ec.ECDSA(hashes.SHA256()))
        log = hashlib.sha256(_encode_key(self.ct_key)).digest()
        sct = struct.pack("!B32sQHBBH", 0, log, stamp, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        value = bytes([0x04, len(listed)]) + listed
        extension = x509.UnrecognizedExtension(_SCT_LIST, value)
        return builder.add_extension(extension, False).sign(self.ca_key, hashes.SHA256())

    def note(self, proposed: Any) -> dict[str, Any]:
        """Put an entry into the log; returns what Rekor answers."""
        self.entries.append(proposed)
        log = hashlib.sha256(_encode_key(self.log_key)).hexdigest()
        proof = {
            "logIndex": 0,
            "rootHash": "00" * 32,
            "treeSize": 1,
            "hashes": [],
            "checkpoint": "loopback\n1\nAAAA\n\n\u2014 loopback AAAA\n",
        }
        entry = {
            "body": _b64(json.dumps(proposed).encode()),
            "integratedTime": int(time.time()),
            "logID": log,
            "logIndex": len(self.entries),
            "verification": {"inclusionProof": proof, "signedEntryTimestamp": _b64(b"stamp")},
        }
        return {"0" * 80: entry}

    def make_trust_config(self) -> str:
        """The client trust configuration, as `sigstore --trust-config` takes it."""
        since = {"start": "2020-01-01T00:00:00Z"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            raw = _encode_key(key)
            public = {"rawBytes": _b64(raw), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": self.url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {**public, "validFor": since},
                "logId": {"keyId": _b64(hashlib.sha256(raw).digest())},
            }

        chain = {"certificates": [{"rawBytes": _b64(self.root.public_bytes(Encoding.DER))}]}
        service = {"url": self.url, "majorApiVersion": 1, "validFor": since, "operator": "loopback"}
        kind = "application/vnd.dev.sigstore"
        return json.dumps(
            {
                "mediaType": f"{kind}.clienttrustconfig.v0.1+json",
                "trustedRoot": {
                    "mediaType": f"{kind}.trustedroot+json;version=0.1",
                    "tlogs": [log(self.log_key)],
                    "ctlogs": [log(self.ct_key)],
                    "timestampAuthorities": [],
                    "certificateAuthorities": [
                        {
                            "subject": {"organization": "loopback", "commonName": "loopback"},
                            "uri": self.url,
                            "certChain": chain,
                            "validFor": since,
                        }
                    ],
                },
                "signingConfig": {
                    "mediaType": f"{kind}.signingconfig.v0.2+json",
                    "caUrls": [service],
                    "oidcUrls": [service],
                    "rekorTlogUrls": [service],
                    "rekorTlogConfig": {"selector": "ANY"},
                    "tsaUrls": [],
                    "tsaConfig": {"selector": "ANY"},
                },
            }
        )


def make_identity(audience: str = "sigstore", age: int = 0) -> str:
    """An identity token of a CI run, `age` seconds old."""
    now = int(time.time()) - age
    claims = {"iss": "https://ci.example", "sub": "https://ci.example/org/project", "iat": now}
    return jwt.encode({**claims, "aud": audience, "exp": now + 600}, "k" * 32)


@contextmanager
def run_sigstore() -> Iterator[Sigstore]:
    """Serve Fulcio's and Rekor's API on a free port."""
    sigstore = Sigstore()

    class Handler(BaseHTTPRequestHandler):
        server_version: ClassVar[str] = "loopback"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if sigstore.refusal:
                self._answer(sigstore.refusal, {"code": 7, "message": "refused by the test"})
            elif self.path.startswith("/api/v2/signingCert"):
                token = self.headers["Authorization"].removeprefix("Bearer ")
                claims = jwt.decode(token, options={"verify_signature": False})
                pem = base64.b64decode(body["certificateSigningRequest"])
                made = sigstore.issue(x509.load_pem_x509_csr(pem), claims["sub"])
                chain = [one.public_bytes(Encoding.PEM).decode() for one in (made, sigstore.root)]
                answer = {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
                self._answer(200, answer)
            else:
                self._answer(201, sigstore.note(body))

        def _answer(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sigstore.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield sigstore
        server.shutdown()
        thread.join()
