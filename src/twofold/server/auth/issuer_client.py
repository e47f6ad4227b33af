"""The client of the issuer at which people sign in: OpenID Connect's code flow with PKCE.

Discovery, the exchange of a code, and the checks of OpenID Connect Core 3.1.3.7 on the identity
token: signature by a key of the issuer, issuer, audience, authorised party, nonce, times. The
issuer is the operator's setting, so its addresses may be internal; they are always https.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt

from twofold.errors import Refused, Unreachable
from twofold.fetching.exchange import Endpoint
from twofold.fetching.posting import post
from twofold.server.auth.oidc import KeyCache, fetch_json, parse_keys
from twofold.server.settings import IssuerSettings

log = logging.getLogger("twofold.server")

#: Signatures with a key pair; never a shared secret, never none.
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512", "EdDSA"]

#: Seconds for which the discovery document is kept, and that the issuer's clock may be off.
DISCOVERY_MAX_AGE, CLOCK_SKEW = 3600, 60

#: The longest subject (OpenID Connect Core 2) and the longest identity token (characters).
MAX_SUBJECT, MAX_TOKEN = 255, 100_000


@dataclass(frozen=True)
class Flow:
    """A sign-in under way, known by a secret in the browser: what is sent is made of it."""

    secret: str = field(repr=False)

    def _derive(self, purpose: str) -> str:
        digest = hashlib.sha256(f"{purpose}\0{self.secret}".encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def state(self) -> str:
        """Ties the answer to this browser."""
        return self._derive("state")

    @property
    def nonce(self) -> str:
        """Ties the identity token to this sign-in."""
        return self._derive("nonce")

    @property
    def verifier(self) -> str:
        """Shows that who redeems the code is who asked for it (RFC 7636)."""
        return self._derive("verifier")

    @property
    def challenge(self) -> str:
        """The SHA-256 of the verifier, as the issuer is sent it."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer belongs to this flow."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))


