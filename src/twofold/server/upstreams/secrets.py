"""What an upstream asks for: a user's name and password, or a token. Never shown, never logged.

It is sent to the upstream's own origin alone, never to where its pages or redirects lead.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from twofold.errors import Refused

#: user:password (Basic), a Bearer token, and conda's /t/TOKEN/ at the beginning of the path.
BASIC, BEARER, PATH = "basic", "bearer", "path"

_IN_PATH = re.compile(r"/t/([A-Za-z0-9_-]+)(?=/|$)")


@dataclass(frozen=True)
class Secret:
    """`kind` is one of basic, bearer, path; `value` is user:password, or the token."""

    kind: str
    value: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        if self.kind == BASIC:
            packed = base64.b64encode(self.value.encode()).decode()
            return {"Authorization": f"Basic {packed}"}
        return {"Authorization": f"Bearer {self.value}"} if self.kind == BEARER else {}

    def target(self, path: str) -> str:
        """The path as it is asked for."""
        return f"/t/{self.value}{path}" if self.kind == PATH else path


def packed(secret: Secret | None) -> str:
    """As it is stored; '' for none."""
    return f"{secret.kind}:{secret.value}" if secret else ""


def unpacked(text: str) -> Secret | None:
    kind, _, value = text.partition(":")
    return Secret(kind, value) if text else None


def apart(url: str) -> tuple[str, Secret | None]:
    """An address and the secret that somebody wrote into it: user:password@, or /t/TOKEN/."""
    parts = urlsplit(url)
    if parts.username is not None:
        value = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        clean = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return urlunsplit(clean), _sound(Secret(BASIC, value))
    found = _IN_PATH.match(parts.path)
    if found:
        return urlunsplit(parts._replace(path=parts.path[found.end() :])), Secret(PATH, found[1])
    return url, None


def without(path: str) -> str:
    """A path without a token at its beginning, for messages and for what is stored."""
    return _IN_PATH.sub("", path, count=1) if path.startswith("/t/") else path


def of_words(user: str, word: str) -> Secret:
    """The secret of a user (Basic), or, without a user, a token (Bearer). Raises Refused."""
    return _sound(Secret(BASIC, f"{user}:{word}") if user else Secret(BEARER, word))


def _sound(secret: Secret) -> Secret:
    if not secret.value.isprintable() or not secret.value.isascii():
        raise Refused("malformed-secret", "A password or token holds printable ASCII only")
    return secret
