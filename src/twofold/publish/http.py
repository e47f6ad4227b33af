"""The only door to the network for publishing: requests, with the manner of an uploader.

Every request has a time limit. Reads are tried again when the outside world fails (a cut
connection, 429, 5xx) and never when a server refuses. An upload is one attempt: whoever asked
for it must first look whether the server has the file, because a connection that breaks after
the server has acted looks like one that broke before. Secrets are taken out of every message.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase
from requests_toolbelt import MultipartEncoder

from twofold import __version__
from twofold.errors import Refused, TwofoldError, Unreachable
from twofold.publish.answers import Answer, explain
from twofold.publish.secret import Secret, without_secrets

#: Called with the number of bytes sent so far.
Progress = Callable[[int], None]

#: Statuses that another attempt may mend (RFC 9110 and RFC 6585); 501 and 505 are refusals.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


class Transient(Unreachable):
    """The outside world failed in a way that may pass; `wait` is what the server asked for (s).

    `nobody` says that there is nothing at the address: no such host, or nobody listens.
    """

    def __init__(
        self, message: str, hint: str = "", wait: float | None = None, nobody: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.wait = wait
        self.nobody = nobody


@dataclass(frozen=True)
class Patience:
    """How often and how long the outside world is waited for (seconds)."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect: float = 10.0
    read: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, asked: float | None) -> None:
        """Wait before attempt number `attempt` + 1; a server's Retry-After is heard."""
        wait = self.first_wait * 2**attempt if asked is None else asked
        self.sleep(min(wait, self.longest_wait))


@dataclass(frozen=True)
class Credentials:
    """What proves who uploads: `user` with a password or token, or a bare token (user None).

    `source` says where it was found, for messages: never the secret itself.
    """

    secret: Secret
    user: str | None = None
    source: str = ""


class Header(AuthBase):
    """Sets one header, or none; being given explicitly, it also keeps ~/.netrc out."""

    def __init__(self, name: str = "", value: str = "") -> None:
        self.name, self.value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.name:
            request.headers[self.name] = self.value
        return request


def basic(credentials: Credentials, default_user: str = "__token__") -> AuthBase:
    """HTTP Basic, UTF-8, for indexes with the legacy API."""
    user = credentials.user or default_user
    return requests.auth.HTTPBasicAuth(user.encode(), credentials.secret.reveal().encode())


def bearer(credentials: Credentials) -> AuthBase:
    return Header("Authorization", f"Bearer {credentials.secret.reveal()}")


class FileBeingSent:
    """A file that is read block by block and counted for the progress."""

    mode = "rb"

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._file = path.open("rb")
        self._progress = progress
        self.fileno = self._file.fileno
        self.tell = self._file.tell

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        if self._progress is not None:
            self._progress(self._file.tell())
        return block

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(1 << 16):
            yield block

    def close(self) -> None:
        self._file.close()


