"""URLs: split from a login, redacted for messages, and compared by server."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit, urlunsplit

from twofold.errors import TwofoldError


class Secret:
    """A token or password; only `reveal` returns its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True)
class Credentials:
    """A password or token with its `user`, or a bare token (user None).

    `source` is where it was found, for messages; never the secret itself.
    """

    secret: Secret
    user: str | None = None
    source: str = ""


def redact_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """Replace every secret: plain, URL-quoted, or in an HTTP Basic header of a token."""
    plain = [secret.reveal() for secret in secrets if secret.reveal()]
    forms = {form for one in plain for form in (one, quote(one), quote(one, safe=""))}
    forms |= {form for one in plain for form in _list_basic_forms(one)}
    for form in sorted(forms, key=len, reverse=True):  # the longest first: it may contain another
        text = text.replace(form, "***")
    return text


def encode_basic(user: str, secret: Secret) -> Secret:
    """Encode user and password as in an HTTP Basic header; the result is a secret too."""
    return Secret(base64.b64encode(f"{user}:{secret.reveal()}".encode()).decode())


def _list_basic_forms(plain: str) -> list[str]:
    """The base64 of `user:secret` for the user names used with tokens."""
    users = ("__token__", "", plain)
    return [encode_basic(user, Secret(plain)).reveal() for user in users]


#: conda's token in a URL: `https://host/t/TOKEN/channel`.
_CONDA_TOKEN = re.compile(r"^/t/([^/]+)(?=/[^/])")


_CONDA_TOKEN_ANYWHERE = re.compile(r"/t/[^/]+(?=/)")


class SplitUrl(NamedTuple):
    """A URL without its login, and the login; `secret` is None where there was none.

    `in_path` is True for conda's form, `/t/TOKEN`.
    """

    url: str
    user: str
    secret: Secret | None
    in_path: bool = False


def split_login(url: str) -> SplitUrl:
    """Split `user:password@` and conda's `/t/TOKEN` from a URL.

    The rest may be printed, written to the journal and compared.
    """
    parts = _parse_url(url)
    if not parts.netloc:  # a folder
        return SplitUrl(url, "", None)
    path, secret = parts.path, Secret(unquote(parts.password)) if parts.password else None
    token = _CONDA_TOKEN.match(path)
    if token:
        path, secret = path[token.end() :], secret or Secret(unquote(token.group(1)))
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, host, path, parts.query, ""))
    in_path = token is not None and not parts.password
    return SplitUrl(bare, unquote(parts.username or ""), secret, in_path)


def _parse_url(url: str) -> SplitResult:
    """Parse a URL; raises TwofoldError if it is invalid."""
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        raise TwofoldError(
            f"{redact_url(url)} is not a valid URL", "write it as https://host/channel"
        ) from None
    return parts


def redact_url(url: str) -> str:
    """The URL without user, password, token and query, for messages."""
    try:
        parts = urlsplit(url)
    except ValueError:  # an unclosed bracket; the text before an @ may be a password
        plain = _CONDA_TOKEN_ANYWHERE.sub("/t/***", url.partition("?")[0])
        scheme, slashes, rest = plain.partition("//")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
    host = parts.netloc.rpartition("@")[2]
    path = _CONDA_TOKEN.sub("/t/***", parts.path)
    return urlunsplit((parts.scheme, host, path, "", ""))


#: What a channel's pages are called below it: pip's, twine's and conda's.
_PAGE = re.compile(
    r"/(simple|legacy|noarch|(?:linux|osx|win|emscripten|wasi)-\w+)(/.*)?$", re.DOTALL
)


def strip_page(word: str) -> str:
    """The channel of an address of one of its pages (`/simple/`, `/legacy/`, `/noarch`).

    Other words are returned as they are, `/simple` right below a host too: its channel is unknown.
    """
    scheme, separator, rest = word.partition("://")
    if separator:
        found = _PAGE.search(rest) if scheme in ("http", "https") else None
        return word[: len(word) - len(found.group())] if found else word
    folder = Path(word)
    is_part = _PAGE.fullmatch(f"/{folder.name}") and folder.is_dir()
    names = ("repodata.json", "index.html", "index.json")
    return str(folder.parent) if is_part and any((folder / n).is_file() for n in names) else word


def toggle_slash(url: str) -> str:
    """The same URL without the slash at its end, or with one."""
    return url[:-1] if url.endswith("/") else f"{url}/"


def guess_url(word: str) -> str:
    """The URL that a word without a scheme was probably meant to be; '' if it is a folder.

    A folder that does not exist yet begins with `.`, `~`, a slash or a drive; what looks like
    a host with a port is none even if an earlier mistake made it.
    """
    first = re.split(r"[/\\]", word, maxsplit=1)[0]
    is_network_path = word.startswith("//") and os.name == "posix" and not Path(word).is_dir()
    if is_network_path:  # http: was forgotten; on Windows it is the path of a share
        return f"http:{word}"
    if first.startswith((".", "~")) or not first or re.fullmatch("[A-Za-z]:", first):
        return ""
    has_port = re.fullmatch(r"(.*@)?[\w.-]+:\d+", first) is not None
    if not has_port and Path(word).is_dir():
        return ""
    word = word[len(first.rpartition("@")[0]) :].removeprefix("@")  # without a login
    written = re.match(r"((?:[a-z]+\+)?(?:https?|s3))[:/]/*(.+)", word)
    return f"{written[1]}://{written[2]}" if written else f"http://{word}"


def is_windows_path(word: str) -> bool:
    """Whether a word is a path of Windows: on a drive, `C:/x`, or of a share."""
    return re.match(r"[A-Za-z]:[\\/]|\\\\", word) is not None


def can_share_login(url: str, home: str) -> bool:
    """Whether a login for `home` may be sent to `url`: the same server, no less encrypted."""
    there, here = urlsplit(url), urlsplit(home)
    if (there.hostname, _effective_port(there)) == (here.hostname, _effective_port(here)):
        return there.scheme == here.scheme
    # http://host, whose server redirects to https://host
    return there.netloc == here.netloc and (here.scheme, there.scheme) == ("http", "https")


def _effective_port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def is_on_loopback(url: str) -> bool:
    """Whether a URL is on the loopback interface; for s3:// the endpoint decides."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        endpoint = parse_qs(parts.query).get("endpoint", [os.environ.get("AWS_ENDPOINT_URL", "")])
        return is_on_loopback(endpoint[0]) if endpoint[0] else False
    host = parts.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
