"""What opens a private index or channel, and the ways in which servers want it.

No way leads through a command line, which others can read: pip gets a netrc file that nobody else
may read, uv an environment variable, py-rattler headers or addresses inside this process.
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

#: How a channel's server wants a login: in a header, or in the path as conda has it (`/t/TOKEN/`).
AuthStyle = Literal["bearer", "basic", "x-api-key", "path"]


@dataclass(frozen=True)
class Login:
    """A token, or a password with its `user`. Indexes are always asked by HTTP Basic."""

    secret: str = field(repr=False)
    user: str = ""
    style: AuthStyle = "bearer"

    @property
    def header(self) -> dict[str, str]:
        """The header that a conda client sends; none where the token stands in the path."""
        if self.style == "path":
            return {}
        if self.style == "x-api-key":
            return {"X-API-Key": self.secret}
        if self.style == "basic":
            return {"Authorization": self.basic}
        return {"Authorization": f"Bearer {self.secret}"}

    @property
    def basic(self) -> str:
        """The value of an Authorization header; without a user `__token__` stands for it."""
        return "Basic " + base64.b64encode(f"{self._name}:{self.secret}".encode()).decode()

    @property
    def _name(self) -> str:
        return self.user or "__token__"

    def add_to_url(self, index: str) -> str:
        """The index's address with the login in it, for an environment variable."""
        parts = urlsplit(index)
        host = parts.netloc.rpartition("@")[2]
        userpass = f"{quote(self._name, safe='')}:{quote(self.secret, safe='')}"
        return urlunsplit(parts._replace(netloc=f"{userpass}@{host}"))

    def add_token_to_path(self, channel: str) -> str:
        """The channel's address with conda's `/t/TOKEN` before its path."""
        parts = urlsplit(channel)
        return urlunsplit(parts._replace(path=f"/t/{quote(self.secret, safe='')}{parts.path}"))

    def redact(self, text: str) -> str:
        """The text with the secret taken out, in each form in which it may stand there."""
        forms = (self.secret, quote(self.secret, safe=""), self.basic.removeprefix("Basic "))
        for form in forms if self.secret else ():
            text = text.replace(form, "***")
        return text

    @contextmanager
    def as_netrc(self, address: str) -> Iterator[dict[str, str]]:
        """The environment variable of a netrc file with this login for the address's host.

        pip hands the addresses of its indexes to the pip it starts for an sdist's build, on the
        command line; what stands in a netrc file it reads again. The user's own file is kept
        before ours.
        """
        host = urlsplit(address).hostname or ""
        line = f"machine {host} login {_quote(self._name)} password {_quote(self.secret)}\n"
        with tempfile.TemporaryDirectory(prefix="twofold-login-") as folder:
            path = Path(folder, "netrc")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(f"{_read_own_netrc()}\n{line}")
            yield {"NETRC": str(path)}


def _read_own_netrc() -> str:
    """What the user's own netrc file says, as far as it can be read and is valid."""
    import netrc

    names = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    for path in (Path(name).expanduser() for name in names):
        if path.is_file():
            try:
                netrc.netrc(str(path))
                return path.read_text("utf-8")
            except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
                return ""  # pip reads none of it either
    return ""


def _quote(text: str) -> str:
    """A word of a netrc file, whatever stands in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


#: Who reads which: pip; OpenSSL, uv and py-rattler.
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE")


@contextmanager
def custom_ca_bundle(ca: str) -> Iterator[None]:
    """Programs started in here, and py-rattler, trust these certificates beside the usual ones."""
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
    """The bundles in use on this machine: named by variables, by pip's configuration, by OpenSSL,
    and the one that comes with requests."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    named = [os.environ.get(name, "") for name in (*CA_VARIABLES, "REQUESTS_CA_BUNDLE")]
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.cert"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    named += [
        asked.stdout.strip(),
        ssl.get_default_verify_paths().cafile or "",
        DEFAULT_CA_BUNDLE_PATH,
    ]
    return [path for path in map(Path, dict.fromkeys(filter(None, named))) if path.exists()]


def _read_certificates(place: Path) -> bytes:
    """A bundle, or all the certificates of a folder."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())
