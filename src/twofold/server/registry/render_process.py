"""A process that renders one large page and ends: `following_pages` starts it.

What to render comes on stdin, because the database's address may hold a password.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    url, channel, label, subdir, name = json.load(sys.stdin)
    if hasattr(os, "nice"):
        os.nice(19)  # readers and uploads go first, also before what is imported
    from twofold.server.registry.conda_pages import render
    from twofold.server.registry.following_pages import Wanted
    from twofold.server.store import Database, channels

    database = Database(url)
    with database.read() as db:
        found = channels.channel_named(db, channel)
    assert found is not None
    render(database, Wanted(found, label, subdir, name))
    database.close()


if __name__ == "__main__":
    main()
