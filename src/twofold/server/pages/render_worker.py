"""Subprocess that renders one large page, started by `page_refresh`.

The task is read from stdin, because the database URL may contain a password.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Render the page described on stdin."""
    url, channel, label, subdir, name = json.load(sys.stdin)
    if hasattr(os, "nice"):
        os.nice(19)  # readers and uploads have priority, also over the imports
    from twofold.server.pages.conda_pages import render
    from twofold.server.pages.page_refresh import PageKey
    from twofold.server.store import Database, channels

    database = Database(url)
    with database.read() as db:
        found = channels.find_channel(db, channel)
    assert found is not None
    render(database, PageKey(found, label, subdir, name))
    database.close()


if __name__ == "__main__":
    main()