@dataclass
class Http:
    """A session with one server; keeps its connections until `close`."""

    patience: Patience = field(default_factory=Patience)
    ca: str | None = None
    secrets: list[Secret] = field(default_factory=list)
    _session: requests.Session | None = None
    _answered: bool = False

    def get(
        self, url: str, auth: AuthBase | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET with further attempts; any status that is not transient is an answer.

        Redirects are followed on the same host only: an index that sends its caller to another
        for what it does not have (pypiserver's fallback) has not got it.
        """
        for _ in range(5):
            at = url
            answer = self.again(partial(self.once, "GET", at, auth, headers=headers))
            location = answer.headers.get("Location", "")
            if not (300 <= answer.status < 400 and location):
                break
            url = urljoin(url, location)
            if urlsplit(url).netloc != urlsplit(at).netloc:
                break
        return answer

    def again(self, attempt: Callable[[], Answer]) -> Answer:
        """Try a request that may be repeated, as often as patience allows.

        Where nobody listens and nobody has answered before, the address is wrong or the server
        was not started: that is told at once.
        """
        for number in range(self.patience.attempts - 1):
            try:
                return attempt()
            except Transient as error:
                if error.nobody and not self._answered:
                    raise
                self.patience.pause(number, error.wait)
        return attempt()

    def once(
        self,
        method: str,
        url: str,
        auth: AuthBase | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        json: Any = None,
    ) -> Answer:
        """One attempt; raises Transient when another may help. Uploads follow no redirects."""
        with self._told(url):
            response = self._open().request(
                method,
                url,
                data=body,
                json=json,
                headers=dict(headers or {}),
                auth=auth or Header(),
                timeout=(self.patience.connect, self.patience.read),
                allow_redirects=False,
            )
            answer = Answer(
                response.status_code, response.reason or "", response.headers, response.content
            )
        self._answered = True
        if answer.status in TRANSIENT:
            text = without_secrets(explain(answer), self.secrets)
            raise Transient(
                f"{shown(url)} answered {answer.status}: {text}",
                "run the same command again later: only what is missing is done",
                wait=_retry_after(response.headers.get("Retry-After")),
            )
        return answer

    def send_form(
        self,
        url: str,
        auth: AuthBase | None,
        fields: list[tuple[str, Any]],
        content: tuple[str, Path, str, str],
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One multipart upload; `content` is (field name, path, file name, media type)."""
        field_name, path, file_name, media_type = content
        body = FileBeingSent(path, progress)
        try:
            form = MultipartEncoder([*fields, (field_name, (file_name, body, media_type))])
            media = {"Content-Type": form.content_type, **(headers or {})}
            return self.once("POST", url, auth, headers=media, body=form)
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
    ) -> Answer:
        """One upload with the file as the body."""
        body = FileBeingSent(path, progress)
        media = {"Content-Type": "application/octet-stream", **(headers or {})}
        try:
            return self.once(method, url, auth, headers=media, body=body)
        finally:
            body.close()

    def sha256_of(
        self, url: str, auth: AuthBase | None = None, into: BinaryIO | None = None
    ) -> str | None:
        """Fetch a file and return its SHA-256; None when the server does not have it.

        `into` is an open file that gets the bytes.
        """

        def attempt() -> Answer:
            with self._told(url):
                response = self._open().get(
                    url,
                    auth=auth or Header(),
                    stream=True,
                    timeout=(self.patience.connect, self.patience.read),
                    headers={"Accept-Encoding": "identity"},
                )
                with response:
                    if response.status_code in TRANSIENT:
                        wait = _retry_after(response.headers.get("Retry-After"))
                        raise Transient(f"{shown(url)} answered {response.status_code}", wait=wait)
                    digest = hashlib.sha256()
                    if into is not None:
                        into.seek(0)
                        into.truncate()
                    for block in response.iter_content(1 << 18):
                        digest.update(block)
                        if into is not None:
                            into.write(block)
            reason = response.reason or ""
            return Answer(response.status_code, reason, {}, digest.hexdigest().encode())

        answer = self.again(attempt)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise Refused(
                "not-fetched", f"{shown(url)} answered {answer.status} {answer.reason}", status=502
            )
        return answer.body.decode()

    def refused(self, answer: Answer, url: str, hint: str = "") -> Refused:
        """A server's no, in its own words without our secrets."""
        text = without_secrets(explain(answer), self.secrets)
        if answer.status in (401, 403):
            hint = hint or "the token is missing, wrong, or has no right to this: twofold login"
        if 300 <= answer.status < 400:
            hint = f"use the address it points to: {shown(answer.headers.get('Location', '?'))}"
        return Refused(
            "refused", f"{shown(url)} refused ({answer.status}): {text}", hint, answer.status
        )

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _open(self) -> requests.Session:
        if self._session is None:
            self._session = requests.Session()
            self._session.headers["User-Agent"] = f"twofold/{__version__}"
            if self.ca:
                self._session.verify = self.ca
        return self._session

    def _told(self, url: str) -> _Told:
        return _Told(self, url)


class _Told:
    """Turns what requests raises into the tree of errors."""

    def __init__(self, http: Http, url: str) -> None:
        self.http, self.url = http, url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        place = shown(self.url)
        if isinstance(error, requests.exceptions.SSLError):
            raise Unreachable(
                f"the certificate of {place} is not trusted",
                "set `ca` of the target to your authority's bundle, or REQUESTS_CA_BUNDLE",
            ) from None
        if isinstance(
            error,
            (
                requests.exceptions.InvalidURL,
                requests.exceptions.InvalidSchema,
                requests.exceptions.MissingSchema,
            ),
        ):
            raise TwofoldError(
                f"{place} is no address", "write it as https://host/channel"
            ) from None
        if isinstance(error, requests.exceptions.RequestException):
            reason = without_secrets(_cause(error), self.http.secrets)
            raise Transient(
                f"{place} cannot be reached: {reason}",
                "check the address, and that the server runs and can be reached from here",
                nobody=_is_nobody(error),
            ) from None


def _is_nobody(error: BaseException) -> bool:
    """Whether a refused connection or an unknown host is at the bottom of an error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (ConnectionRefusedError, socket.gaierror)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _cause(error: requests.exceptions.RequestException) -> str:
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


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or an HTTP date."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def shown(url: str) -> str:
    """An address without user, password and token, for messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path
    if path.startswith("/t/"):
        path = "/t/***/" + path[3:].partition("/")[2]
    return urlunsplit((parts.scheme, host, path, "", ""))
