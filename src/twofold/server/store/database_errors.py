"""Errors of the database as errors of twofold: unreachable, busy, full, damaged, read-only."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from twofold.errors import StoreUnreachable, TwofoldError

#: What SQLite and PostgreSQL say of a disk without space.
_FULL = ("database or disk is full", "No space left on device")

_HINT = "try again; see the server's --database"
_PERMISSION = "run as the user of the server, who must own the data folder and every file in it"

#: Part of a reason -> what helps.
_HINTS = {
    "readonly database": _PERMISSION,
    "unable to open database file": _PERMISSION,
    "is locked": "try again; if it stays, end the program that holds the database's lock",
    "authentication failed": "correct the user and the password in the server's --database",
    "does not exist": "create it, or correct the server's --database",
}


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors of an unreachable, locked or full database."""
    try:
        yield
    except PoolTimeout as error:
        text = "the database is busy: every connection is in use"
        raise StoreUnreachable(text, "try again") from error
    except DatabaseError as error:
        if not isinstance(error, OperationalError):
            if "not a database" in str(error.orig) or "malformed" in str(error.orig):
                text = f"the database is damaged: {error.orig}"
                raise TwofoldError(text, "restore a backup") from error
            raise
        reason = str(error.orig).strip().splitlines()[0]
        if any(text in reason for text in _FULL):
            raise OSError(errno.ENOSPC, f"the database is full: {reason}") from error
        if reason.startswith(("no such table", "no such column", "table ")):
            raise TwofoldError(
                f"the database does not have the schema of this twofold: {reason}",
                "restore the backup made before the upgrade, or name another --data",
            ) from error
        hint = next((hint for text, hint in _HINTS.items() if text in reason), _HINT)
        raise StoreUnreachable(f"the database is unreachable: {reason}", hint) from error
