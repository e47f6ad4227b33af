"""An issuer of OpenID Connect for people, on loopback over TLS: it signs in whom it is told to.

It holds clients to the rules that real ones do: the redirect URI, the client's secret, PKCE, and a
code that works once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.over_tls import serve_over_tls


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class PeopleIssuer:
    """The issuer: its URL, its one client, and who signs in next.

    `claims` are added to those of the identity token, None removes one; `userinfo` is what the
    userinfo endpoint says. `fault` is the status that the token endpoint answers.
    """

    url: str = ""
    client_id: str = "registry"
    client_secret: str = "s:e/cret"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    kid: str = "key-1"
    key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    signing_key: Any = None
    algorithm: str = "RS256"
    fault: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    signed_out: list[dict[str, str]] = field(default_factory=list)

    def rotate(self) -> None:
        """Sign with a new key under a new id."""
        self.key, self.kid = _new_key(), f"key-{secrets.token_hex(4)}"

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is sent back to, with a code."""
        assert query["response_type"] == "code" and query["client_id"] == self.client_id
        assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        answer = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def redeem(self, fields: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint."""
        if self.fault:
            return self.fault, {"error": "server_error"}
        name, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        if (unquote(name), unquote(secret)) != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(fields["code"], None)
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        if asked["redirect_uri"] != fields["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        token = self.make_token(asked["nonce"])
        return 200, {"id_token": token, "access_token": "access", "token_type": "Bearer"}

    def make_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "1001",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "preferred_username": "Ann.Lee",
            **self.claims,
        }
        payload = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.kid, "jku": "https://evil.example/keys"}
        return jwt.encode(payload, self.signing_key or self.key, self.algorithm, headers)

    def make_document(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            **self.document,
        }

    def make_keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}


@contextmanager
def run_people_issuer(authority: trustme.CA) -> Iterator[PeopleIssuer]:
    """An issuer that is running, with a certificate of the authority for localhost."""
    issuer = PeopleIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", issuer.authorize(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif parts.path == "/end":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                issuer.signed_out.append(query)
                self.send_response(302)
                self.send_header("Location", query["post_logout_redirect_uri"])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif parts.path == "/keys":
                self.answer(200, issuer.make_keys())
            else:
                self.answer(200, issuer.make_document())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            if self.path == "/userinfo":
                assert self.headers["Authorization"] == "Bearer access"
                self.answer(200, issuer.userinfo)
                return
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(*issuer.redeem(fields, self.headers.get("Authorization", "")))

        def answer(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serve_over_tls(authority, Handler) as issuer.url:
        yield issuer
