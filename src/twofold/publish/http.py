"""HTTP client for publish targets, with upload-safe retries.

Every request has a time limit. Reads are retried after network errors (a cut connection, 429,
5xx), never after a refusal. An upload is one attempt: before a retry the caller must check
whether the server has the file, because a connection that breaks after the server has acted
looks like one that broke before. Secrets are redacted in every message.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase
from requests_toolbelt import MultipartEncoder

from twofold import __version__
from twofold.errors import Refused, TwofoldError
from twofold.fetching import require_online
from twofold.publish.addresses import (
    Credentials,
    Secret,
    can_share_login,
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
    error_context,
    explain,
    join_hints,
    parse_retry_after,
    read_body,
    read_hint,
    suggest_action,
)


class HeaderAuth(AuthBase):
    """Set one header, or none; an explicit auth also keeps requests from reading ~/.netrc."""

    def __init__(self, name: str = "", value: str = "") -> None:
        self.name, self.value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header of a request."""
        if self.name:
            request.headers[self.name] = self.value
        return request


def basic_auth(credentials: Credentials, default_user: str = "__token__") -> AuthBase:
    """HTTP Basic authentication in UTF-8, for indexes with the legacy API."""
    user = credentials.user or default_user
    return requests.auth.HTTPBasicAuth(user.encode(), credentials.secret.reveal().encode())


def bearer_auth(credentials: Credentials) -> AuthBase:
    """Bearer authentication with a token."""
    return HeaderAuth("Authorization", f"Bearer {credentials.secret.reveal()}")


#: Called with the number of bytes sent so far.
Progress = Callable[[int], None]

#: The limit of consecutive redirects.
REDIRECTS = 5


class ProgressFile:
    """A file that reports its progress while it is read."""

    mode = "rb"

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._file = path.open("rb")
        self._progress = progress
        self.fileno = self._file.fileno
        self.tell = self._file.tell

    def read(self, size: int = -1) -> bytes:
        """Read a block and report the progress."""
        block = self._file.read(size)
        if self._progress is not None:
            self._progress(self._file.tell())
        return block

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(1 << 16):
            yield block

    def close(self) -> None:
        """Close the file, or the session."""
        self._file.close()


@dataclass(frozen=True)
class UploadForm:
    """A multipart form: `fields`, then the file, then `trailing_fields`.

    `content` is the file: (field name, path, file name, media type).
    """

    content: tuple[str, Path, str, str]
    fields: Sequence[tuple[str, Any]] = ()
    trailing_fields: Sequence[tuple[str, Any]] = ()


