"""The audit log: read, and written as a table for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from twofold.server.registry import Registry
from twofold.server.store import audit
from twofold.server.store.audit import AuditEntry as AuditEntry
from twofold.server.store.audit import AuditQuery as AuditQuery

#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read_changes(registry: Registry, span: AuditQuery) -> list[AuditEntry]:
    """Lines of the audit log, oldest first."""
    with registry.database.read() as db:
        return list(audit.list_entries(db, span))


def as_csv(changes: Iterable[AuditEntry]) -> str:
    """A table with a head. Text that a spreadsheet would run as a formula begins with `'`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", "at", "actor", "action", "channel", "subject", "detail"])
    for change in changes:
        detail = json.dumps(change.detail or {}, ensure_ascii=False)
        told = change.actor, change.action, change.channel, change.subject, detail
        table.writerow([change.id, change.at.isoformat(), *map(_cell, told)])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
