"""The audit log: who changed what, when. Rows are added and read, never changed."""

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
    """One line of the log. `detail` never holds a secret; `id` is given by the store."""

    at: datetime
    actor: str
    action: str
    channel: str = ""
    subject: str = ""
    detail: dict[str, Any] | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines of the log; None means all of them. `after` is the id of the last one seen."""

    channel: str | None = None
    actor: str | None = None
    action: str | None = None
    after: int = 0
    limit: int | None = None


def add_entry(db: Connection, entry: AuditEntry) -> None:
    """Lines are numbered in the order in which they can be read: who reads on misses none."""
    acquire_lock(db, AdvisoryLock.AUDIT)
    db.execute(
        insert(audit).values(
            at=to_text(entry.at),
            actor=entry.actor,
            action=entry.action,
            channel=entry.channel,
            subject=entry.subject,
            detail=json.dumps(entry.detail or {}, ensure_ascii=False, sort_keys=True),
        )
    )


def list_entries(db: Connection, span: AuditQuery) -> Iterator[AuditEntry]:
    """Oldest first."""
    query = select(audit).where(audit.c.id > span.after).order_by(audit.c.id)
    for column in ("channel", "actor", "action"):
        wanted = getattr(span, column)
        if wanted is not None:
            query = query.where(audit.c[column] == wanted)
    for row in db.execute(query.limit(span.limit)):
        at = from_text(row.at)
        detail = json.loads(row.detail)
        yield AuditEntry(at, row.actor, row.action, row.channel, row.subject, detail, row.id)