@dataclass
class HttpClient:
    """A session with one server; keeps its connections until `close`.

    `credentials` are those of the target, also used to read from it afterwards; `account` is whose
    they are, once the server has said so.
    """

    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    ca: str | None = None
    secrets: list[Secret] = field(default_factory=list)
    credentials: Credentials | None = None
    auth_context: AuthContext = field(default_factory=AuthContext)
    account: str = ""
    _session: requests.Session | None = None
    _has_answered: bool = False

    def get(
        self, url: str, auth: AuthBase | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpResult:
        """GET with retries; returns every status that is not transient.

        Redirects are followed on the same host only: an index that redirects to another one for
        unknown projects (pypiserver's fallback) does not have them.
        """
        for _ in range(REDIRECTS):
            at = url
            answer = self.with_retries(partial(self.request_once, "GET", at, auth, headers=headers))
            location = answer.headers.get("Location", "")
            if not (300 <= answer.status < 400 and location):
                break
            url = urljoin(url, location)
            if not can_share_login(url, at):
                break
        return answer

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
        auth: AuthBase | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        json: Any = None,
    ) -> HttpResult:
        """One attempt; raises TransientError if another may help. Follows no redirects."""
        require_online(redact_url(url))
        with error_context(url, self.secrets):
            response = self._open_session().request(
                method,
                url,
                data=body,
                json=json,
                headers=dict(headers or {}),
                auth=auth or HeaderAuth(),
                timeout=(self.retry_policy.connect, self.retry_policy.read),
                allow_redirects=False,
                verify=self.ca,
                stream=True,
            )
            with response:
                content = read_body(response, url)
            reason = response.reason or ""
            answer = HttpResult(response.status_code, reason, response.headers, content)
        self._has_answered = True
        if os.environ.get("TWOFOLD_VERBOSE"):
            print(f"{method} {redact_url(url)}: {answer.status}", file=sys.stderr)
        if answer.status in TRANSIENT_STATUSES:
            text = redact_secrets(explain(answer), self.secrets)
            raise TransientError(
                f"{redact_url(url)} answered {answer.status}: {text}",
                TRY_LATER,
                wait=parse_retry_after(response.headers.get("Retry-After")),
            )
        return answer

    def send_form(
        self,
        url: str,
        auth: AuthBase | None,
        form: UploadForm,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResult:
        """One multipart upload."""
        field_name, path, file_name, media_type = form.content
        body = ProgressFile(path, progress)
        try:
            file = (field_name, (file_name, body, media_type))
            encoder = MultipartEncoder([*form.fields, file, *form.trailing_fields])
            media = {"Content-Type": encoder.content_type, **(headers or {})}
            return self.request_once("POST", url, auth, headers=media, body=encoder)
        finally:
            body.close()

    def send_file(
        self,
        method: str,
        url: str,
        auth: AuthBase | None,
        path: Path,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> HttpResult:
        """One upload with the file as the body."""
        body = ProgressFile(path, progress)
        media = {"Content-Type": "application/octet-stream", **(headers or {})}
        try:
            return self.request_once(method, url, auth, headers=media, body=body)
        finally:
            body.close()

    def fetch_sha256(
        self, url: str, auth: AuthBase | None = None, into: BinaryIO | None = None
    ) -> str | None:
        """Fetch a file and return its SHA-256; None if the server does not have it.

        `into` is an open file that gets the bytes. Redirects are followed to any host, since
        servers keep files in object stores; credentials are sent to their own server only.
        """

        def attempt() -> HttpResult:
            at, own = url, auth
            for _ in range(REDIRECTS):
                answer = self._fetch_once(at, own, into)
                location = answer.headers.get("Location", "")
                if not (300 <= answer.status < 400 and location):
                    break
                onward = urljoin(at, location)
                own = own if can_share_login(onward, at) else None
                at = onward
            return answer

        answer = self.with_retries(attempt)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise self.make_refusal(answer, url)
        return answer.body.decode()

    def _fetch_once(self, url: str, auth: AuthBase | None, into: BinaryIO | None) -> HttpResult:
        """One attempt to fetch a file: 200 with its SHA-256 as the body, or the error status."""
        require_online(redact_url(url))
        with error_context(url, self.secrets):
            response = self._open_session().get(
                url,
                auth=auth or HeaderAuth(),
                stream=True,
                timeout=(self.retry_policy.connect, self.retry_policy.read),
                headers={"Accept-Encoding": "identity"},
                allow_redirects=False,
                verify=self.ca,
            )
            with response:
                status, reason = response.status_code, response.reason or ""
                if status in TRANSIENT_STATUSES:
                    wait = parse_retry_after(response.headers.get("Retry-After"))
                    raise TransientError(
                        f"{redact_url(url)} answered {status}", TRY_LATER, wait=wait
                    )
                if status != 200:
                    return HttpResult(status, reason, response.headers, read_body(response, url))
                digest = hashlib.sha256()
                if into is not None:
                    into.seek(0)
                    into.truncate()
                for block in response.iter_content(1 << 18):
                    digest.update(block)
                    if into is not None:
                        into.write(block)
        return HttpResult(200, reason, {}, digest.hexdigest().encode())

    def make_refusal(self, result: HttpResult, url: str, hint: str = "") -> Refused:
        """The exception for a refusal: the server's reason without our secrets, and a hint.

        The hint is the one given, else the server's own, else the one for the status.
        """
        text = redact_secrets(explain(result), self.secrets)
        if 300 <= result.status < 400:
            hint = f"use the URL it redirects to: {redact_url(result.headers.get('Location', '?'))}"
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
        """Close the file, or the session."""
        if self._session is not None:
            self._session.close()

    def _open_session(self) -> requests.Session:
        if self._session is None:
            if self.ca and not Path(self.ca).exists():
                message = f"there is no certificate file {self.ca}"
                raise TwofoldError(message, "correct `ca` of the target, or TWINE_CERT")
            self._session = requests.Session()
            self._session.headers["User-Agent"] = f"twofold/{__version__}"
        return self._session
