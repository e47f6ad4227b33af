"""HTTP fetching from untrusted servers: checked addresses, limits, credentials."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from twofold.errors import Unreachable


def require_local(channel: str) -> None:
    """Raise Unreachable where `--offline` forbids a conda channel: a URL or a name, no folder.

    py-rattler and rattler-build fetch channels themselves, and retry for a while.
    """
    parts = urlsplit(channel)
    if parts.scheme != "file":
        host = parts.netloc.rpartition("@")[2]
        require_online(f"{parts.scheme}://{host}" if parts.netloc else channel)


def require_online(url: str) -> None:
    """Raise Unreachable at once where `--offline` (TWOFOLD_OFFLINE) forbids connections.

    `url` must not contain a secret: it is named in the message.
    """
    if os.environ.get("TWOFOLD_OFFLINE"):
        raise Unreachable(
            f"{url} was not contacted: --offline", "remove --offline, or use a folder"
        )
