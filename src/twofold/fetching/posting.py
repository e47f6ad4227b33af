"""POST requests to checked addresses: no redirects, bounded in size and time.

The address is checked as that of a fetched page (`twofold.fetching.exchange`): one that is not
public is connected to only where the operator allowed it.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from twofold.fetching.exchange import Endpoint, Request, make_unreachable, open_response

#: The largest response that is read (bytes), and the time for all of it (seconds).
MAX_RESPONSE_SIZE, MAX_SECONDS = 1 << 20, 20.0


@dataclass(frozen=True)
class PostResponse:
    """What a server answered; `body` is cut at the size that was asked for."""

    status: int
    body: bytes = field(repr=False)


def post(
    endpoint: Endpoint,
    body: bytes,
    headers: Mapping[str, str],
    max_size: int = MAX_RESPONSE_SIZE,
) -> PostResponse:
    """Send a body to an endpoint's URL. Raises Refused for its address, Unreachable.

    A redirect is an error: nothing is sent to where it leads.
    """
    request = Request(endpoint.url, headers, "POST", MAX_SECONDS, body)
    with open_response(replace(endpoint, redirects=0), request) as (answer, url):
        try:
            read = bytearray()
            while len(read) < max_size and (block := answer.read1(1 << 16)):
                read += block
        except (OSError, http.client.HTTPException) as error:
            raise make_unreachable(url, error) from error
        return PostResponse(answer.status, bytes(read[:max_size]))
