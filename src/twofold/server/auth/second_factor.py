"""Second factors: one-time codes of an authenticator (TOTP, RFC 6238) and recovery codes.

A code is right for its 30 seconds and for those before and after, and only once: each code used
moves on the earliest step that is still accepted. A recovery code works once too, in its place.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field

from twofold.errors import Refused
from twofold.server.auth.sessions import hash_secret
from twofold.server.context import Registry
from twofold.server.model import User
from twofold.server.store import Connection, accounts, audit
from twofold.server.store.people import second_factors as stored
from twofold.server.store.people import sessions

#: Seconds of a step, and how many steps an authenticator's clock may be early or late.
STEP, SKEW = 30, 1

#: Recovery codes that are made at once; each has 50 random bits.
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

#: Who must have a second factor (the setting `--second-factor`).
POLICIES = ("optional", "administrators", "everybody")


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator needs: the secret (base32), also as an otpauth URL and a QR code."""

    secret: str = field(repr=False)
    url: str = field(repr=False)

    @property
    def qr_code(self) -> str:
        """The URL as SVG, dark on white whatever the page's colours are."""
        import segno

        made = segno.make(self.url, error="m")
        return str(made.svg_inline(scale=4, border=4, light="#fff", dark="#000", omitsize=False))


def begin(registry: Registry, user: User, issuer: str) -> Enrolment:
    """Begin the enrolment of an authenticator; a pending one is continued. Raises Refused (409)."""
    import pyotp

    with registry.database.serialized_write() as db:
        found = stored.find_factor(db, user.id)
        if found is not None and found.is_confirmed:
            hint = "remove it first, to set up another one"
            raise Refused("factor-exists", "There is a second factor already", hint, 409)
        secret = found.secret if found is not None else str(pyotp.random_base32())
        if found is None:
            stored.set_factor(db, user.id, secret, registry.clock())
    url = str(pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name=issuer))
    return Enrolment(secret, url)


def confirm(registry: Registry, user: User, code: str, kept_session: int | None) -> list[str]:
    """Confirm the authenticator by its first code; return the recovery codes, to be shown once.

    Ends the user's other sessions. Raises Refused (403).
    """
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = stored.find_factor(db, user.id)
        if found is None or found.is_confirmed:
            raise Refused("no-enrolment", "No second factor is being set up", status=409)
        step = _find_step(registry, found.secret, code)
        if step is None:
            raise _wrong_code()
        stored.confirm_factor(db, user.id, step, at)
        stored.set_recovery_codes(db, user.id, [hash_secret(one) for one in codes])
        sessions.remove_sessions(db, user.id, kept_session)
        audit.add_entry(db, audit.AuditEntry(at, user.name, "second-factor", "", user.name))
    return codes


def renew_recovery_codes(registry: Registry, user: User, code: str) -> list[str]:
    """Replace the recovery codes; return the new ones, to be shown once. Raises Refused (403)."""
    check(registry, user, code)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    with registry.database.serialized_write() as db:
        stored.set_recovery_codes(db, user.id, [hash_secret(one) for one in codes])
        entry = audit.AuditEntry(registry.clock(), user.name, "recovery-codes", "", user.name)
        audit.add_entry(db, entry)
    return codes


def check(registry: Registry, user: User, code: str) -> None:
    """Check a code, of an authenticator or for recovery, and use it up. Raises Refused (403)."""
    with registry.database.serialized_write() as db:
        found = stored.find_factor(db, user.id)
        if found is None or not found.is_confirmed:
            raise Refused("no-second-factor", "There is no second factor", status=409)
        step = _find_step(registry, found.secret, code)
        if step is not None and stored.use_step(db, user.id, step):
            return
        plain = re.sub(r"[\s-]", "", code).lower()
        if stored.use_recovery_code(db, user.id, hash_secret(plain)):
            left = stored.count_recovery_codes(db, user.id)
            entry = audit.AuditEntry(
                registry.clock(), user.name, "recovery-code", "", user.name, {"left": left}
            )
            audit.add_entry(db, entry)
            return
    raise _wrong_code()


def reset(registry: Registry, by: str, user: User) -> None:
    """Remove a user's second factor, and end the sessions. Raises Refused (404)."""
    with registry.database.serialized_write() as db:
        if not stored.remove_factor(db, user.id):
            raise Refused("not-found", f"'{user.name}' has no second factor", status=404)
        sessions.remove_sessions(db, user.id)
        entry = audit.AuditEntry(registry.clock(), by, "second-factor-reset", "", user.name)
        audit.add_entry(db, entry)


def is_enrolled(db: Connection, user: User) -> bool:
    """Whether a user has a confirmed second factor."""
    found = stored.find_factor(db, user.id)
    return found is not None and found.is_confirmed


def has_factor(registry: Registry, user: User) -> bool:
    """Whether a user has a confirmed second factor."""
    with registry.database.read() as db:
        return is_enrolled(db, user)


def count_recovery_codes(registry: Registry, user: User) -> int:
    """Return how many recovery codes a user has left."""
    with registry.database.read() as db:
        return stored.count_recovery_codes(db, user.id)


def is_required(registry: Registry, user: User, policy: str) -> bool:
    """Whether a user must have a second factor and has none.

    Administrators are the operators, and who administrates a channel or an organisation.
    """
    if policy not in ("administrators", "everybody"):
        return False
    with registry.database.read() as db:
        if is_enrolled(db, user):
            return False
        return policy == "everybody" or accounts.is_administrator(db, user.id)


def _find_step(registry: Registry, secret: str, code: str) -> int | None:
    """Return the time step of a code; None if it is of none nearby."""
    import pyotp

    given = re.sub(r"\s", "", code)
    totp, now = pyotp.TOTP(secret), int(registry.clock().timestamp()) // STEP
    right = None
    for step in range(now - SKEW, now + SKEW + 1):
        if hmac.compare_digest(str(totp.generate_otp(step)).encode(), given.encode()):
            right = step
    return right


def _new_recovery_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def _wrong_code() -> Refused:
    hint = "enter the newest code of your authenticator, or a recovery code"
    return Refused("wrong-code", "The code is wrong, or was used already", hint, 403)
