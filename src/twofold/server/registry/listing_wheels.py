"""A channel begins or ends to list its wheels as they are (the rule `v3`)."""

from __future__ import annotations

from datetime import datetime

from twofold.server import pages
from twofold.server.store import Connection, channels, files, twins
from twofold.server.wheel_records import NOARCH, name_of


def list_anew(db: Connection, channel_id: int, at: datetime) -> None:
    """Render the shards of every pure wheel's name, as the rule is now, in this transaction."""
    channel = channels.take_turn(db, channel_id)
    places: dict[tuple[str, str], set[str]] = {}
    for one in twins.pure_wheels(db, channel_id):
        wheel = files.file_by_id(db, one)
        assert wheel is not None
        name = name_of(channels.project_by_id(db, wheel.project_id))
        places.setdefault((NOARCH, name), set()).update(wheel.labels)
    pages.render_places(db, channel, places, channel.serial, at)
