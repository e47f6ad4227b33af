"""HTTP client for publish targets, with upload-safe retries.

Every request has a time limit. Reads are retried after network errors (a cut connection, 429,
5xx), never after a refusal. An upload is one attempt: before a retry the caller must check
whether the server has the file, because a connection that breaks after the server has acted
looks like one that broke before. Secrets are redacted in every message.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from twofold.errors import Refused
from twofold.fetching import require_online
from twofold.publish.addresses import (
    Credentials,
    Secret,
    can_share_login,
    encode_basic,
    redact_secrets,
    redact_url,
)
from twofold.publish.responses import (
    TOKEN_ERROR_CODES,
    TRANSIENT_STATUSES,
    TRY_LATER,
    AuthContext,
    HttpResult,
    RetryPolicy,
    TransientError,
    explain,
    join_hints,
    parse_retry_after,
    read_hint,
    suggest_action,
)
from twofold.publish.targets.settings import TlsSettings
from twofold.publish.transport.request_bodies import (
    Progress,
    UploadBody,
    UploadForm,
    make_form_body,
)
from twofold.publish.transport.response_bodies import read_blocks, read_body, release_connection

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from twofold.publish.transport.pools import Transport


@dataclass(frozen=True)
class HeaderAuth:
    """The header that authenticates a request, a secret; without a name there is none."""

    name: str = ""
    value: str = field(default="", repr=False)


def basic_auth(credentials: Credentials, default_user: str = "__token__") -> HeaderAuth:
    """HTTP Basic authentication in UTF-8, for indexes with the legacy API."""
    login = encode_basic(credentials.user or default_user, credentials.secret)
    return HeaderAuth("Authorization", f"Basic {login.reveal()}")


def bearer_auth(credentials: Credentials) -> HeaderAuth:
    """Bearer authentication with a token."""
    return HeaderAuth("Authorization", f"Bearer {credentials.secret.reveal()}")


#: The limit of consecutive redirects.
REDIRECTS = 5


def find_redirect(answer: HttpResult, url: str) -> str:
    """Where an answer redirects to; '' if it does not.

    Raises Refused if the server names no URL of http or https there.
    """
    location = {name.lower(): value for name, value in answer.headers.items()}.get("location", "")
    if not (300 <= answer.status < 400 and location.strip()):
        return ""
    try:
        onward = urljoin(url, location.strip())
        parts = urlsplit(onward)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        onward, is_valid = location, False
    if not is_valid:
        raise Refused(
            "redirect",
            f"{redact_url(url)} redirects to {redact_url(onward)!r}, which is no valid URL",
            "report it to the server's administrator",
            answer.status,
        )
    return onward


def make_loop_error(url: str) -> Refused:
    """The exception for a server that redirects again and again."""
    return Refused(
        "redirect",
        f"{redact_url(url)} redirects more than {REDIRECTS} times",
        "check the URL, or report it to the server's administrator",
        302,
    )


@dataclass
class HttpClient:
    """A session with one server; keeps its connections until `close`.

    `credentials` are those of the target, also used to read from it afterwards; `account` is whose
    they are, once the server has answered so.
    """

    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    tls: TlsSettings = field(default_factory=TlsSettings)
    secrets: list[Secret] = field(default_factory=list)
    credentials: Credentials | None = None
    auth_context: AuthContext = field(default_factory=AuthContext)
    account: str = ""
    _transport: Transport | None = None
    _has_answered: bool = False

    def get(
        self, url: str, auth: HeaderAuth | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpResult:
        """GET with retries; returns every status that is not transient.

        Redirects are followed on the same host only: an index that redirects to another one for
        unknown projects (pypiserver's fallback) does not have them.
        """
        for _ in range(REDIRECTS + 1):
            at = url
            answer = self.with_retries(partial(self.request_once, "GET", at, auth, headers=headers))
            url = find_redirect(answer, at)
            if not url or not can_share_login(url, at):
                break
        return answer  # of a circle too: pypiserver answers so where it has no page

    def with_retries(self, attempt: Callable[[], HttpResult]) -> HttpResult:
        """Repeat a request that may be repeated, as often as the retry policy allows.

        If no server listens and none has answered before, the URL is wrong or the server is not
        running: that is raised at once.
        """
        for number in range(self.retry_policy.attempts - 1):
            try:
                return attempt()
            except TransientError as error:
                if error.no_server and not self._has_answered:
                    raise
                self.retry_policy.pause(number, error.wait)
        return attempt()

    def request_once(
        self,
        method: str,
        url: str,
        auth: HeaderAuth | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: UploadBody | None = None,
        json: Any = None,
    ) -> HttpResult:
        """One attempt; raises TransientError if another may help. Follows no redirects."""
        from twofold.publish.transport.failures import error_context

        require_online(redact_url(url))
        sent = {"Accept-Encoding": "gzip, deflate", **(headers or {})}
        sent_body: UploadBody | bytes | None = body
        if json is not None:
            sent_body = dumps(json).encode()
            sent["Content-Type"] = "application/json"
        with error_context(url, self.secrets, self.retry_policy):
            response = self._open(method, url, auth, sent, sent_body)
            try:
                answer = HttpResult(
                    response.status,
                    response.reason or "",
                    response.headers,
                    read_body(response, url),
                )
            finally:
                release_connection(response)
        self._has_answered = True
        if os.environ.get("TWOFOLD_VERBOSE"):
            print(f"{method} {redact_url(url)}: {answer.status}", file=sys.stderr)
        if answer.status in TRANSIENT_STATUSES:
            text = redact_secrets(explain(answer), self.secrets)
            raise TransientError(
                f"{redact_url(url)} answered {answer.status}: {text}",
                TRY_LATER,
                wait=parse_retry_after(answer.headers.get("Retry-After")),
            )
        return answer

    def send_form(
        self,
        url: str,
        auth: HeaderAuth | None,
        form: UploadForm,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResult:
        """One multipart upload."""
        body, media_type = make_form_body(form, progress)
        try:
            media = {"Content-Type": media_type, **(headers or {})}
            return self.request_once("POST", url, auth, headers=media, body=body)
        finally:
            body.close()

    def send_file(
        self,
        method: str,
        url: str,
        auth: HeaderAuth | None,
        path: Path,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> HttpResult:
        """One upload with the file as the body."""
        body = UploadBody(path, progress, b"", b"")
        media = {"Content-Type": "application/octet-stream", **(headers or {})}
        try:
            return self.request_once(method, url, auth, headers=media, body=body)
        finally:
            body.close()

    def fetch_sha256(
        self, url: str, auth: HeaderAuth | None, size: int, into: BinaryIO | None = None
    ) -> str | None:
        """Fetch a file and return its SHA-256; None if the server does not have it.

        `size` is that of our file (bytes), `into` an open file that gets the bytes. Redirects are
        followed to any host, since servers keep files in object stores; credentials are sent to
        their own server only.
        """

        def attempt() -> HttpResult:
            at, own = url, auth
            for _ in range(REDIRECTS + 1):
                answer = self._fetch_once(at, own, size, into)
                onward = find_redirect(answer, at)
                if not onward:
                    return answer
                own = own if can_share_login(onward, at) else None
                at = onward
            raise make_loop_error(url)

        answer = self.with_retries(attempt)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise self.make_refusal(answer, url)
        return answer.body.decode()

    def _fetch_once(
        self, url: str, auth: HeaderAuth | None, size: int, into: BinaryIO | None
    ) -> HttpResult:
        """One attempt to fetch a file: 200 with its SHA-256 as the body, or the error status."""
        from twofold.publish.transport.failures import error_context

        require_online(redact_url(url))
        with error_context(url, self.secrets, self.retry_policy):
            response = self._open("GET", url, auth, {"Accept-Encoding": "identity"}, None)
            try:
                status, reason = response.status, response.reason or ""
                if status in TRANSIENT_STATUSES:
                    wait = parse_retry_after(response.headers.get("Retry-After"))
                    raise TransientError(
                        f"{redact_url(url)} answered {status}", TRY_LATER, wait=wait
                    )
                if status != 200:
                    return HttpResult(status, reason, response.headers, read_body(response, url))
                return HttpResult(200, reason, {}, read_blocks(response, url, size, into).encode())
            finally:
                release_connection(response)

    def make_refusal(self, result: HttpResult, url: str, hint: str = "") -> Refused:
        """The exception for a refusal: the server's reason without our secrets, and a hint.

        The hint is the one given, else the server's own, else the one for the status.
        """
        text = redact_secrets(explain(result), self.secrets)
        onward = find_redirect(result, url)
        if onward:
            hint = f"use the URL it redirects to: {redact_url(onward)}"
        general = suggest_action(result.status, self.auth_context)
        if not hint:
            own = redact_secrets(read_hint(result), self.secrets)
            value = result.json()
            code = value.get("code") if isinstance(value, dict) else None
            about_token = result.status == 401 or (
                result.status == 403 and (code is None or code in TOKEN_ERROR_CODES)
            )
            hint = join_hints(result.status, own, general) if about_token else own or general
        return Refused(
            "refused", f"{redact_url(url)} refused ({result.status}): {text}", hint, result.status
        )

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            self._transport.close()

    def _open(
        self,
        method: str,
        url: str,
        auth: HeaderAuth | None,
        headers: dict[str, str],
        body: UploadBody | bytes | None,
    ) -> BaseHTTPResponse:
        if self._transport is None:
            from twofold.publish.transport.pools import Transport

            self._transport = Transport(self.retry_policy, self.tls)
        if auth is not None and auth.name:
            headers[auth.name] = auth.value
        return self._transport.open_response(method, url, headers, body)