@dataclass
class IssuerClient:
    """The client of one issuer. `fetch` reads JSON from an https URL."""

    settings: IssuerSettings
    fetch: Callable[[str, bool], Any] = fetch_json
    _keys: KeyCache = field(default_factory=KeyCache)
    _document: tuple[float, dict[str, Any]] | None = None

    def make_url(self, flow: Flow, redirect_uri: str) -> str:
        """Return the issuer's page to sign in. Raises Refused (503)."""
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        page = self._find_endpoint("authorization_endpoint")
        return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"

    def make_sign_out_url(self, return_to: str) -> str:
        """Return the issuer's page to sign out (OpenID Connect RP-Initiated Logout 1.0).

        '' where it offers none or cannot be reached. Identity tokens are not stored, so none is
        sent as a hint, and the issuer asks whether to sign out.
        """
        try:
            page = self._discover().get("end_session_endpoint")
        except Refused:  # logged; the registry's own session has ended
            return ""
        if not isinstance(page, str) or urlsplit(page).scheme != "https":
            return ""
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": return_to}
        return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"

    def redeem(self, flow: Flow, code: str, redirect_uri: str) -> dict[str, Any]:
        """Return the verified claims of who signed in. Raises Refused (401, 503)."""
        answer = self._exchange(flow, code, redirect_uri)
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > MAX_TOKEN:
            raise _invalid("the issuer sent no identity token")
        claims = self._verify(token, flow)
        wanted = (self.settings.user_claim, self.settings.groups_claim)
        if any(find_claim(claims, name) is None for name in wanted):
            claims = {**self._read_more(answer.get("access_token"), claims["sub"]), **claims}
        return claims

    def _discover(self) -> dict[str, Any]:
        if self._document is None or time.monotonic() - self._document[0] > DISCOVERY_MAX_AGE:
            found = self._fetch(f"{self.settings.url}/.well-known/openid-configuration")
            if not isinstance(found, dict) or _plain(found.get("issuer")) != self.settings.url:
                reason = "its discovery document names another issuer"
                raise _unavailable(self.settings, reason)
            self._document = time.monotonic(), found
        return self._document[1]

    def _find_endpoint(self, name: str) -> str:
        found = self._discover().get(name)
        if not isinstance(found, str) or urlsplit(found).scheme != "https":
            raise _unavailable(self.settings, f"its {name} is not an https URL")
        return found

    def _fetch(self, url: str) -> Any:
        try:
            return self.fetch(url, True)
        except Refused as error:
            raise _unavailable(self.settings, error.problems[0].message) from error

    def _exchange(self, flow: Flow, code: str, redirect_uri: str) -> dict[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        methods = self._discover().get("token_endpoint_auth_methods_supported")
        if self.settings.client_secret and "client_secret_basic" in (
            methods or ["client_secret_basic"]
        ):
            pair = f"{quote(self.settings.client_id, '')}:{quote(self.settings.client_secret, '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            fields["client_id"] = self.settings.client_id
            if self.settings.client_secret:
                fields["client_secret"] = self.settings.client_secret
        endpoint = Endpoint(self._find_endpoint("token_endpoint"), internal=True, timeout=10)
        try:
            answer = post(endpoint, urlencode(fields).encode(), headers)
        except (Unreachable, Refused) as error:
            raise _unavailable(self.settings, error.problems[0].message) from error
        found = _parse_object(answer.body)
        if answer.status != 200:
            reason = str(found.get("error", answer.status))[:100]
            log.warning(json.dumps({"failed": "code", "status": answer.status, "reason": reason}))
            if answer.status >= 500:
                raise _unavailable(self.settings, f"it answered {answer.status}")
            raise _invalid("the issuer does not accept the code")
        return found

    def _verify(self, token: str, flow: Flow) -> dict[str, Any]:
        """Return the claims of an identity token (OpenID Connect Core 3.1.3.7)."""
        keys_url = self._find_endpoint("jwks_uri")
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            key = self._keys.find(self.settings.url, kid, lambda: parse_keys(self._fetch(keys_url)))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=self.settings.client_id,
                leeway=CLOCK_SKEW,
                options={"require": ["iss", "aud", "exp", "iat", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _invalid(str(error)) from error
        except Refused as error:
            if error.status == 503:
                raise
            raise _invalid(error.problems[0].message) from error
        if _plain(claims["iss"]) != self.settings.url:
            raise _invalid("another issuer signed it")
        audience = claims["aud"]
        party = claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and party is None:
            raise _invalid("it is for several clients")
        if party is not None and party != self.settings.client_id:
            raise _invalid("it is for another client")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode("utf-8", "replace"), flow.nonce.encode()
        ):
            raise _invalid("it belongs to another sign-in")
        _check_subject(claims["sub"])
        return claims

    def _read_more(self, access_token: object, subject: str) -> dict[str, Any]:
        """Return the claims of the issuer's userinfo, which some keep groups in; {} without."""
        url = self._discover().get("userinfo_endpoint")
        if not isinstance(url, str) or not isinstance(access_token, str):
            return {}
        if urlsplit(url).scheme != "https" or not access_token.isprintable():
            return {}
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        try:
            answer = post(Endpoint(url, internal=True, timeout=10), b"", headers)
        except (Unreachable, Refused) as error:
            raise _unavailable(self.settings, error.problems[0].message) from error
        found = _parse_object(answer.body) if answer.status == 200 else {}
        return found if found.get("sub") == subject else {}


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim, also one inside others (`realm_access.roles`); None where it is missing."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(issuer: object) -> str:
    return issuer.rstrip("/") if isinstance(issuer, str) else ""


def _check_subject(subject: object) -> None:
    if not isinstance(subject, str) or not subject or len(subject) > MAX_SUBJECT:
        raise _invalid("its subject is not a short text")
    if not subject.isprintable():
        raise _invalid("its subject is not printable")


def _invalid(reason: str) -> Refused:
    text = f"The sign-in was not accepted: {reason}"
    return Refused("invalid-identity", text, "sign in again", 401)


def _unavailable(settings: IssuerSettings, reason: str) -> Refused:
    """Return the refusal for an issuer that cannot be used now; why is for the log."""
    log.warning(json.dumps({"failed": "issuer", "url": settings.url, "reason": reason}))
    text = f"Signing in with {settings.name} is not possible now"
    return Refused("issuer-unavailable", text, "try again soon, or sign in with a password", 503)
