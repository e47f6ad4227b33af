"""The subcommands of `twofold admin` that only list, and how all of them print rows.

They read the store alone: what a registry needs for its changes is not imported.
"""

from __future__ import annotations

from twofold.cli.terminal import print_json, print_text
from twofold.server.store import lists

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

    from twofold.server.settings import Settings
    from twofold.server.store.lists import Row


class RowPrinter:
    """Prints rows: one JSON object per line, or columns."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def rows(self, rows: Sequence[dict[str, Any]]) -> int:
        """Print rows; returns the exit code."""
        for row in rows:
            if self.as_json:
                print_json(row)
            else:
                print_text(
                    "  ".join(str(value) for value in row.values() if value not in (None, ""))
                )
        return 0

    def row(self, **values: Any) -> int:
        """Print one row; returns the exit code."""
        return self.rows([values])


def _read(settings: Settings, *queries: str) -> list[list[Row]]:
    """Return the rows of each query; opens the store as `serve` does where sqlite3 cannot."""
    if not settings.database:
        found = lists.read_local(str(settings.data / "registry.sqlite"), *queries)
        if found is not None:
            return found
    from contextlib import closing

    from twofold.server.opening import open_database

    with closing(open_database(settings)) as database:
        return lists.read(database, *queries)


def _users(settings: Settings, _args: argparse.Namespace, show: RowPrinter) -> int:
    [users] = _read(settings, lists.USERS)
    return show.rows(
        [
            {"name": name, "kind": kind, "state": "disabled" if disabled_at else ""}
            for name, kind, disabled_at in users
        ]
    )


def _channels(settings: Settings, _args: argparse.Namespace, show: RowPrinter) -> int:
    channels, roles = _read(settings, lists.CHANNELS, lists.ROLES)
    return show.rows(
        [
            {
                "name": name,
                "access": "public" if public else "private",
                "bytes": int(size),
                "roles": ",".join(
                    f"{user}={role}" for channel, user, role in roles if channel == channel_id
                ),
            }
            for channel_id, name, public, size in channels
        ]
    )


LISTS: dict[str, Callable[[Settings, argparse.Namespace, RowPrinter], int]] = {
    "users": _users,
    "channels": _channels,
}
