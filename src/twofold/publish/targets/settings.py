"""The settings of a target, and what follows from them alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from twofold.publish.addresses import Secret, SplitUrl

#: How a conda channel's server expects credentials; indexes use HTTP Basic.
AuthStyle = Literal["bearer", "basic", "x-api-key", "path"]


@dataclass(frozen=True)
class TlsSettings:
    """Paths of a target's own certificates; '' means the variables of the environment.

    `ca` is a bundle or folder of authorities, `client_cert` a PEM file with the client's
    certificate and its key.
    """

    ca: str = ""
    client_cert: str = ""


def as_word(name: str, kind: str) -> str:
    """A target's name or URL as a command line has it: the URL with the kind that it has."""
    is_plain = name.startswith(("http://", "https://")) and kind not in ("", "registry")
    return f"{kind}+{name}" if is_plain else name


@dataclass(frozen=True)
class TargetSettings:
    """One `[targets.NAME]` table, or the settings of a URL on the command line.

    `index` is the simple index if `url` only takes uploads, `public_url` the URL of clients if
    files are written elsewhere (a bucket); `read_login` is the login in one of these two. `files`
    are the kinds of file to send (`wheel`, `sdist`, `conda`, `tar.bz2`); empty: the default kinds
    of the target. `labels` are Anaconda.org's. `token_source` is where `token` was written, for
    messages. `verify` is False if files are not fetched back. `ca` and `client_cert` are paths.
    """

    name: str
    url: str
    kind: str = "registry"
    index: str = ""
    user: str = ""
    token: Secret | None = field(default=None, repr=False)
    token_source: str = "the configuration"
    token_env: str = ""
    owner: str = ""
    channel: str = ""
    ca: str = ""
    client_cert: str = ""
    files: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    public_url: str = ""
    read_login: SplitUrl | None = field(default=None, repr=False)
    verify: bool = True

    @property
    def word(self) -> str:
        """What names the target on a command line."""
        return as_word(self.name, self.kind)

    @property
    def place(self) -> str:
        """Where files are put: a server may have many channels or owners at one URL."""
        return "/".join(filter(None, (self.url.rstrip("/"), self.owner, self.channel)))

    @property
    def tls(self) -> TlsSettings:
        """Its certificates."""
        return TlsSettings(self.ca, self.client_cert)


@dataclass(frozen=True)
class InstallUrls:
    """URLs for pip and for conda clients; '' if unknown."""

    index: str = ""
    channel: str = ""


def get_token_variable(target: str) -> str:
    """`TWOFOLD_TOKEN_LAB` for a target called `lab`."""
    return "TWOFOLD_TOKEN_" + re.sub(r"[^A-Z0-9]+", "_", target.upper()).strip("_")
