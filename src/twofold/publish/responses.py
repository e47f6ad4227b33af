"""HTTP responses: reasons and hints of refusals, transient failures and retries."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twofold.errors import Unreachable
from twofold.publish.targets.settings import as_word, get_token_variable

#: The limit of an answer that is not a file (bytes): pages of large projects have some megabytes.
LARGEST_ANSWER = 64 << 20


@dataclass(frozen=True)
class HttpResult:
    """An HTTP response, read completely."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")


def explain(result: HttpResult) -> str:
    """The reason in one line: from a JSON field, plain text, or the reason phrase."""
    reason = _find_reason(result.json())
    if not reason and "html" not in _read_media_type(result):
        reason = result.text().strip().partition("\n")[0][:500]
    if not reason and "html" in _read_media_type(result):
        text = result.text()
        heading = re.search(r"<(?:title|h1)>", text, re.I)
        end = text.find("</", heading.end()) if heading else -1
        reason = text[heading.end() : end].strip() if heading and end >= 0 else ""
    return " ".join((reason or result.reason or "no reason given").split())


def read_hint(answer: HttpResult) -> str:
    """The server's own hint (`hint`, as twofold registries send it); '' for none."""
    value = answer.json()
    hint = value.get("hint") if isinstance(value, dict) else None
    return " ".join(hint.split()) if isinstance(hint, str) else ""


def is_name_taken(answer: HttpResult) -> bool:
    """Whether an index refuses because the file name is taken.

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
    """The reasons in a list of errors, as PyPI and Artifactory send it."""
    found = []
    for error in errors if isinstance(errors, list) else []:
        described = error.get("description") if isinstance(error, dict) else None
        found.append(str(described or _find_reason(error)))
    return "; ".join(filter(None, found))


#: A registry's error codes about the token: invalid, or without the permission.
TOKEN_ERROR_CODES = frozenset(
    {"invalid-token", "invalid-login", "revoked-token", "expired-token", "forbidden"}
)

NAME_USED = "a file name is never reused there: publish under a new version"


@dataclass(frozen=True)
class AuthContext:
    """What hints need of a request: the target, its kind, the token's source ('': no token)."""

    target: str = ""
    kind: str = ""
    source: str = ""
    permission_hint: str = ""
    url_hint: str = ""

    @property
    def login_command(self) -> str:
        """The command that stores a token for the target."""
        return f"twofold login {as_word(self.target, self.kind)}"

    @property
    def token_variable(self) -> str:
        """The environment variable for the token: the target's own where its name is short."""
        return "TWOFOLD_TOKEN" if "/" in self.target else get_token_variable(self.target)


def suggest_login(context: AuthContext) -> str:
    """The hint for a missing token."""
    return f"run '{context.login_command}', or set {context.token_variable}"


def suggest_action(status: int, context: AuthContext) -> str:
    """The hint for a refusal with this status; '' where the status suggests none."""
    if status in (401, 403) and not context.source:
        return f"no token was sent: {suggest_login(context)}"
    if status == 401:
        return (
            f"the token from {context.source} is wrong, expired or revoked: "
            f"run '{context.login_command}' with another"
        )
    if status == 403:
        right = context.permission_hint or "ask the administrator"
        return f"the token from {context.source} is wrong or lacks the permission: {right}"
    return {
        400: "correct the field it names: 'twofold check FILES' finds most of what indexes refuse",
        404: f"check the URL: {context.url_hint or 'nothing was found there'}",
        405: f"this URL takes no uploads: {context.url_hint or 'check its kind'}",
        407: "the proxy requires a login: write it into HTTP_PROXY or HTTPS_PROXY as "
        "http://USER:PASSWORD@HOST:PORT",
        409: NAME_USED,
        410: NAME_USED,
        413: "the file exceeds the target's limit: 'twofold build --list' shows its contents; "
        "or ask the administrator for a higher limit",
        422: "correct the field it names: 'twofold check FILES' finds most of what indexes refuse",
    }.get(status, "")


def join_hints(status: int, own: str, general: str) -> str:
    """The hint for a refused token: the server's own knows which permission is missing."""
    return own if own and status == 403 else "; ".join(filter(None, (own, general)))


#: Statuses worth another attempt (RFC 9110 and RFC 6585); 501 and 505 are refusals.
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 507})

#: The hint after the last attempt.
TRY_LATER = "run the same command again later: it continues with the missing files"


class TransientError(Unreachable):
    """A failure that another attempt may overcome; `wait` is Retry-After in seconds.

    `no_server` is True if the host is unknown or refuses the connection.
    """

    def __init__(
        self, message: str, hint: str = "", wait: float | None = None, no_server: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.wait = wait
        self.no_server = no_server


@dataclass(frozen=True)
class RetryPolicy:
    """Attempts, waits and timeouts of requests (seconds).

    `connect` and `read` limit each wait for the server; `total` limits a whole response, and grows
    with its size by the `slowest` accepted speed (bytes a second). The same holds for an upload.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect: float = 10.0
    read: float = 120.0
    total: float = 300.0
    slowest: float = 8192.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, server_wait: float | None) -> None:
        """Wait before attempt number `attempt` + 1; Retry-After takes precedence."""
        wait = self.first_wait * 2**attempt if server_wait is None else server_wait
        self.sleep(min(wait, self.longest_wait))


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or an HTTP date."""
    if not value:
        return None
    if value.isascii() and value.strip().isdigit() and len(value) < 20:
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
