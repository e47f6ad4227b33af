"""An identity provider on loopback over TLS, as GitHub's and GitLab's are for their CI."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.over_tls import serve_over_tls

#: What a job shows to GitHub's endpoint for identities (ACTIONS_ID_TOKEN_REQUEST_TOKEN).
REQUEST_TOKEN = "request-token-of-the-job"


@dataclass
class Issuer:
    """Its address, its key, the documents it serves, and the tokens it signs.

    `claims` are those of the run that asks as GitHub's runners do, at `/github?audience=...`.
    """

    url: str
    key: rsa.RSAPrivateKey
    documents: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    kid: str = "key-1"

    def token(self, _key: Any = None, _algorithm: str = "RS256", **claims: Any) -> str:
        self.number += 1
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": "twofold",
            "sub": "repo:org/project:ref:refs/heads/main",
            "repository": "org/project",
            "workflow_ref": "org/project/.github/workflows/release.yml@refs/tags/v1",
            "jti": f"token-{self.number}",
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        header = {"kid": self.kid, "jku": "https://evil.example/keys"}
        return jwt.encode(payload, _key or self.key, _algorithm, header)

    def answer(self, path: str, authorization: str) -> Any:
        """What is at a path; None where there is nothing."""
        parts = urlsplit(path)
        if parts.path != "/github":
            return self.documents.get(path)
        if authorization != f"bearer {REQUEST_TOKEN}":
            return None
        (audience,) = parse_qs(parts.query)["audience"]
        return {"value": self.token(aud=audience, **self.claims)}


@contextmanager
def run_issuer(authority: trustme.CA) -> Iterator[Issuer]:
    """An issuer that is running, with a certificate of the authority for localhost."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = Issuer("", key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.answer(self.path, self.headers.get("Authorization", ""))
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serve_over_tls(authority, Handler) as issuer.url:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        issuer.documents |= {
            "/.well-known/openid-configuration": {
                "issuer": issuer.url,
                "jwks_uri": f"{issuer.url}/keys",
            },
            "/keys": {"keys": [{**public, "kid": "key-1", "use": "sig", "alg": "RS256"}]},
        }
        yield issuer
