"""What the outside world does wrong: which failures may pass, how long to wait, how to say it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests

from twofold.errors import TwofoldError, Unreachable
from twofold.publish.addresses import redact_url
from twofold.publish.secret import Secret, redact_secrets

#: Statuses that another attempt may mend (RFC 9110 and RFC 6585); 501 and 505 are refusals.
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 507})

#: What to do when the outside world failed for longer than we waited.
TRY_LATER = "run the same command again later: only what is missing is done"

INVALID_URL_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class TransientError(Unreachable):
    """The outside world failed in a way that may pass; `wait` is what the server asked for (s).

    `nobody` says that there is nothing at the address: no such host, or nobody listens.
    """

    def __init__(
        self, message: str, hint: str = "", wait: float | None = None, no_server: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.wait = wait
        self.no_server = no_server


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long the outside world is waited for (seconds)."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect: float = 10.0
    read: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, server_wait: float | None) -> None:
        """Wait before attempt number `attempt` + 1; a server's Retry-After is heard."""
        wait = self.first_wait * 2**attempt if server_wait is None else server_wait
        self.sleep(min(wait, self.longest_wait))


@contextmanager
def error_context(url: str, secrets: Sequence[Secret]) -> Iterator[None]:
    """Turns what requests raises inside into the tree of errors, secrets taken out."""
    place = redact_url(url)
    try:
        yield
    except requests.exceptions.SSLError:
        raise Unreachable(
            f"the certificate of {place} is not trusted",
            "set `ca` of the target to your authority's bundle, or REQUESTS_CA_BUNDLE",
        ) from None
    except INVALID_URL_ERRORS:
        raise TwofoldError(f"{place} is no address", "write it as https://host/channel") from None
    except requests.exceptions.RequestException as error:
        raise TransientError(
            f"{place} cannot be reached: {redact_secrets(_find_cause(error), secrets)}",
            "check the address, and that the server runs and can be reached from here",
            no_server=_is_no_server(error),
        ) from None


def _is_no_server(error: BaseException) -> bool:
    """Whether a refused connection or an unknown host is at the bottom of an error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (ConnectionRefusedError, socket.gaierror)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _find_cause(error: requests.exceptions.RequestException) -> str:
    """The short reason inside requests' and urllib3's wrappings."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    reason = getattr(inner, "reason", None)
    while isinstance(reason, BaseException):
        inner, reason = reason, getattr(reason, "reason", None)
    text = str(inner)
    return text.rpartition(": ")[2] if "object at 0x" in text or "(" in text else text


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or an HTTP date."""
    if not value:
        return None
    if value.isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
