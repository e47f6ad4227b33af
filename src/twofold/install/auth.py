"""Logins of private indexes and channels, and custom CA bundles, for installers.

Secrets are never passed on a command line, which others can read: pip gets a private netrc file,
uv an environment variable, py-rattler headers or URLs inside this process.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from twofold.fetching.credentials import BASIC, Credential

#: How a channel's server expects a login: in a header, or in conda's path (`/t/TOKEN/`).
AuthStyle = Literal["bearer", "basic", "x-api-key", "path"]


@dataclass(frozen=True)
class Login:
    """A token, or a password with its `user`. Indexes always use HTTP Basic."""

    secret: str = field(repr=False)
    user: str = ""
    style: AuthStyle = "bearer"

    @property
    def header(self) -> dict[str, str]:
        """The header that a conda client sends; empty if the token is in the path."""
        if self.style == "path":
            return {}
        if self.style == "x-api-key":
            return {"X-API-Key": self.secret}
        if self.style == "basic":
            return {"Authorization": self.basic}
        return {"Authorization": f"Bearer {self.secret}"}

    @property
    def credential(self) -> Credential:
        """The login as indexes take it: HTTP Basic."""
        return Credential(BASIC, f"{self._name}:{self.secret}")

    @property
    def basic(self) -> str:
        """The value of an HTTP Basic header; the default user is `__token__`."""
        return "Basic " + base64.b64encode(f"{self._name}:{self.secret}".encode()).decode()

    @property
    def _name(self) -> str:
        return self.user or "__token__"

    def add_to_url(self, index: str) -> str:
        """Add the login to the index URL, for an environment variable."""
        parts = urlsplit(index)
        host = parts.netloc.rpartition("@")[2]
        userpass = f"{quote(self._name, safe='')}:{quote(self.secret, safe='')}"
        return urlunsplit(parts._replace(netloc=f"{userpass}@{host}"))

    def add_token_to_path(self, channel: str) -> str:
        """Add conda's `/t/TOKEN` before the path of the channel URL."""
        parts = urlsplit(channel)
        return urlunsplit(parts._replace(path=f"/t/{quote(self.secret, safe='')}{parts.path}"))

    def redact(self, text: str) -> str:
        """Replace the secret in the text, in each of its encodings."""
        forms = (self.secret, quote(self.secret, safe=""), self.basic.removeprefix("Basic "))
        for form in forms if self.secret else ():
            text = text.replace(form, "***")
        return text

    @contextmanager
    def as_netrc(self, url: str) -> Iterator[dict[str, str]]:
        """Write a netrc file with this login for the host, and yield its environment variable.

        pip passes index URLs on the command line of the pip that it starts to build an sdist, but
        both read the netrc file. The user's own netrc entries come before ours.
        """
        host = urlsplit(url).hostname or ""
        line = f"machine {host} login {_quote(self._name)} password {_quote(self.secret)}\n"
        with tempfile.TemporaryDirectory(prefix="twofold-login-") as folder:
            path = Path(folder, "netrc")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(f"{_read_own_netrc()}\n{line}")
            yield {"NETRC": str(path)}


def _read_own_netrc() -> str:
    """Read the user's own netrc file; '' if it is unreadable or invalid."""
    import netrc

    names = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    for path in (Path(name).expanduser() for name in names):
        if path.is_file():
            try:
                netrc.netrc(str(path))
                return path.read_text("utf-8")
            except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
                return ""  # pip ignores it too
    return ""


def _quote(text: str) -> str:
    """Quote a word for a netrc file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


#: Environment variables of pip, and of OpenSSL, uv and py-rattler.
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE")


@contextmanager
def custom_ca_bundle(ca: str) -> Iterator[None]:
    """Make child programs and py-rattler trust these certificates beside the default ones.

    Each takes one bundle for all servers, so it contains the default certificates too.
    """
    if not ca:
        yield
        return
    before = {name: os.environ.get(name) for name in CA_VARIABLES}
    with tempfile.TemporaryDirectory(prefix="twofold-trust-") as folder:
        bundle = Path(folder, "bundle.pem")
        bundle.write_bytes(
            b"\n".join(_read_certificates(place) for place in [Path(ca), *_find_default_bundles()])
        )
        os.environ.update(dict.fromkeys(CA_VARIABLES, str(bundle)))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _find_default_bundles() -> list[Path]:
    """The bundles of environment variables, pip's configuration, OpenSSL and certifi."""
    import certifi

    named = [os.environ.get(name, "") for name in (*CA_VARIABLES, "REQUESTS_CA_BUNDLE")]
    configured = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "pip", "config", "get", "global.cert"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
    )
    named += [
        configured.stdout.strip(),
        ssl.get_default_verify_paths().cafile or "",
        certifi.where(),
    ]
    return [path for path in map(Path, dict.fromkeys(filter(None, named))) if path.exists()]


def _read_certificates(place: Path) -> bytes:
    """Read a bundle, or all certificates of a folder."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())
