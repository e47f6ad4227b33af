"""A process that renders one large page and ends: `conda_pages.render_behind` starts it.

What to render comes on stdin, because the database's address may hold a password.
"""

from __future__ import annotations

import json
import os
import sys

from twofold.server.registry.conda_pages import Wanted, render
from twofold.server.store import Database, channels


def main() -> None:
    url, channel, label, subdir, name = json.load(sys.stdin)
    if hasattr(os, "nice"):
        os.nice(10)  # readers and uploads go first
    database = Database(url)
    with database.read() as db:
        found = channels.channel_named(db, channel)
    assert found is not None
    render(database, Wanted(found, label, subdir, name))
    database.close()


if __name__ == "__main__":
    main()
