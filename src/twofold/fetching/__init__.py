"""HTTP fetching from untrusted servers: checked addresses, limits, credentials."""

from __future__ import annotations

import os

from twofold.errors import Unreachable


def require_online(url: str) -> None:
    """Raise Unreachable at once where `--offline` (TWOFOLD_OFFLINE) forbids connections.

    `url` must not contain a secret: it is named in the message.
    """
    if os.environ.get("TWOFOLD_OFFLINE"):
        raise Unreachable(
            f"{url} was not contacted: --offline", "remove --offline, or use a folder"
        )
