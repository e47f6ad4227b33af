"""Whether a conda channel can be reached from here, asked once and quickly."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import urljoin

#: Long enough for a slow line, short enough to wait for when there is none (seconds).
REACH_TIMEOUT = 5.0


def is_channel_reachable(channel: str, timeout: float = REACH_TIMEOUT) -> bool:
    """Whether `channel` (a name such as conda-forge, or an address) answers within `timeout`.

    py-rattler knows what address a name stands for; any answer below 500 counts, since a channel
    need not have the one file that is asked for.
    """
    from rattler import Channel

    address = urljoin(Channel(channel).base_url, "noarch/repodata_shards.msgpack.zst")
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
