"""What a server said: its words found wherever servers put them (body, problem+json, reason)."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from twofold.errors import TwofoldError, Unreachable
from twofold.publish.addresses import Secret, redact_secrets, redact_url
from twofold.publish.credentials import get_token_variable


@dataclass(frozen=True)
class HttpResult:
    """An HTTP answer, read whole."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


def explain(result: HttpResult) -> str:
    """One line of why, from the most telling place: a JSON field, plain text, the reason phrase."""
    said = _find_reason(result.json())
    if not said and "html" not in _read_media_type(result):
        said = result.text().strip().partition("\n")[0][:500]
    if not said and "html" in _read_media_type(result):
        found = re.search(r"<(?:title|h1)>(.*?)</", result.text(), re.I | re.S)
        said = found.group(1).strip() if found else ""
    return " ".join((said or result.reason or "no reason given").split())


def read_hint(answer: HttpResult) -> str:
    """What the server itself says to do (`hint`, as a twofold registry answers); '' for nothing."""
    value = answer.json()
    told = value.get("hint") if isinstance(value, dict) else None
    return " ".join(told.split()) if isinstance(told, str) else ""


def is_name_taken(answer: HttpResult) -> bool:
    """Whether an index refuses because the name is taken.

    409 by RFC 9110; `File already exists` is the legacy API's contract.
    """
    text = f"{answer.reason} {answer.text()}".lower()
    return answer.status == 409 or (
        answer.status in (400, 403)
        and any(
            words in text
            for words in ("already exist", "already been taken", "already uploaded", "duplicate")
        )
    )


def _read_media_type(answer: HttpResult) -> str:
    return {k.lower(): v for k, v in answer.headers.items()}.get("content-type", "")


def _find_reason(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    reasons = _join_errors(value.get("errors"))
    for key in ("message", "error", "detail", "title", "code"):
        if isinstance(value.get(key), str) and value[key]:
            return f"{value[key]}: {reasons}" if reasons else str(value[key])
        if isinstance(value.get(key), dict):
            return _find_reason(value[key])
    return reasons


def _join_errors(errors: Any) -> str:
    """The reasons of a list of errors, as PyPI's and Artifactory's answers hold them."""
    told = []
    for error in errors if isinstance(errors, list) else []:
        described = error.get("description") if isinstance(error, dict) else None
        told.append(str(described or _find_reason(error)))
    return "; ".join(filter(None, told))


#: Who gives the right that a token lacks.
PERMISSION_HINTS = {
    "registry": "who looks after it gives it with 'twofold admin role CHANNEL USER upload'",
    "pypi": "make one as owner or maintainer of the project, with this project in its scope",
    "legacy": "check user and password, and who may upload to this index",
    "anaconda": "it must be the owner's, or of somebody who may write for the owner",
    "prefix": "make one that may write to this channel",
    "quetz": "its user must be a member of the channel",
    "artifactory": "its user must be allowed to deploy to this repository",
}

#: What an address of each kind looks like.
ADDRESS_HINTS = {
    "registry": "it is http://host/CHANNEL; a private channel shows itself to its tokens alone",
    "pypi": "it is the one twine uploads to",
    "legacy": "it is the one twine uploads to (devpi: http://host/USER/INDEX/)",
    "anaconda": "it is the API's with the owner at its end: anaconda+https://host/api/OWNER",
    "prefix": "it ends in the channel's name: prefix+https://host/CHANNEL",
    "quetz": "it ends in the channel's name: quetz+https://host/CHANNEL",
    "artifactory": "it is artifactory+https://host/artifactory/api/conda/REPOSITORY",
}

#: Codes of a registry's answers that say the token is no good, or not for this.
TOKEN_ERROR_CODES = frozenset(
    {"invalid-token", "invalid-login", "revoked-token", "expired-token", "forbidden"}
)

NAME_USED = "a name that was used there stays used: publish under a new version"


@dataclass(frozen=True)
class AuthContext:
    """Who asks a target, as hints name it; `source` says where the token is from ('': no token)."""

    target: str = ""
    kind: str = ""
    source: str = ""

    @property
    def login_command(self) -> str:
        """The command that stores a token for the target."""
        is_address = "://" in self.target
        prefixed = is_address and self.kind != "registry" and "+" not in self.target
        return (
            f"twofold login {self.kind}+{self.target}"
            if prefixed
            else (f"twofold login {self.target}")
        )

    @property
    def token_variable(self) -> str:
        """The environment variable to name: the target's own where its name is short."""
        return "TWOFOLD_TOKEN" if "/" in self.target else get_token_variable(self.target)


def suggest_login(context: AuthContext) -> str:
    """What to do where no token was found."""
    return f"run '{context.login_command}', or set {context.token_variable}"


def suggest_action(status: int, context: AuthContext) -> str:
    """An action for a refusal with this status; '' where the status says nothing of one."""
    if status in (401, 403) and not context.source:
        return f"no token was sent: {suggest_login(context)}"
    if status == 401:
        return (
            f"the token from {context.source} is wrong, expired or revoked: "
            f"run '{context.login_command}' with another"
        )
    if status == 403:
        right = PERMISSION_HINTS.get(context.kind, "ask who looks after it")
        return f"the token from {context.source} is wrong or has no right to this: {right}"
    return {
        400: "mend what it names: 'twofold check FILES' finds most of what indexes refuse",
        404: f"check the address: {ADDRESS_HINTS.get(context.kind, 'nothing is there')}",
        405: "nothing is uploaded at this address: "
        f"{ADDRESS_HINTS.get(context.kind, 'check its kind')}",
        409: NAME_USED,
        410: NAME_USED,
        413: "it is larger than this target takes: 'twofold build --list' shows what is in it; "
        "or ask who looks after the target for a higher limit",
        422: "mend what it names: 'twofold check FILES' finds most of what indexes refuse",
    }.get(status, "")


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
