"""Pages follow when a prefix, or the right to use one, changes (PEP 752)."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.server import pages
from twofold.server.store import Connection, channels


def show_again(db: Connection, channel_id: int, prefixes: Iterable[str]) -> None:
    """Render the pages of all projects under these prefixes; takes the channel's turn."""
    channel = channels.take_turn(db, channel_id)
    for project in channels.projects_under(db, channel_id, prefixes):
        pages.render_project(db, channel, project, channel.serial)


def show_rights_again(db: Connection, user_id: int) -> None:
    """The pages that may change when a user or an organisation, or who acts for it, changes."""
    for channel_id, prefixes in sorted(channels.prefixes_near(db, user_id).items()):
        show_again(db, channel_id, prefixes)
