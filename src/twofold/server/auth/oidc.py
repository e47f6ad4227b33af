"""Verifies identity tokens (OpenID Connect): issuer, audience, signature, expiry.

Only issuers named by an administrator are contacted; over https, without redirects, and for keys on
the issuer's own host. Keys in the token's header (`jku`, `x5u`, `jwk`) are ignored.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, fetch_page

TYPE_CHECKING = False
if TYPE_CHECKING:
    import jwt

log = logging.getLogger("twofold.server")

#: The signature algorithms of GitHub and GitLab; never a shared secret, never none.
ALGORITHMS = ["RS256", "ES256"]

#: Seconds for which an issuer's keys are cached, and the timeout of a request.
KEYS_MAX_AGE, TIMEOUT = 300, 5

#: Seconds between requests for an unknown key id, so that invented ids cannot flood an issuer.
KEYS_RETRY_AFTER = 10

#: The largest response of an issuer (bytes).
MAX_RESPONSE_SIZE = 1 << 20


#: The longest claim that is stored or compared, and the longest validity of a token (seconds).
MAX_CLAIM_LENGTH, MAX_VALIDITY = 1000, 86_400


def is_plain_claim(text: str) -> bool:
    """Whether a claim is short enough and printable, so that it can be stored and shown."""
    return len(text) <= MAX_CLAIM_LENGTH and text.isprintable()


def fetch_json(url: str, internal: bool) -> Any:
    """Fetch JSON over https, without redirects. Raises Refused (422) on any failure.

    `internal` allows an address that is not public. Why it failed is logged and not returned: the
    caller is anonymous, and would learn what listens where.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise invalid(f"the issuer's address {url!r} is not https")
    issuer = Endpoint(url, internal=internal, timeout=TIMEOUT, redirects=0)
    try:
        found = fetch_page(issuer, url, "application/json", max_size=MAX_RESPONSE_SIZE)
        if found is not None:
            return json.loads(found.body)
    except (Unreachable, Refused, ValueError) as error:
        log.warning(json.dumps({"failed": "issuer", "url": url, "reason": str(error)}))
        raise invalid(f"the issuer cannot be read at {url}") from error
    log.warning(json.dumps({"failed": "issuer", "url": url, "reason": "404"}))
    raise invalid(f"the issuer cannot be read at {url}")


@dataclass
class KeyCache:
    """The cached keys of issuers, by name; `load` of a call fetches those of one."""

    _keys: dict[str, tuple[float, jwt.PyJWKSet]] = field(default_factory=dict)

    def find(self, issuer: str, kid: str, load: Callable[[], jwt.PyJWKSet]) -> jwt.PyJWK:
        """Return an issuer's key; an unknown id refetches the keys, which rotate, rate-limited."""
        fetched, keys = self._keys.get(issuer, (0.0, None))
        limit = KEYS_MAX_AGE if keys is not None and kid in _key_ids(keys) else KEYS_RETRY_AFTER
        if keys is None or time.monotonic() - fetched > limit:
            keys = load()
            self._keys[issuer] = (time.monotonic(), keys)
        for key in keys.keys:
            if key.key_id == kid or (not kid and len(keys.keys) == 1):
                return key
        raise invalid("the issuer has no such key")


def parse_keys(found: Any) -> jwt.PyJWKSet:
    """Parse a set of keys (RFC 7517). Raises Refused (422)."""
    import jwt  # 27 ms, which `twofold admin` and a server's start save

    try:
        return jwt.PyJWKSet.from_dict(found)
    except (jwt.PyJWTError, AttributeError, TypeError) as error:
        raise invalid("the issuer's keys cannot be read") from error


@dataclass
class Issuers:
    """The cached keys of issuers. `fetch` reads JSON from an https URL, which may be internal."""

    fetch: Callable[[str, bool], Any] = fetch_json
    _keys: KeyCache = field(default_factory=KeyCache)

    def verify(self, token: str, audience: str, issuers: Mapping[str, bool]) -> dict[str, Any]:
        """Return the token's claims. Raises Refused (422) unless all required ones are valid.

        `issuers` are those known, without a slash at the end, and whether they may be internal.
        """
        import jwt

        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise invalid(f"the token cannot be read: {error}") from error
        issuer = unverified.get("iss")
        known = issuer.rstrip("/") if isinstance(issuer, str) else ""
        if known not in issuers:
            raise invalid("no trusted publisher is registered for the token's issuer")
        internal = issuers[known]
        kid = str(header.get("kid", ""))
        key = self._keys.find(known, kid, lambda: self._fetch_keys(known, internal))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=audience,
                issuer=issuer,
                leeway=5,
                options={"require": ["iss", "aud", "exp", "iat", "jti"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise invalid(str(error)) from error
        _check_claims(claims)
        return claims

    def _fetch_keys(self, issuer: str, internal: bool) -> jwt.PyJWKSet:
        found = self.fetch(f"{issuer}/.well-known/openid-configuration", internal)
        address = str(found.get("jwks_uri", "")) if isinstance(found, dict) else ""
        if urlsplit(address).netloc != urlsplit(issuer).netloc:
            raise invalid("the issuer's keys are not on its own host")
        return parse_keys(self.fetch(address, internal))


def _check_claims(claims: dict[str, Any]) -> None:
    """Check the claims that are stored. Raises Refused."""
    for name in ("iss", "jti", "sub"):
        value = claims.get(name, "")
        if not isinstance(value, str) or not is_plain_claim(value):
            raise invalid(f"the claim '{name}' is not a short printable text")
    if not time.time() - MAX_VALIDITY < claims["exp"] < time.time() + MAX_VALIDITY:
        raise invalid("it is valid for longer than a day")


def _key_ids(keys: jwt.PyJWKSet) -> set[str | None]:
    return {key.key_id for key in keys.keys}


def invalid(reason: str) -> Refused:
    """Return the error (422) for an invalid identity token."""
    return Refused("invalid-token", f"Invalid identity token: {reason}", status=422)
