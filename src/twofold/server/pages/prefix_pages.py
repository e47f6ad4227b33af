"""Pages follow when a prefix, or the right to use one, changes (PEP 752)."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.server.pages import page_updates
from twofold.server.store import Connection, channels


def rerender_prefixes(db: Connection, channel_id: int, prefixes: Iterable[str]) -> None:
    """Render the pages of all projects under these prefixes; takes the channel's turn."""
    channel = channels.lock_channel(db, channel_id)
    for project in channels.list_projects_under(db, channel_id, prefixes):
        page_updates.render_project(db, channel, project, channel.serial)


def rerender_for_user(db: Connection, user_id: int) -> None:
    """The pages that may change when a user or an organisation, or who acts for it, changes."""
    for channel_id, prefixes in sorted(channels.list_prefixes_for_user(db, user_id).items()):
        rerender_prefixes(db, channel_id, prefixes)
