"""Sessions of browsers: begun by a sign-in, ended by time, by sign-out or by an administrator.

The cookie holds 256 random bits, the store their SHA-256. A session ends after an absolute time and
after a time without use; with a change of its user's password or second factor, when the account is
disabled, and when the token that its user signed in with ends.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from twofold.errors import Refused, StoreUnreachable
from twofold.server.context import Registry
from twofold.server.model import Actor, Session, Token, User
from twofold.server.settings import SessionLimits
from twofold.server.store import Connection, accounts, audit
from twofold.server.store.people import sessions as stored

#: The `method` of a session whose user has yet to enter a code, and for how long it may.
HALF, HALF_LIFETIME = "code", timedelta(minutes=5)

#: The `method` of a session that began at an issuer.
ISSUER = "issuer"

#: Use is noted no more often: each write makes every process read its cached pages again.
TOUCH_INTERVAL, TOUCH_PATIENCE = timedelta(minutes=5), 0.1

#: The longest name of a browser that is stored (characters), and the most sessions of a user.
MAX_AGENT_LENGTH, MAX_SESSIONS = 200, 50


@dataclass(frozen=True)
class SignIn:
    """How somebody signs in: `method`, the token used in a password's place, and the browser."""

    user: User
    method: str
    token: Token | None = None
    agent: str = ""
    address: str = ""


def begin(registry: Registry, sign_in: SignIn, limits: SessionLimits) -> str:
    """Begin a session; return its secret, for the cookie alone."""
    secret, at = secrets.token_urlsafe(32), registry.clock()
    end = at + (HALF_LIFETIME if sign_in.method == HALF else limits.lifetime)
    token = sign_in.token
    if token is not None and token.expires_at is not None:
        end = min(end, token.expires_at)
    new = Session(
        0,
        sign_in.user.id,
        token.id if token is not None else None,
        sign_in.method,
        "".join(filter(str.isprintable, sign_in.agent))[:MAX_AGENT_LENGTH],
        sign_in.address[:100],
        at,
        at,
        end,
    )
    with registry.database.serialized_write() as db:
        current = accounts.find_user_by_id(db, sign_in.user.id)
        if current is None or current.disabled:  # since the password was checked
            raise Refused("invalid-login", "Invalid user name or password", status=401)
        for oldest in stored.list_sessions(db, new.user_id)[MAX_SESSIONS - 1 :]:
            stored.remove_session(db, oldest.id)
        stored.add_session(db, new, hash_secret(secret))
        if sign_in.method != HALF:
            detail = {"method": sign_in.method, "address": new.address}
            entry = audit.AuditEntry(at, sign_in.user.name, "sign-in", "", new.agent, detail)
            audit.add_entry(db, entry)
    return secret


def find(registry: Registry, secret: str, limits: SessionLimits) -> Actor | None:
    """Return who has this session; None when it has ended or was never there."""
    at = registry.clock()
    with registry.database.read() as db:
        session = _find_valid(db, secret, at, limits)
        if session is None or session.method == HALF:
            return None
        actor = _identify(db, session, at)
    if actor is not None and at - session.used_at > TOUCH_INTERVAL:
        # A reader waits for no other writer: the next request notes the use.
        with suppress(StoreUnreachable), registry.database.write_soon(TOUCH_PATIENCE) as db:
            stored.touch_session(db, session.id, at)
    return actor


def find_half(registry: Registry, secret: str) -> tuple[User, Session] | None:
    """Return the user who has entered the password and not yet the code."""
    at = registry.clock()
    with registry.database.read() as db:
        session = _find_valid(db, secret, at, SessionLimits())
        if session is None or session.method != HALF:
            return None
        user = accounts.find_user_by_id(db, session.user_id)
    return None if user is None or user.disabled else (user, session)


def _find_valid(db: Connection, secret: str, at: datetime, limits: SessionLimits) -> Session | None:
    session = stored.find_session(db, hash_secret(secret))
    if session is None or session.expires_at <= at or session.used_at + limits.idle <= at:
        return None
    return session


def _identify(db: Connection, session: Session, at: datetime) -> Actor | None:
    user = accounts.find_user_by_id(db, session.user_id)
    if user is None or user.disabled:
        return None
    token = None if session.token_id is None else accounts.get_token(db, session.token_id)
    if token is not None and token.revoked_at is not None:
        return None
    if token is not None and token.expires_at is not None and token.expires_at <= at:
        return None
    return Actor(user, token, session=session)


def end(registry: Registry, secret: str) -> None:
    """End a session: its user signs out, or begins another one."""
    with registry.database.serialized_write() as db:
        session = stored.find_session(db, hash_secret(secret))
        if session is None or not stored.remove_session(db, session.id):
            return
        user = accounts.find_user_by_id(db, session.user_id)
        if user is not None and session.method != HALF:
            entry = audit.AuditEntry(registry.clock(), user.name, "sign-out", "", session.agent)
            audit.add_entry(db, entry)


def list_sessions(registry: Registry, user: User) -> list[Session]:
    """Return a user's sessions, the newest first."""
    with registry.database.read() as db:
        found = stored.list_sessions(db, user.id)
    at = registry.clock()
    return [one for one in found if one.method != HALF and one.expires_at > at]


def end_session(registry: Registry, by: str, user: User, session_id: int) -> None:
    """End one of a user's sessions. Raises Refused (404)."""
    with registry.database.serialized_write() as db:
        if session_id not in {one.id for one in stored.list_sessions(db, user.id)}:
            raise Refused("not-found", f"'{user.name}' has no session {session_id}", status=404)
        stored.remove_session(db, session_id)
        _note_end(registry, db, by, user)


def end_others(registry: Registry, by: str, user: User, kept: int | None) -> int:
    """End a user's sessions, but for one; returns how many."""
    with registry.database.serialized_write() as db:
        ended = stored.remove_sessions(db, user.id, kept)
        if ended:
            _note_end(registry, db, by, user, count=ended)
    return ended


def _note_end(registry: Registry, db: Connection, by: str, user: User, **detail: int) -> None:
    entry = audit.AuditEntry(registry.clock(), by, "end-session", "", user.name, detail)
    audit.add_entry(db, entry)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a random secret, as stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
