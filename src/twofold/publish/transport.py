"""One HTTP request to a publish target, by urllib3: connections, TLS, proxies, errors in our words.

urllib3 is imported with the first request: importing it takes as long as a request to loopback.
"""

from __future__ import annotations

import os
import secrets as random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from twofold import __version__
from twofold.errors import TwofoldError, Unreachable
from twofold.publish.addresses import Secret, redact_secrets, redact_url
from twofold.publish.responses import LARGEST_ANSWER, RetryPolicy, TransientError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

#: Called with the number of bytes sent so far.
Progress = Callable[[int], None]

#: The CA bundles that requests reads, so that one setting serves twine and twofold.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class UploadForm:
    """A multipart form: `fields`, then the file, then `trailing_fields`.

    `content` is the file: (field name, path, file name, media type).
    """

    content: tuple[str, Path, str, str]
    fields: Sequence[tuple[str, Any]] = ()
    trailing_fields: Sequence[tuple[str, Any]] = ()


class UploadBody:
    """The body of an upload, read block by block: a file, with the fields of a form around it."""

    def __init__(self, path: Path, progress: Progress | None, head: bytes, tail: bytes) -> None:
        self._file = path.open("rb")
        self._progress = progress
        self._before, self._after = head, tail
        self.size = len(head) + path.stat().st_size + len(tail)

    def read(self, size: int = -1) -> bytes:
        """Read a block and report the progress of the file."""
        if self._before:
            block, self._before = self._before, b""
            return block
        block = self._file.read(size)
        if block and self._progress is not None:
            self._progress(self._file.tell())
        if not block:
            block, self._after = self._after, b""
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def make_form_body(form: UploadForm, progress: Progress | None) -> tuple[UploadBody, str]:
    """The body of a multipart form (RFC 7578), and its media type."""
    boundary = random.token_hex(16)
    field_name, path, file_name, media_type = form.content
    head = b"".join(_encode_field(boundary, name, value) for name, value in form.fields)
    named = f'form-data; name="{_quote(field_name)}"; filename="{_quote(file_name)}"'
    head += f"--{boundary}\r\nContent-Disposition: {named}\r\n".encode()
    head += f"Content-Type: {media_type}\r\n\r\n".encode()
    tail = b"\r\n" + b"".join(_encode_field(boundary, *one) for one in form.trailing_fields)
    tail += f"--{boundary}--\r\n".encode()
    return UploadBody(path, progress, head, tail), f"multipart/form-data; boundary={boundary}"


def _encode_field(boundary: str, name: str, value: Any) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    disposition = f'Content-Disposition: form-data; name="{_quote(name)}"'
    return f"--{boundary}\r\n{disposition}\r\n\r\n".encode() + data + b"\r\n"


