"""The audit log in the database: rows are added and read, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from twofold.server.model import from_text, to_text
from twofold.server.store.database import AdvisoryLock, acquire_lock
from twofold.server.store.schema import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit log. `detail` never has a secret; the database assigns `id`."""

    at: datetime
    actor: str
    action: str
    channel: str = ""
    subject: str = ""
    detail: dict[str, Any] | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A filter of log entries; None matches all. `after` is the id of the last entry seen."""

    channel: str | None = None
    actor: str | None = None
    action: str | None = None
    after: int = 0
    limit: int | None = None


def add_entry(db: Connection, entry: AuditEntry) -> None:
    """Add an entry. Ids are in commit order, so a reader that continues after an id misses none."""
    acquire_lock(db, AdvisoryLock.AUDIT)
    db.execute(
        insert(audit),
        {
            "at": to_text(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "channel": entry.channel,
            "subject": entry.subject,
            "detail": json.dumps(entry.detail or {}, ensure_ascii=False, sort_keys=True),
        },
    )


def find_newest_time(db: Connection) -> datetime | None:
    """Return the time of the newest entry, or None."""
    found = db.execute(select(audit.c.at).order_by(audit.c.id.desc()).limit(1)).scalar()
    return from_text(found) if found else None


def list_entries(db: Connection, span: AuditQuery) -> Iterator[AuditEntry]:
    """Yield the matching entries, oldest first."""
    query = select(audit).where(audit.c.id > span.after).order_by(audit.c.id)
    for column in ("channel", "actor", "action"):
        wanted = getattr(span, column)
        if wanted is not None:
            query = query.where(audit.c[column] == wanted)
    for row in db.execute(query.limit(span.limit)):
        at = from_text(row.at)
        detail = json.loads(row.detail)
        yield AuditEntry(at, row.actor, row.action, row.channel, row.subject, detail, row.id)
