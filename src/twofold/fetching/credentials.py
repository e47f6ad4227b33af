"""Credentials for fetching: user name and password, or a token. Never shown, never logged.

They are sent to the server's own origin only, never to targets of links or redirects. The database
stores them, or a reference to them on the server's machine: `env:NAME`, `file:PATH`.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from twofold.errors import Refused, Unreachable

#: user:password (Basic), a Bearer token, and conda's /t/TOKEN/ at the beginning of the path.
BASIC, BEARER, PATH = "basic", "bearer", "path"

#: The stored kind of a reference to a secret.
_REFERENCE = "elsewhere"

#: The longest secret read from a file (bytes).
_MAX_LENGTH = 16_384

_IN_PATH = re.compile(r"/t/([A-Za-z0-9_-]+)(?=/|$)")


@dataclass(frozen=True)
class Credential:
    """A secret; `kind` is basic, bearer or path, `value` is user:password or the token."""

    kind: str
    value: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Return the Authorization header, if the credential is sent in one."""
        if self.kind == BASIC:
            packed = base64.b64encode(self.value.encode()).decode()
            return {"Authorization": f"Basic {packed}"}
        return {"Authorization": f"Bearer {self.value}"} if self.kind == BEARER else {}

    def add_to_path(self, path: str) -> str:
        """Return the request path, with the token in it if it belongs there."""
        return f"/t/{self.value}{path}" if self.kind == PATH else path


@dataclass(frozen=True)
class SecretReference:
    """A reference to a user's password (Basic) or, without a user, to a token (Bearer).

    It is set on the server's machine only, never over HTTP.
    """

    location: str
    user: str = ""

    @property
    def kind(self) -> str:
        """basic with a user, else bearer."""
        return BASIC if self.user else BEARER

    def resolve(self) -> Credential:
        """Read the secret. Raises Unreachable."""
        where, _, name = self.location.partition(":")
        try:
            word = os.environ[name] if where == "env" else _first_line(Path(name))
            return from_cli(self.user, word)
        except (KeyError, OSError, UnicodeDecodeError, Refused) as error:
            raise Unreachable(
                "the upstream's password or token cannot be read from its configured location",
                "'twofold admin upstream list' shows the location",
            ) from error


def parse_reference(location: str, user: str) -> SecretReference:
    """Parse `env:NAME` or `file:PATH` (absolute). Raises Refused for others."""
    where, _, name = location.partition(":")
    if (where == "env" and name.isidentifier()) or (where == "file" and Path(name).is_absolute()):
        return SecretReference(location, user)
    hint = "use env:NAME, or file:PATH with an absolute path"
    message = f"{location[:200]!a} is not a location of a password or token"
    raise Refused("malformed-secret", message, hint)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_LENGTH).decode("ascii").partition("\n")[0].rstrip("\r")


def serialize(secret: Credential | SecretReference | None) -> str:
    """Return the stored form; '' for none."""
    if isinstance(secret, SecretReference):
        return f"{_REFERENCE}:{secret.user}:{secret.location}"
    return f"{secret.kind}:{secret.value}" if secret else ""


def deserialize(text: str) -> Credential | None:
    """Read the stored form. Raises Unreachable when a reference cannot be resolved."""
    kind, _, value = text.partition(":")
    if kind == _REFERENCE:
        user, _, place = value.partition(":")
        return SecretReference(place, user).resolve()
    return Credential(kind, value) if text else None


def reference_location(text: str) -> str:
    """Return the location of a stored reference; '' for a stored secret."""
    kind, _, value = text.partition(":")
    return value.partition(":")[2] if kind == _REFERENCE else ""


def split_userinfo(url: str) -> tuple[str, Credential | None]:
    """Split a URL from the secret written into it: user:password@ or /t/TOKEN/."""
    parts = urlsplit(url)
    if parts.username is not None:
        value = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        clean = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return urlunsplit(clean), _check_characters(Credential(BASIC, value))
    found = _IN_PATH.match(parts.path)
    if found:
        return urlunsplit(parts._replace(path=parts.path[found.end() :])), Credential(
            PATH, found[1]
        )
    return url, None


def strip_credentials(path: str) -> str:
    """Return a path without a leading token, for messages and storage."""
    return _IN_PATH.sub("", path, count=1) if path.startswith("/t/") else path


def from_cli(user: str, text: str) -> Credential:
    """Return a user's password (Basic) or, without a user, a token (Bearer). Raises Refused."""
    if not text:
        raise Refused("malformed-secret", "The password or token is empty")
    return _check_characters(
        Credential(BASIC, f"{user}:{text}") if user else Credential(BEARER, text)
    )


def _check_characters(secret: Credential) -> Credential:
    if not secret.value.isprintable() or not secret.value.isascii():
        raise Refused("malformed-secret", "A password or token must be printable ASCII")
    return secret
