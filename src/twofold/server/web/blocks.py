"""A request's body in blocks, within a size and within a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from twofold.errors import Refused

#: What a client has in any case (seconds), and the least it has to send on the whole (bytes a
#: second): one that drips would hold a connection and a file in the spool for as long as it likes.
GRACE_SECONDS = 60.0
MIN_BYTES_PER_SECOND = 1024


async def stream_body(request: Request, max_bytes: int, error: Refused) -> AsyncIterator[bytes]:
    """The body, block by block.

    Raises `too_large` beyond `largest` bytes, Refused 408 for a client that sends too slowly, and
    Refused for one that is gone.
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > max_bytes:
        raise error
    loop = asyncio.get_running_loop()
    end = loop.time() + GRACE_SECONDS
    blocks = aiter(request.stream())
    total = 0
    while True:
        try:
            async with asyncio.timeout_at(end + total / MIN_BYTES_PER_SECOND):
                block = await anext(blocks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            said = f"The body comes too slowly: {total} bytes so far"
            raise Refused("too-slow", said, "try again from a better connection", 408) from None
        except ClientDisconnect:
            raise Refused("cut-off", "The request was cut off") from None
        total += len(block)
        if total > max_bytes:
            raise error
        yield block