def _quote(name: str) -> str:
    """A name in a header of a form, as browsers escape it."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


@dataclass
class Transport:
    """Connections to servers, kept open until `close`; `ca` is a bundle of certificates."""

    retry_policy: RetryPolicy
    ca: str | None = None
    _pools: dict[tuple[str, bool], PoolManager] = field(default_factory=dict)

    def open_response(
        self, method: str, url: str, headers: Mapping[str, str], body: UploadBody | bytes | None
    ) -> BaseHTTPResponse:
        """Send one request; its answer is not read yet. Follows no redirects."""
        from urllib3 import Timeout

        sent = {"User-Agent": f"twofold/{__version__}", "Accept": "*/*", **headers}
        if isinstance(body, UploadBody):
            sent["Content-Length"] = str(body.size)
        policy = self.retry_policy
        return self._choose_pool(url).urlopen(
            method,
            url,
            body=body,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=policy.connect, read=policy.read),
        )

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()

    def _choose_pool(self, url: str) -> PoolManager:
        """The pool for a URL: one for direct connections, one for each proxy."""
        proxy, is_tls = _find_proxy(url), url.lower().startswith("https:")
        if (proxy, is_tls) not in self._pools:
            import urllib3

            trusted: dict[str, Any] = self._find_certificates() if is_tls else {}
            self._pools[proxy, is_tls] = (
                urllib3.ProxyManager(proxy, proxy_headers=_make_proxy_login(proxy), **trusted)
                if proxy
                else urllib3.PoolManager(**trusted)
            )
        return self._pools[proxy, is_tls]

    def _find_certificates(self) -> dict[str, str]:
        if self.ca and not Path(self.ca).exists():
            message = f"there is no certificate file {self.ca}"
            raise TwofoldError(message, "correct `ca` of the target, or TWINE_CERT")
        bundle = self.ca or next(filter(None, map(os.environ.get, CA_VARIABLES)), "")
        if not bundle:
            import certifi

            bundle = certifi.where()
        return {"ca_cert_dir" if Path(bundle).is_dir() else "ca_certs": bundle}


def _find_proxy(url: str) -> str:
    """The proxy of the environment for a URL; '' to connect directly."""
    if not any(name.lower().endswith("_proxy") for name in os.environ) and os.name == "posix":
        return ""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all", "")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _make_proxy_login(proxy: str) -> dict[str, str]:
    from urllib.parse import unquote, urlsplit

    from urllib3.util import make_headers

    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(make_headers(proxy_basic_auth=login))


def read_body(response: BaseHTTPResponse, url: str) -> bytes:
    """Read the body of an answer; raises TwofoldError if it does not end."""
    body = bytearray()
    for block in response.stream(1 << 16, decode_content=True):
        body += block
        if len(body) > LARGEST_ANSWER:
            raise TwofoldError(
                f"{redact_url(url)} sent an answer of more than {LARGEST_ANSWER >> 20} MiB",
                "check the URL",
            )
    return bytes(body)


def read_blocks(response: BaseHTTPResponse, into: BinaryIO | None) -> str:
    """Read a file's bytes, write them to `into`, and return their SHA-256."""
    import hashlib

    digest = hashlib.sha256()
    if into is not None:
        into.seek(0)
        into.truncate()
    for block in response.stream(1 << 18, decode_content=True):
        digest.update(block)
        if into is not None:
            into.write(block)
    return digest.hexdigest()


def release_connection(response: BaseHTTPResponse) -> None:
    """Let the next request have the connection; close it if a part of the body is unread."""
    if not response.closed:
        response.close()  # the next response would begin with the rest of this one
    response.release_conn()


@contextmanager
def error_context(url: str, secrets: Sequence[Secret]) -> Iterator[None]:
    """Translate exceptions of urllib3 into ours, with secrets redacted."""
    from urllib3 import exceptions

    place = redact_url(url)
    try:
        yield
    except exceptions.SSLError:
        raise Unreachable(
            f"the certificate of {place} is not trusted",
            "set `ca` of the target to your CA bundle, or REQUESTS_CA_BUNDLE",
        ) from None
    except (exceptions.LocationValueError, exceptions.LocationParseError):
        raise TwofoldError(
            f"{place} is not a valid URL", "write it as https://host/channel"
        ) from None
    except (exceptions.HTTPError, OSError) as error:
        raise TransientError(
            f"{place} cannot be reached: {redact_secrets(_find_cause(error), secrets)}",
            "check the URL, and that the server is running and reachable",
            no_server=_is_no_server(error),
        ) from None


def _is_no_server(error: BaseException) -> bool:
    """Whether an error was caused by a refused connection or an unknown host."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (ConnectionRefusedError, socket.gaierror)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _find_cause(error: BaseException) -> str:
    """The innermost reason in an exception of urllib3."""
    from urllib3 import exceptions

    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "timed out"
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    reason = getattr(inner, "reason", None)
    while isinstance(reason, BaseException):
        inner, reason = reason, getattr(reason, "reason", None)
    text = str(inner)
    return text.rpartition(": ")[2] if "object at 0x" in text or "(" in text else text
