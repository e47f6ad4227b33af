"""The only door to the network for publishing: requests, with the manner of an uploader.

Every request has a time limit. Reads are tried again when the outside world fails (a cut
connection, 429, 5xx) and never when a server refuses. An upload is one attempt: whoever asked
for it must first look whether the server has the file, because a connection that breaks after
the server has acted looks like one that broke before. Secrets are taken out of every message.
"""

from __future__ import annotations

import hashlib
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
from twofold.publish.addresses import may_have_login_of, shown
from twofold.publish.advice import ABOUT_TOKENS, Caller, advice
from twofold.publish.answers import Answer, explain, own_hint
from twofold.publish.authentication import Credentials, Header
from twofold.publish.failures import LATER, TRANSIENT, Patience, Transient, retry_after, told
from twofold.publish.secret import Secret, without_secrets

#: Called with the number of bytes sent so far.
Progress = Callable[[int], None]

#: How many answers in a row may send us on.
REDIRECTS = 5


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


@dataclass(frozen=True)
class Form:
    """A multipart form: `fields`, then the file, then the fields that come `after` it.

    `content` is the file: (field name, path, file name, media type).
    """

    content: tuple[str, Path, str, str]
    fields: Sequence[tuple[str, Any]] = ()
    after: Sequence[tuple[str, Any]] = ()


@dataclass
class Http:
    """A session with one server; keeps its connections until `close`.

    `credentials` are those its target is asked with, for whoever reads there afterwards.
    """

    patience: Patience = field(default_factory=Patience)
    ca: str | None = None
    secrets: list[Secret] = field(default_factory=list)
    credentials: Credentials | None = None
    caller: Caller = field(default_factory=Caller)
    _session: requests.Session | None = None
    _answered: bool = False

    def get(
        self, url: str, auth: AuthBase | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET with further attempts; any status that is not transient is an answer.

        Redirects are followed on the same host only: an index that sends its caller to another
        for what it does not have (pypiserver's fallback) has not got it.
        """
        for _ in range(REDIRECTS):
            at = url
            answer = self.again(partial(self.once, "GET", at, auth, headers=headers))
            location = answer.headers.get("Location", "")
            if not (300 <= answer.status < 400 and location):
                break
            url = urljoin(url, location)
            if not may_have_login_of(url, at):
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
        with told(url, self.secrets):
            response = self._open().request(
                method,
                url,
                data=body,
                json=json,
                headers=dict(headers or {}),
                auth=auth or Header(),
                timeout=(self.patience.connect, self.patience.read),
                allow_redirects=False,
                verify=self.ca,
            )
            answer = Answer(
                response.status_code, response.reason or "", response.headers, response.content
            )
        self._answered = True
        if answer.status in TRANSIENT:
            text = without_secrets(explain(answer), self.secrets)
            raise Transient(
                f"{shown(url)} answered {answer.status}: {text}",
                LATER,
                wait=retry_after(response.headers.get("Retry-After")),
            )
        return answer

    def send_form(
        self,
        url: str,
        auth: AuthBase | None,
        form: Form,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One multipart upload."""
        field_name, path, file_name, media_type = form.content
        body = FileBeingSent(path, progress)
        try:
            file = (field_name, (file_name, body, media_type))
            encoder = MultipartEncoder([*form.fields, file, *form.after])
            media = {"Content-Type": encoder.content_type, **(headers or {})}
            return self.once("POST", url, auth, headers=media, body=encoder)
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

        `into` is an open file that gets the bytes. Redirects are followed wherever they lead, as
        servers keep files in stores elsewhere; the login stays with the server it is for.
        """

        def attempt() -> Answer:
            at, own = url, auth
            for _ in range(REDIRECTS):
                answer = self._digest(at, own, into)
                location = answer.headers.get("Location", "")
                if not (300 <= answer.status < 400 and location):
                    break
                onward = urljoin(at, location)
                own = own if may_have_login_of(onward, at) else None
                at = onward
            return answer

        answer = self.again(attempt)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise self.refused(answer, url)
        return answer.body.decode()

    def _digest(self, url: str, auth: AuthBase | None, into: BinaryIO | None) -> Answer:
        """One attempt at a file: 200 with the SHA-256 of what came as the body, or a no."""
        with told(url, self.secrets):
            response = self._open().get(
                url,
                auth=auth or Header(),
                stream=True,
                timeout=(self.patience.connect, self.patience.read),
                headers={"Accept-Encoding": "identity"},
                allow_redirects=False,
                verify=self.ca,
            )
            with response:
                status, reason = response.status_code, response.reason or ""
                if status in TRANSIENT:
                    wait = retry_after(response.headers.get("Retry-After"))
                    raise Transient(f"{shown(url)} answered {status}", LATER, wait=wait)
                if status != 200:
                    return Answer(status, reason, response.headers, response.content)
                digest = hashlib.sha256()
                if into is not None:
                    into.seek(0)
                    into.truncate()
                for block in response.iter_content(1 << 18):
                    digest.update(block)
                    if into is not None:
                        into.write(block)
        return Answer(200, reason, {}, digest.hexdigest().encode())

    def refused(self, answer: Answer, url: str, hint: str = "") -> Refused:
        """A server's no, in its own words without our secrets, and what to do about it.

        The hint is the one given, else the server's own, else what the status says.
        """
        text = without_secrets(explain(answer), self.secrets)
        if 300 <= answer.status < 400:
            hint = f"use the address it points to: {shown(answer.headers.get('Location', '?'))}"
        general = advice(answer.status, self.caller)
        if not hint:
            own = without_secrets(own_hint(answer), self.secrets)
            value = answer.json()
            code = value.get("code") if isinstance(value, dict) else None
            about_token = answer.status == 401 or (
                answer.status == 403 and (code is None or code in ABOUT_TOKENS)
            )
            hint = "; ".join(filter(None, (own, general))) if about_token else own or general
        return Refused(
            "refused", f"{shown(url)} refused ({answer.status}): {text}", hint, answer.status
        )

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _open(self) -> requests.Session:
        if self._session is None:
            if self.ca and not Path(self.ca).exists():
                told = f"there are no certificates at {self.ca}"
                raise TwofoldError(told, "mend `ca` of the target, or TWINE_CERT")
            self._session = requests.Session()
            self._session.headers["User-Agent"] = f"twofold/{__version__}"
        return self._session
