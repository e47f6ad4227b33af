"""The settings of `twofold serve`: locations of data, and limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

#: The largest size (bytes) of a quota, as in the management API.
MOST_BYTES = 2**62

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


def parse_size(text: str) -> int:
    """Parse a number of bytes with an optional unit. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,19}) ?([KMGT]i?B|)", text.strip(), re.IGNORECASE)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else -1
    if not 0 <= size <= MOST_BYTES:
        raise ValueError("bytes, as 500MB or 20GiB")
    return size


@dataclass(frozen=True)
class SessionLimits:
    """How long a session of a browser lasts, and for how long it may be unused."""

    lifetime: timedelta = timedelta(days=14)
    idle: timedelta = timedelta(days=2)


@dataclass(frozen=True)
class IssuerSettings:
    """An issuer (OpenID Connect) at which people sign in, and what its claims mean here.

    `url` has no slash at its end. `user_claim` names a new account; `groups_claim` has the groups,
    and `roles` are (group, organisation, role) of members. Without `creates_accounts` only people
    whose identity is linked sign in.
    """

    url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = "your organisation"
    scopes: str = "openid profile email"
    user_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: tuple[tuple[str, str, str], ...] = ()
    creates_accounts: bool = True


@dataclass(frozen=True)
class Settings:
    """`database` and `objects` are URLs; '' means SQLite and local files under `data`.

    Sizes are in bytes. `audience` is the audience of identity tokens for trusted publishing; give
    each registry its own, so that a token for one cannot be used at another. `trust_root` is a PEM
    file of the certificates under which attestations must be signed. `public_url` is written
    wherever a full URL is; '' means the one that each request names. `trusted_proxies` are the
    addresses and networks whose X-Forwarded-For and -Proto are believed, and which may open any
    number of connections. `head_timeout` is in seconds, and so is `send_timeout`, the time after
    which a client that does not read its response is cut off. `image_hosts` are those with an
    internal address that images of descriptions may be loaded from. The pages for people show
    `site_name`, `site_notice` on every page, and the pictures `site_logo` and `site_icon`.
    `second_factor` is who must have one (`server.auth.second_factor`); at `issuer` people sign in
    without a password of ours. `webhook_hosts` (HOST or HOST:PORT) have internal addresses, and may
    get webhooks.
    """

    data: Path
    database: str = ""
    objects: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    largest_file: int = 4 << 30
    audience: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    log_reads: bool = False
    trust_root: Path | None = None
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    head_timeout: float = 30.0
    send_timeout: float = 60.0
    connections_per_address: int = 256
    spool_quota: int = 64 << 30
    image_hosts: tuple[str, ...] = ()
    site_name: str = "twofold"
    site_notice: str = ""
    site_logo: Path | None = None
    site_icon: Path | None = None
    session_limits: SessionLimits = SessionLimits()
    second_factor: str = "optional"
    issuer: IssuerSettings | None = None
    webhook_hosts: tuple[str, ...] = ()

    @property
    def own_audience(self) -> str:
        """The audience of identity tokens: by default the public URL, where one is given."""
        return self.audience or self.public_url or "twofold"

    @property
    def database_url(self) -> str:
        """URL of the database."""
        return self.database or f"sqlite:///{(self.data / 'registry.sqlite').as_posix()}"

    @property
    def objects_url(self) -> str:
        """URL or folder of the object store."""
        return self.objects or str(self.data / "objects")

    @property
    def spool(self) -> Path:
        """Folder for uploads in progress."""
        return self.data / "spool"
