"""A channel begins or ends to list its wheels as they are (the rule `v3`)."""

from __future__ import annotations

from datetime import datetime

from twofold.server.pages import page_updates
from twofold.server.pages.v3_records import NOARCH, conda_project_name
from twofold.server.store import Connection, channels, files, projects


def rerender_wheel_shards(db: Connection, channel_id: int, at: datetime) -> None:
    """Render the shards of every pure wheel's name, as the rule is now, in this transaction."""
    channel = channels.lock_channel(db, channel_id)
    places: dict[tuple[str, str], set[str]] = {}
    for one in projects.list_pure_wheels(db, channel_id):
        wheel = files.find_file_by_id(db, one)
        assert wheel is not None
        name = conda_project_name(channels.get_project(db, wheel.project_id))
        places.setdefault((NOARCH, name), set()).update(wheel.labels)
    page_updates.render_subdirs(db, channel, places, channel.serial, at)
