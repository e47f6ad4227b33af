"""Notices of a channel: messages that conda clients show to its users (CEP 6)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from twofold.errors import Refused
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel, View, from_text, to_text
from twofold.server.store import Connection, channels

#: What clients know; they show a critical one every time.
LEVELS = ("info", "warning", "critical")

#: The longest message (characters), and the most notices of a channel.
MAX_LENGTH, MAX_NOTICES = 1000, 50


@dataclass(frozen=True)
class Notice:
    """A notice; not shown after `expires_at` (UTC)."""

    id: str
    message: str
    level: str
    created_at: datetime
    expires_at: datetime

    @property
    def to_json(self) -> dict[str, Any]:
        """The entry in notices.json: CEP 6 defines `expires_at`, conda reads `expired_at`."""
        end = self.expires_at.isoformat()
        return {
            "id": self.id,
            "level": self.level,
            "message": self.message,
            "created_at": self.created_at.isoformat(),
            "expired_at": end,
            "expires_at": end,
        }


@dataclass(frozen=True)
class NoticeRequest:
    """A notice to be added, shown for `days`."""

    message: str
    level: str = "info"
    days: int = 30


def add(registry: Registry, actor: Actor, channel: str, request: NoticeRequest) -> Notice:
    """Add a notice. Raises Refused for a message that a terminal cannot show."""
    if request.level not in LEVELS:
        raise Refused("unknown-level", f"A notice's level is one of {', '.join(LEVELS)}")
    message = request.message.strip()
    if not message or not message.isprintable() or len(message) > MAX_LENGTH:
        raise Refused("invalid-notice", f"A notice is one line of 1 to {MAX_LENGTH} characters")
    if not 1 <= request.days <= 3650:
        raise Refused("invalid-notice", "A notice is shown for 1 to 3650 days")
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        end = change.at + timedelta(days=request.days)
        notice = Notice(secrets.token_hex(8), message, request.level, change.at, end)
        kept = [one for one in _read_notices(change.channel.settings) if one.expires_at > change.at]
        if len(kept) >= MAX_NOTICES:
            raise Refused(
                "too-many-notices", f"'{channel}' has {MAX_NOTICES} notices; remove one first"
            )
        _save_notices(change.db, change.channel, [*kept, notice])
        change.audit("notice", notice.id, message=message, level=request.level)
    return notice


def remove(registry: Registry, actor: Actor, channel: str, notice_id: str) -> None:
    """Remove a notice. Raises Refused (404)."""
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        before = _read_notices(change.channel.settings)
        after = [one for one in before if one.id != notice_id]
        if len(after) == len(before):
            raise Refused("no-notice", f"'{channel}' has no notice {notice_id[:40]!a}", status=404)
        _save_notices(change.db, change.channel, after)
        change.audit("remove-notice", notice_id)


def list_active(registry: Registry, view: View) -> tuple[list[Notice], bool]:
    """Return the active notices, oldest first, and whether the channel is public."""
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
    at = registry.clock()
    return [one for one in _read_notices(found.settings) if one.expires_at > at], found.public


def make_missing(registry: Registry, project: str, reason: str) -> Notice:
    """Return the notice that a project cannot be offered; its id is that of its text."""
    message = " ".join(f"{project} is not offered here: {reason}".split())[:MAX_LENGTH]
    at = registry.clock()
    key = hashlib.sha256(message.encode()).hexdigest()[:16]
    return Notice(key, message, "warning", at, at + timedelta(days=1))


def _read_notices(settings: dict[str, Any]) -> list[Notice]:
    return [
        Notice(
            entry["id"],
            entry["message"],
            entry["level"],
            from_text(entry["created_at"]),
            from_text(entry["expires_at"]),
        )
        for entry in settings.get("notices", [])
    ]


def _save_notices(db: Connection, channel: Channel, notices: Sequence[Notice]) -> None:
    entry = [
        {
            "id": one.id,
            "message": one.message,
            "level": one.level,
            "created_at": to_text(one.created_at),
            "expires_at": to_text(one.expires_at),
        }
        for one in notices
    ]
    channels.update_channel(db, channel.id, settings={**channel.settings, "notices": entry})
