"""The cookie of a session, and the tokens of forms that show that a page of ours was sent.

A cookie is `HttpOnly` and `SameSite=Lax`, over https `Secure` with the prefix `__Host-` (below a
path `__Secure-`), so that no other host of the domain can set it. Cookies know no ports: over
http the name has one, so that registries on one machine do not sign each other's users out.

A form's token is made of the cookie's secret, which no other site can read, and masked again for
each page: what stays the same in compressed pages can be guessed by their size (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import Response

from twofold.errors import Refused

#: In every name of a session's cookie; the fast path leaves requests with it to the normal route.
SESSION_COOKIE = "twofold-session"

#: The cookie of forms that are shown before a sign-in, and of a sign-in under way at an issuer.
FORM_COOKIE, ISSUER_COOKIE = "twofold-form", "twofold-issuer"

#: Name of the field with a form's token.
CSRF_FIELD = "csrf"

#: The longest value of a cookie that is looked at (characters).
MAX_LENGTH = 3000

_SIZE = 16


def cookie_name(request: Request, name: str = SESSION_COOKIE) -> str:
    """Return the full name of a cookie for the address of this request."""
    if request.url.scheme == "https":
        return f"{'__Secure-' if _prefix(request) else '__Host-'}{name}"
    port = request.url.port
    return f"{name}-{port}" if port not in (None, 80) else name


def _prefix(request: Request) -> str:
    return request.base_url.path.rstrip("/")


def read_cookie(request: Request, name: str = SESSION_COOKIE) -> str:
    """Return the value of a cookie, '' without one."""
    return request.cookies.get(cookie_name(request, name), "")[:MAX_LENGTH]


def set_cookie(
    request: Request,
    response: Response,
    value: str,
    name: str = SESSION_COOKIE,
    max_age: int | None = None,
) -> None:
    """Set a cookie; `max_age` in seconds, None for as long as the browser runs."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age,
        path=_prefix(request) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def delete_cookie(request: Request, response: Response, name: str = SESSION_COOKIE) -> None:
    """Delete a cookie."""
    set_cookie(request, response, "", name, 0)


def make_csrf_token(secret: str) -> str:
    """Return a token for a form; each call returns another one."""
    mask = secrets.token_bytes(_SIZE)
    masked = bytes(a ^ b for a, b in zip(mask, _digest(secret), strict=True))
    return base64.urlsafe_b64encode(mask + masked).decode()


def check_csrf_token(secret: str, token: str) -> None:
    """Check the token of a form. Raises Refused (403)."""
    try:
        raw = base64.b64decode(token, b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    given = bytes(a ^ b for a, b in zip(raw[:_SIZE], raw[_SIZE:], strict=False))
    if len(raw) != 2 * _SIZE or not secret or not hmac.compare_digest(given, _digest(secret)):
        raise Refused(
            "stale-form",
            "This form was made for another session, or is too old",
            "load the page again, and send the form once more",
            403,
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(f"form\0{secret}".encode()).digest()[:_SIZE]
