"""Creates and verifies tokens and passwords; only hashes are stored.

A token is `twofold-` + 32 letters and digits + 6 more that are its checksum: the prefix lets
scanners of leaked secrets find it, the checksum separates mistyped from revoked tokens. The
alphabet is what conda allows in `/t/TOKEN/` ([a-zA-Z0-9-]). 190 random bits need no slow hash, so
tokens are kept as SHA-256; passwords are kept with argon2.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import time
import zlib
from collections import OrderedDict
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Passwords hashed at once in a process: each takes 64 MiB and a processor.
MAX_HASHINGS = 2

#: How long (seconds) and how many right passwords are remembered, so that a client which sends one
#: with every request costs one hashing. A new password has another stored hash.
REMEMBERED_FOR, MAX_REMEMBERED = 300.0, 1000

PREFIX = "twofold-"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 32, 6


def new_token() -> str:
    """Create a secret, to be shown once."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return PREFIX + body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether prefix and checksum are valid."""
    body = token.removeprefix(PREFIX)
    return (
        token.startswith(PREFIX)
        and len(body) == _RANDOM + _CHECK
        and body[_RANDOM:] == _checksum(body[:_RANDOM])
    )


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token, as stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def token_prefix(token: str) -> str:
    """Return the part of a token that may be shown, to recognize it."""
    return token[: len(PREFIX) + 4] + "..."


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECK):
        number, rest = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[rest]
    return digits


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _dummy_hash() -> str:
    """The hash verified for unknown users, so that both refusals take equally long."""
    return _hasher().hash(secrets.token_hex())


_hashings = BoundedSemaphore(MAX_HASHINGS)
_memory_key = secrets.token_bytes(32)
_remembered: OrderedDict[bytes, float] = OrderedDict()
_remembered_lock = Lock()


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password."""
    with _hashings:
        return _hasher().hash(password)


def is_password_right(password: str, stored: str | None) -> bool:
    """Whether the password is right; takes equally long for unknown users."""
    text = f"{stored}\0{password}".encode("utf-8", "surrogatepass")
    key = hashlib.blake2b(text, key=_memory_key).digest()
    if stored is not None and _is_remembered(key):
        return True
    try:
        with _hashings:
            right = _hasher().verify(stored or _dummy_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
    if right:
        _remember(key)
    return right


def _is_remembered(key: bytes) -> bool:
    with _remembered_lock:
        return time.monotonic() < _remembered.get(key, 0.0)


def _remember(key: bytes) -> None:
    with _remembered_lock:
        _remembered[key] = time.monotonic() + REMEMBERED_FOR
        while len(_remembered) > MAX_REMEMBERED:
            _remembered.popitem(last=False)
